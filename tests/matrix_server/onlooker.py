"""A person whose client is always open: what happens in their rooms is seen at once, decrypted."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nio.responses import RoomRedactResponse, RoomSendResponse

from tests.matrix_server.encrypting import EncryptingPerson, encrypting
from tests.matrix_server.person import PATIENCE_S
from tests.matrix_server.room_view import RoomView
from tests.matrix_server.synapse import Account

POLL_S = 0.005


class Onlooker(EncryptingPerson):
    """Reads in the background; `views` holds what is seen. Made by `onlooker`.

    Attributes:
        views: By room.
    """

    views: dict[str, RoomView]

    async def watch(self) -> None:
        """Read until cancelled."""
        while True:
            await self.look(20)

    async def look(self, timeout_s: float = 0.0) -> None:
        """Read what is new."""
        answer = await self.sync(timeout_s)
        for room_id, room in answer.rooms.join.items():
            self.views[room_id].take(event.source for event in (*room.state, *room.timeline.events))

    async def before_sending(self, room_id: str) -> None:
        """All that is new is known already."""

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is seen.

        Raises:
            TimeoutError: If it is not within half a minute.
        """
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - polled, as views have no event
                await asyncio.sleep(POLL_S)

    async def send(self, room_id: str, content: Mapping[str, Any], kind: str = "m.room.message") -> str:
        """Send an event, encrypted where the room is, and return its id."""
        answer = await self.client.room_send(room_id, kind, dict(content), ignore_unverified_devices=True)
        assert isinstance(answer, RoomSendResponse), answer
        return answer.event_id

    async def edit(self, room_id: str, event_id: str, text: str, *, mention: Sequence[str] = ()) -> str:
        """Edit a message."""
        new = {"msgtype": "m.text", "body": text, "m.mentions": {"user_ids": list(mention)}}
        relation = {"rel_type": "m.replace", "event_id": event_id}
        return await self.send(room_id, {**new, "body": f"* {text}", "m.new_content": new, "m.relates_to": relation})

    async def react(self, room_id: str, event_id: str, key: str) -> str:
        """React to a message and return the reaction's id."""
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        return await self.send(room_id, {"m.relates_to": relation}, "m.reaction")

    async def redact(self, room_id: str, event_id: str) -> None:
        """Delete a message."""
        answer = await self.client.room_redact(room_id, event_id)
        assert isinstance(answer, RoomRedactResponse), answer


@asynccontextmanager
async def onlooker(url: str, account: Account, folder: Path) -> AsyncIterator[Onlooker]:
    """Yield a person who reads along."""
    async with encrypting(url, account, folder, Onlooker) as someone:
        assert isinstance(someone, Onlooker)
        someone.views = defaultdict(RoomView)
        watching = asyncio.create_task(someone.watch())
        try:
            yield someone
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
