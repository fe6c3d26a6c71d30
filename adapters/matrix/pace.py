"""How often Locus writes, so that a homeserver that limits messages has room for answers, not for drafts.

A homeserver counts every event of an account alike: posts, each edit, reactions and redactions. Until it says that
there were too many, nothing is held back; for a while after, Synapse's own figures are kept to.

Source of the figures: Synapse's configuration manual, `rc_message`: 0.2 messages a second, 10 at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

RATE: Final = 0.2  # events a second
BURST: Final = 10.0  # events at once
RESERVE: Final = 4.0  # of them that drafts leave to answers
REMEMBERED_S: Final = 600.0  # for which a refusal counts


class Pace:
    """A bucket of events for one account. What takes its turn first writes first.

    Args:
        clock: Seconds that only grow.
        pause: Waits so many seconds.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._pause = pause
        self._tokens = BURST
        self._filled_at = clock()
        self._limited_until = float("-inf")
        self._rate = RATE

    @property
    def limited(self) -> bool:
        """True where the homeserver has said lately that there were too many."""
        return self._clock() < self._limited_until

    def draft(self) -> bool:
        """Take a turn for something that the next draft replaces; False when it is to be left out."""
        if not self.limited:
            return True
        self._fill()
        if self._tokens < RESERVE + 1:
            return False
        self._tokens -= 1
        return True

    async def turn(self, longest_s: float) -> bool:
        """Wait for the turn of something that has to be sent; False when that would take longer than `longest_s`."""
        if not self.limited:
            return True
        self._fill()
        wait_s = (1 - self._tokens) / self._rate
        if wait_s > longest_s:
            return False
        self._tokens -= 1
        if wait_s > 0:
            await self._pause(wait_s)
        return True

    def refused(self, retry_after_s: float) -> None:
        """Take note that the homeserver wants the next event so many seconds from now."""
        if not self.limited:
            self._rate = RATE
            self._tokens = BURST
        self._fill()
        self._rate = min(self._rate, 1 / max(retry_after_s, 1 / RATE))
        self._limited_until = self._clock() + REMEMBERED_S
        self._tokens = min(self._tokens, 1 - retry_after_s * self._rate)

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(BURST, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
