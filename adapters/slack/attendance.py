"""Notes that somebody listens to Slack, and has what was said while nobody did looked for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from adapters.slack.limits import Limits
from adapters.slack.looking_back import LookBack
from bot.errors import BotError, UnavailableError
from bot.unheard import Unheard

logger = logging.getLogger(__name__)

BEAT_S: Final = 5.0  # three in the lease of the one that looks
RETRY_S: Final = (30.0, 60.0, 120.0, 300.0)  # before a look that came to no end is begun again


class Attendance:
    """Runs beside a connection.

    Args:
        unheard: Knows until when somebody listened.
        make: Makes what looks.
        listening: Set while events can arrive.
        refused: Says whether an event could not be accepted since it was asked last.
        limits: Whose clock counts.
    """

    def __init__(
        self,
        unheard: Unheard,
        make: Callable[[], LookBack],
        listening: asyncio.Event,
        refused: Callable[[], bool],
        limits: Limits,
    ) -> None:
        self._unheard = unheard
        self._make = make
        self._listening = listening
        self._refused = refused
        self._limits = limits
        self._anew = True
        self._away = False
        self._running: asyncio.Task[bool] | None = None
        self._failures = 0
        self._again_at = 0.0

    async def run(self) -> None:
        """Go on until cancelled; whatever fails is tried again."""
        try:
            while True:
                await self._listening.wait()
                await self._beat()
                await self._limits.pause(BEAT_S)
        finally:
            await self._stop()

    async def _beat(self) -> None:
        try:
            self._anew |= self._refused()
            await self._unheard.listening(anew=self._anew)
            self._anew = False
            await self._tend()
        except UnavailableError as error:
            if not self._away:
                logger.warning("until when somebody listens to Slack cannot be noted: %s", error)
            self._away = True
        except Exception:
            logger.exception("what was said in Slack while nobody listened could not be looked for")
        else:
            self._away = False

    async def _tend(self) -> None:
        """See after the look that runs, or begin one that is due."""
        if self._running is not None:
            if self._running.done():
                ended, self._running = self._running.result(), None
                if not ended:
                    self._again_at = self._limits.now() + RETRY_S[min(self._failures, len(RETRY_S) - 1)]
                    self._failures += 1
                    return
                self._failures = 0
            elif not await self._unheard.go_on():
                await self._stop()
            else:
                return
        if self._limits.now() >= self._again_at and (since := await self._unheard.take()) is not None:
            self._running = asyncio.create_task(self._run(since), name="slack: what was missed")

    async def _run(self, since: float) -> bool:
        """Look; False where something is left."""
        look = self._make()
        try:
            await look.run(since)
            await self._unheard.done()
        except BotError as error:
            logger.warning("what was said while nobody listened is looked for again later: %s", error)
            await self._leave()
            return False
        except Exception:
            logger.exception("what was said while nobody listened could not be looked for")
            await self._leave()
            return False
        finally:
            if look.found:
                logger.info("%d messages from while nobody listened", look.found)
        return True

    async def _stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            self._running = None
            await self._leave()

    async def _leave(self) -> None:
        with contextlib.suppress(BotError):
            await self._unheard.leave()
