"""Looks at events that a room holds already, decrypted where they are encrypted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import quote

from nio.events import MegolmEvent
from nio.exceptions import EncryptionError

from adapters.matrix.errors import checked_call, translated
from adapters.matrix.fields import Fields, record, text
from adapters.matrix.marks import Mark, read_mark
from adapters.matrix.nio_gaps import CarefulClient
from bot.errors import InvalidRequestError, NotFoundError, RefusedError

logger = logging.getLogger(__name__)

T = TypeVar("T")

PAGE: Final = 100  # events
PAGES: Final = 5  # of a thread or room that are looked through, the newest first


class Looking:
    """Fetches events. Every method raises UnavailableError if the homeserver does not answer.

    Args:
        client: Logged in.
    """

    def __init__(self, client: CarefulClient) -> None:
        self._client = client

    async def event(self, room: str, event_id: str) -> tuple[Fields, bool] | None:
        """Return an event as JSON and whether it came encrypted, or None when it cannot be seen."""
        found = await self._get(f"/v3/rooms/{quote(room)}/event/{quote(event_id)}")
        return self.readable(room, found) if found is not None else None

    async def state(self, room: str, kind: str) -> Fields | None:
        """Return the content of a piece of a room's state, or None without one."""
        return await self._get(f"/v3/rooms/{quote(room)}/state/{quote(kind)}/")

    async def find(self, room: str, root: str, key: str, tx_id: str) -> str | None:
        """Return the id of Locus's own message with a key, in a thread or, without root, in the room; or None."""

        def wanted(event: Fields) -> str | None:
            mark = read_mark(event)
            same = text(record(event, "unsigned"), "transaction_id") == tx_id
            return text(event, "event_id") if same or (mark and mark.key == key and not mark.part_of) else None

        return await self._first(room, root, wanted)

    async def parts_of(self, room: str, root: str, first: str) -> dict[str, str]:
        """Return the ids of the further messages of an answer, by the names of the parts."""
        found: dict[str, str] = {}

        def gather(event: Fields) -> None:
            mark = read_mark(event)
            if mark is not None and mark.part_of == first:
                found.setdefault(mark.part, text(event, "event_id"))

        await self._first(room, root, gather)
        return found

    async def last_answer(self, room: str, root: str) -> str:
        """Return the id of Locus's newest message in a thread that an answer begins with, or ""."""

        def wanted(event: Fields) -> str | None:
            mark = read_mark(event)
            return text(event, "event_id") if mark is not None and not mark.part_of else None

        return await self._first(room, root, wanted) or ""

    async def latest_mark(self, room: str, event_id: str) -> Mark | None:
        """Return the mark of the last edit of a message of Locus; None where there is none."""
        return await self._pages(room, _relations(room, event_id, "m.replace"), read_mark)

    async def edits(self, room: str, event_id: str) -> list[str]:
        """Return the ids of the edits of a message of Locus, the newest first."""
        found: list[str] = []
        await self._pages(
            room, _relations(room, event_id, "m.replace"), lambda event: found.append(text(event, "event_id"))
        )
        return found

    def readable(self, room: str, event: Fields) -> tuple[Fields, bool]:
        """Return an event, decrypted where that is possible, and whether it was."""
        if text(event, "type") != "m.room.encrypted" or self._client.olm is None:
            return event, False
        try:
            encrypted = MegolmEvent.from_dict({"unsigned": {}, **event, "room_id": room})
            if not isinstance(encrypted, MegolmEvent):
                return event, False
            encrypted.room_id = room
            opened = self._client.decrypt_event(encrypted)
        except EncryptionError:
            return event, False
        source: dict[str, object] = dict(opened.source)
        source["unsigned"] = record(event, "unsigned")
        return source, True

    async def _first(self, room: str, root: str, wanted: Callable[[Fields], T | None]) -> T | None:
        """Return what `wanted` makes of Locus's newest message in a thread or room of which it makes something."""
        path = _relations(room, root, "m.thread") if root else f"/v3/rooms/{quote(room)}/messages"
        return await self._pages(room, path, wanted)

    async def _pages(self, room: str, path: str, wanted: Callable[[Fields], T | None]) -> T | None:
        position = ""
        for _ in range(PAGES):
            query = f"?dir=b&limit={PAGE}" + (f"&from={quote(position)}" if position else "")
            answer = await self._get(path + query)
            chunk = answer.get("chunk") if answer is not None else None
            if answer is None or not isinstance(chunk, list):
                return None
            for event in chunk:
                if isinstance(event, dict) and event.get("sender") == self._client.user_id:
                    found = wanted(self.readable(room, event)[0])
                    if found is not None:
                        return found
            position = text(answer, "next_batch") or text(answer, "end")
            if not chunk or not position:
                return None
        return None

    async def _get(self, path: str) -> dict[str, object] | None:
        try:
            with translated():
                return checked_call(*await self._client.call("GET", f"/_matrix/client{path}"))
        except (NotFoundError, RefusedError, InvalidRequestError):
            return None


def _relations(room: str, event_id: str, kind: str) -> str:
    return f"/v1/rooms/{quote(room)}/relations/{quote(event_id)}/{kind}"
