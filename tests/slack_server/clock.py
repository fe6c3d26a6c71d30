"""The local Slack's time, which tests may let run faster or jump ahead."""

from __future__ import annotations

import time


class Clock:
    """Seconds since the epoch.

    Args:
        speed: Seconds that pass on it in each real second, > 0. Limits per minute, the life of a stream and
            `Retry-After` are all measured with it, so their ratio holds at any speed.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._start = time.time()
        self._real_start = time.monotonic()
        self._ahead = 0.0

    def now(self) -> float:
        """Return the present second."""
        return self._start + self._ahead + (time.monotonic() - self._real_start) * self.speed

    def advance(self, seconds: float) -> None:
        """Jump ahead."""
        self._ahead += seconds

    def real_s(self, seconds: float) -> float:
        """Return how long a wait of `seconds` lasts outside."""
        return seconds / self.speed
