"""A circuit breaker: a service that keeps failing is left alone for a while, then tried with one call."""

from __future__ import annotations

import enum
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bot.errors import BotError, UnavailableError

logger = logging.getLogger(__name__)


class CircuitState(enum.Enum):
    """What happens to the next call."""

    CLOSED = "closed"  # it goes through; failures in a row are counted
    OPEN = "open"  # it is refused until the pause is over
    HALF_OPEN = "half open"  # one call is under way as a trial; others are refused until it ends


class CircuitBreaker:
    """Counts failures of one service; all calls of one event loop go through `call`.

    Only `UnavailableError` is a failure. Any other `BotError` is an answer: the service is there and said no. A call
    that is cancelled or closed says nothing about the service.

    Args:
        name: The service, as it stands at the beginning of a sentence.
        failures: Failures in a row that open it.
        pause_s: Seconds it stays open first; each failed trial doubles them.
        max_pause_s: Longest pause in seconds.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = 5,
        pause_s: float = 10.0,
        max_pause_s: float = 120.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._limit = failures
        self._first_pause_s = pause_s
        self._max_pause_s = max_pause_s
        self._clock = clock
        self._state = CircuitState.CLOSED
        self._failures = 0
        self._pause_s = pause_s
        self._open_until = 0.0

    @property
    def state(self) -> CircuitState:
        """The state; an open one stays open until a call is made after the pause."""
        return self._state

    @property
    def retry_after_s(self) -> float:
        """Seconds until the next call can go through, 0 when it can now."""
        if self._state is CircuitState.OPEN:
            return max(0.0, self._open_until - self._clock())
        # How long a trial takes is not known; the first pause is a fair guess.
        return self._first_pause_s if self._state is CircuitState.HALF_OPEN else 0.0

    @contextmanager
    def call(self) -> Iterator[None]:
        """Let one call through and learn from how it ends.

        Raises:
            UnavailableError: If the service is being left alone.
        """
        wait_s = self.retry_after_s
        if wait_s > 0:
            raise UnavailableError(
                f"{self._name} failed several times and is left alone for a while: try again in {wait_s:.0f} s.",
                retry_after_s=wait_s,
            )
        trial = self._state is CircuitState.OPEN
        if trial:
            self._state = CircuitState.HALF_OPEN
        try:
            yield
        except UnavailableError:
            self._failed(trial=trial)
            raise
        except BotError:
            self._succeeded(trial=trial)
            raise
        except BaseException:
            if trial and self._state is CircuitState.HALF_OPEN:
                # The pause is over already, so the next call is the next trial.
                self._state = CircuitState.OPEN
            raise
        else:
            self._succeeded(trial=trial)

    def _succeeded(self, *, trial: bool) -> None:
        if self._state is CircuitState.CLOSED:
            self._failures = 0
        elif trial:
            self._state = CircuitState.CLOSED
            self._failures = 0
            self._pause_s = self._first_pause_s
            logger.warning("%s answers again", self._name)

    def _failed(self, *, trial: bool) -> None:
        if trial:
            self._pause_s = min(2 * self._pause_s, self._max_pause_s)
            self._open()
        elif self._state is CircuitState.CLOSED:
            self._failures += 1
            if self._failures >= self._limit:
                self._open()
                logger.warning(
                    "%s failed %d times in a row and is left alone for %g s", self._name, self._failures, self._pause_s
                )

    def _open(self) -> None:
        self._state = CircuitState.OPEN
        self._open_until = self._clock() + self._pause_s
