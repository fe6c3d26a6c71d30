"""Messages that cannot be read: their senders are told once, and they are answered when their keys come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from nio.events import ForwardedRoomKeyEvent, MegolmEvent, RoomKeyEvent
from nio.responses import ErrorResponse

from adapters.matrix import saying
from adapters.matrix.errors import error_of, translated
from adapters.matrix.events import has_text, read_event
from adapters.matrix.events_values import Edited, Undecryptable, Written
from adapters.matrix.parts import Parts
from adapters.matrix.rendering import render_sentence
from adapters.matrix.room_book import Waiting
from bot.errors import BusyError, UnavailableError
from bot.messages import digest

logger = logging.getLogger(__name__)

GRACE_S: Final = 5.0  # for which a key may be on its way before anybody is told


class Unreadable:
    """Keeps what cannot be read yet.

    Args:
        parts: Of the session.
        read: Takes a message that can be read at last.
        pause: Waits so many seconds.
    """

    def __init__(
        self,
        parts: Parts,
        read: Callable[[Written | Edited], Awaitable[None]],
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._parts = parts
        self._read = read
        self._pause = pause

    async def begin(self) -> None:
        """Go on with what an earlier process could not read."""
        for message in list(self._parts.book.waiting.values()):
            self._begin(message)

    def note(self, event: Undecryptable) -> None:
        """A message came whose key is missing."""
        message = Waiting(event.room, event.event_id, event.user, event.thread, event.position, event.session)
        self._parts.book.wait_for(message)
        self._begin(message)

    async def not_encrypted(self, written: Written) -> None:
        """A message came in clear though its room is encrypted: anybody on the way may have written it."""
        self._parts.work.begin("telling that a message was not encrypted", self._tell_clear(written))

    async def keys_came(self, events: Sequence[object]) -> None:
        """Read what can be read now. Raises what taking a message raises.

        Args:
            events: That were sent to this device, decrypted.
        """
        keys = {
            (event.room_id, event.session_id)
            for event in events
            if isinstance(event, RoomKeyEvent | ForwardedRoomKeyEvent)
        }
        for message in list(self._parts.book.waiting.values()):
            if (message.room, message.session) in keys:
                await self._try(message)

    async def _try(self, message: Waiting) -> bool:
        """Read a message; False when its key is still missing.

        Raises:
            UnavailableError: If the homeserver or the store is away.
            BusyError: If nothing more can be stored.
        """
        found = await self._parts.looking.event(message.room, message.event_id)
        if found is not None:
            source, opened = found
            if source.get("type") == "m.room.encrypted" and has_text(source):
                return False
            event = read_event(source, message.room, self._parts.bot, position=message.position, encrypted=opened)
            if isinstance(event, Written | Edited) and opened:
                await self._read(event)
        self._parts.book.waiting.pop(message.event_id, None)
        await self._parts.book.save()
        return True

    def _begin(self, message: Waiting) -> None:
        self._parts.work.begin("asking for a key", self._ask_for_key(message), key=f"key {message.event_id}")

    async def _ask_for_key(self, message: Waiting) -> None:
        await self._pause(GRACE_S)
        parts = self._parts
        try:
            if message.event_id not in parts.book.waiting or await self._try(message):
                return
        except (UnavailableError, BusyError):
            return  # the next key, or the next start, tries it again
        await self._request(message)
        if message.thread and parts.book.tell_once("key", message.room, message.user):
            await parts.book.save()
            key = digest("key missing", message.room, message.user)
            await parts.showing.say(message.room, message.thread, render_sentence(saying.KEY_MISSING), key=key)

    async def _request(self, message: Waiting) -> None:
        """Ask the sender's device for the key, once for each key."""
        client = self._parts.client
        found = await self._parts.looking.event(message.room, message.event_id)
        if found is None or client.olm is None:
            return
        event = MegolmEvent.from_dict({"unsigned": {}, **found[0], "room_id": message.room})
        if not isinstance(event, MegolmEvent) or event.session_id in client.outgoing_key_requests:
            return
        event.room_id = message.room
        with translated():
            answer = await client.request_room_key(event)
        if isinstance(answer, ErrorResponse):
            raise error_of(answer)

    async def _tell_clear(self, written: Written) -> None:
        parts = self._parts
        if parts.places.answers_in(written.room) and parts.book.tell_once("clear", written.room, written.user):
            await parts.book.save()
            key = digest("not encrypted", written.room, written.user)
            await parts.showing.say(written.room, written.thread, render_sentence(saying.NOT_ENCRYPTED), key=key)
