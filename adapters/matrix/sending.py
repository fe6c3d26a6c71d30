"""Sends events at the pace of the homeserver; sending the same twice changes nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from nio.responses import RoomRedactResponse, RoomSendResponse

from adapters.matrix.errors import OutcomeUnknownError, RateLimitedError, checked, translated
from adapters.matrix.nio_gaps import CarefulClient
from adapters.matrix.pace import Pace
from adapters.matrix.relations import Content
from bot.errors import BotError, NotFoundError, RefusedError, UnavailableError

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 25.0  # for one event; whoever waits in another process does so for half a minute
MESSAGE: Final = "m.room.message"
REACTION: Final = "m.reaction"
_FIRST_PAUSE_S: Final = 1.0  # after an answer that did not come; doubled each time


class Sender:
    """Sends for one session.

    Args:
        client: Logged in, and synced once: it knows all rooms.
        pace: Of the account.
        joining: Tells whether a room is about to be joined.
        pause: Waits so many seconds.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        client: CarefulClient,
        pace: Pace,
        joining: Callable[[str], bool],
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._pace = pace
        self._joining = joining
        self._pause = pause
        self._clock = clock
        self.last_success: float | None = None

    async def send(self, room: str, content: Content, tx_id: str, *, kind: str = MESSAGE) -> str:
        """Send an event, and return its id: the same for the same transaction id.

        Raises:
            UnavailableError: If the homeserver is away or wants a long pause.
            RefusedError: If Locus is no member or may not write.
        """

        async def once() -> str:
            response = await self._client.room_send(room, kind, dict(content), tx_id)
            return checked(response, RoomSendResponse).event_id

        self._require_member(room)
        return await self._patiently(once)

    async def draft(self, room: str, content: Content, tx_id: str, *, kind: str = MESSAGE) -> bool:
        """Send an event that the next makes worthless; False when it was left out."""
        self._require_member(room)
        if not self._pace.draft():
            return False
        try:
            with translated():
                checked(await self._client.room_send(room, kind, dict(content), tx_id), RoomSendResponse)
        except RateLimitedError as error:
            self._pace.refused(error.retry_after_s or 0.0)
            return False
        except UnavailableError as error:
            logger.debug("a draft was not shown: %s", error)
            return False
        self.last_success = self._clock()
        return True

    async def redact(self, room: str, event_id: str, tx_id: str) -> None:
        """Delete an event; one that is gone already is no error. Raises as `send`."""

        async def once() -> None:
            checked(await self._client.room_redact(room, event_id, tx_id=tx_id), RoomRedactResponse)

        self._require_member(room)
        try:
            await self._patiently(once)
        except NotFoundError:
            logger.debug("what was to be deleted is gone already")

    async def _patiently(self, once: Callable[[], Awaitable[str]] | Callable[[], Awaitable[None]]) -> str:
        deadline = self._clock() + PATIENCE_S
        pause_s = _FIRST_PAUSE_S
        while True:
            if not await self._pace.turn(deadline - self._clock()):
                raise RateLimitedError("The Matrix homeserver asks to slow down.", retry_after_s=PATIENCE_S)
            try:
                with translated():
                    done = await once()
                self.last_success = self._clock()
                return done or ""
            except RateLimitedError as error:
                self._pace.refused(error.retry_after_s or 0.0)
            except OutcomeUnknownError:
                if self._clock() + pause_s > deadline:
                    raise
                await self._pause(pause_s)
                pause_s *= 2

    def _require_member(self, room: str) -> None:
        if room in self._client.rooms:
            return
        if self._joining(room):
            raise UnavailableError("Locus is about to join that Matrix room.", retry_after_s=_FIRST_PAUSE_S)
        raise RefusedError("Locus is no member of that Matrix room any more: invite it again.")


async def leniently(work: Awaitable[object], what: str) -> None:
    """Do what no answer depends on."""
    try:
        await work
    except BotError as error:
        logger.info("%s was not done: %s", what, error)
