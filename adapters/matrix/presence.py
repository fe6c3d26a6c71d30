"""Signs that Locus has read something and that it writes; none is worth an error."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from nio.api import ReceiptType
from nio.responses import RoomTypingResponse, UpdateReceiptMarkerResponse

from adapters.matrix.errors import checked, translated
from adapters.matrix.nio_gaps import CarefulClient
from adapters.matrix.work import OwnedWork

logger = logging.getLogger(__name__)

TYPING_MS: Final = 30_000  # for which a notice counts
RENEW_S: Final = 20.0
LONGEST_S: Final = 900.0  # for which an answer may be written


class TypingNotices:
    """Lets a room see that Locus writes, as long as any answer there is being written.

    Args:
        client: Logged in.
        work: Owns the notices.
        pause: Waits so many seconds.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        client: CarefulClient,
        work: OwnedWork,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._work = work
        self._pause = pause
        self._clock = clock
        self._writing: dict[str, dict[str, float]] = {}
        self._changed: dict[str, asyncio.Event] = {}

    def begin(self, room: str, post_id: str) -> None:
        """An answer is being written."""
        posts = self._writing.setdefault(room, {})
        posts.setdefault(post_id, self._clock())
        self._work.begin("typing", self._run(room), key=f"typing {room}")

    def end(self, room: str, post_id: str) -> None:
        """It is written."""
        posts = self._writing.get(room, {})
        if posts.pop(post_id, None) is not None and not posts and room in self._changed:
            self._changed[room].set()

    async def _run(self, room: str) -> None:
        changed = self._changed[room] = asyncio.Event()
        try:
            while self._posts(room):
                while self._posts(room):
                    await self._tell(room, writes=True)
                    await self._wait(changed)
                await self._tell(room, writes=False)
        finally:
            del self._changed[room]
            if not self._posts(room):
                self._writing.pop(room, None)

    async def _wait(self, changed: asyncio.Event) -> None:
        """Return when a notice is to be renewed, or may have to end."""
        waiting = asyncio.ensure_future(changed.wait())
        renewing = asyncio.ensure_future(self._pause(RENEW_S))
        try:
            await asyncio.wait((waiting, renewing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            renewing.cancel()
            await asyncio.gather(waiting, renewing, return_exceptions=True)
        changed.clear()

    def _posts(self, room: str) -> dict[str, float]:
        """Return what is being written in a room, without what takes too long to be true."""
        since = self._clock() - LONGEST_S
        posts = self._writing.get(room, {})
        for post_id in [post_id for post_id, begun in posts.items() if begun < since]:
            del posts[post_id]
        return posts

    async def _tell(self, room: str, *, writes: bool) -> None:
        if room in self._client.rooms:
            with translated():
                checked(await self._client.room_typing(room, writes, TYPING_MS), RoomTypingResponse)


class Receipts:
    """Tells rooms what Locus has received; the newest of each thread, one call at a time.

    Args:
        client: Logged in.
        work: Owns the calls.
    """

    def __init__(self, client: CarefulClient, work: OwnedWork) -> None:
        self._client = client
        self._work = work
        self._wanted: dict[tuple[str, str], str] = {}

    def read(self, room: str, event_id: str, thread: str) -> None:
        """A message was received.

        Args:
            room: In which.
            event_id: The message.
            thread: Root of its thread, or its own id where it is in none.
        """
        self._wanted[room, thread if thread != event_id else "main"] = event_id
        self._work.begin("read receipts", self._run(), key="receipts")

    async def _run(self) -> None:
        while self._wanted:
            (room, thread), event_id = next(iter(self._wanted.items()))
            del self._wanted[room, thread]
            with translated():
                answer = await self._client.update_receipt_marker(room, event_id, ReceiptType.read, thread)
            checked(answer, UpdateReceiptMarkerResponse)
