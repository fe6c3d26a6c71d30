"""What goes wrong with calls, as tests ask for it."""

from __future__ import annotations

import random
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong with a call; the first that is set is what happens.

    Attributes:
        error: Code of an answer with `ok` false.
        limited_s: 429 with this `Retry-After` in seconds; None for no 429.
        status: HTTP status with a page instead of an answer.
        body: Answered as it is with status 200 instead of JSON.
        hang: Nothing is ever answered; the connection stays open until the client or the server closes.
        drop: The connection is cut; with "after" what was asked is done first.
        lose: Like `drop` "after", but with HTTP 500 instead of a cut.
        delay_s: Waits before the call is looked at, real seconds; may stand together with one of the others.
    """

    error: str = ""
    limited_s: int | None = None
    status: int = 0
    body: str | None = None
    hang: bool = False
    drop: Literal["", "before", "after"] = ""
    lose: bool = False
    delay_s: float = 0.0


class Faults:
    """Queues of faults per method, and faults that come by chance.

    Args:
        seed: Of what comes by chance.
    """

    def __init__(self, seed: int = 1) -> None:
        self._queues: dict[str, deque[Fault]] = defaultdict(deque)
        self._standing: dict[str, Fault] = {}
        self._chances: list[tuple[str, float, Fault]] = []
        self._random = random.Random(seed)

    def add(self, method: str, *faults: Fault) -> None:
        """Let the next calls of a method go wrong, one fault each; "*" stands for any method."""
        self._queues[method].extend(faults)

    def always(self, method: str, fault: Fault) -> None:
        """Let every call of a method go wrong until `clear`; "*" stands for all methods."""
        self._standing[method] = fault

    def by_chance(self, method: str, probability: float, fault: Fault) -> None:
        """Let a share (0 to 1) of a method's calls go wrong until `clear`; "*" stands for all methods."""
        self._chances.append((method, probability, fault))

    def clear(self) -> None:
        """Let everything go well again."""
        self._queues.clear()
        self._standing.clear()
        self._chances.clear()

    def take(self, method: str) -> Fault | None:
        """Return what goes wrong with the call that has come now, or None."""
        for key in (method, "*"):
            if self._queues.get(key):
                return self._queues[key].popleft()
        for key in (method, "*"):
            if key in self._standing:
                return self._standing[key]
        for key, probability, fault in self._chances:
            if key in (method, "*") and self._random.random() < probability:
                return fault
        return None
