"""Asking again, after growing pauses, where that is safe."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from knowledge.genenetwork.errors import ServiceDownError
from knowledge.genenetwork.timing import Timing

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 20.0  # a longer Retry-After is not waited for: the person is told

T = TypeVar("T")


async def with_retries(attempt: Callable[[], Awaitable[T]], *, retries: int, timing: Timing) -> T:
    """Run `attempt`, again when the service was down; Retry-After is honoured.

    The pause before retry n is 0.5 s times 2 to the n with full jitter above its half (exponential back-off).

    Args:
        attempt: A call that may be repeated without harm.
        retries: Further attempts, at most.
        timing: Clocks.

    Raises:
        ServiceDownError: The last one.
    """
    for tried in range(retries + 1):
        try:
            return await attempt()
        except ServiceDownError as error:
            pause_s = pause_before(tried, error.retry_after_s)
            if tried == retries or pause_s > LONGEST_PAUSE_S:
                raise
        await timing.sleep(pause_s)
    raise AssertionError("unreachable")


def pause_before(tried: int, retry_after_s: float | None) -> float:
    """Return seconds to wait after the attempt number `tried` (0 is the first)."""
    grown: float = FIRST_PAUSE_S * 2**tried * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing
    return max(grown, retry_after_s or 0.0)
