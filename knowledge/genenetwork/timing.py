"""Clocks of the client, so that tests can turn them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """What time it is, and waiting.

    Attributes:
        monotonic: Seconds that only grow.
        now: Seconds since 1970, UTC.
        sleep: Waits for seconds.
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
