"""Threads: in which of them the bot takes part, and when two bots talk to each other."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from bot.messages import Place

MOST_THREADS: Final = 20_000
MOST_LISTED: Final = 50  # of a channel
TURNS: Final = 30  # messages of a thread in that time; no person asks so fast for so long
TURNS_S: Final = 600.0


class Threads(Protocol):
    """Knows the threads the bot takes part in, for all processes and over restarts."""

    async def join(self, place: Place) -> None:
        """Note that the bot takes part; again changes nothing.

        Raises:
            UnavailableError: If that cannot be stored.
        """
        ...

    async def joined(self, place: Place) -> bool:
        """True where it takes part. Raises as `join`."""
        ...

    async def recent(self, place: Place) -> Sequence[str]:
        """Return the threads of a channel in which it was asked lately, the latest first. Raises as `join`."""
        ...


class RecentThreads:
    """The threads of this process since its start, the latest used last; implements `Threads`."""

    def __init__(self) -> None:
        self._threads: OrderedDict[str, Place] = OrderedDict()

    async def join(self, place: Place) -> None:
        self._threads[place.conversation_id] = place
        self._threads.move_to_end(place.conversation_id)
        while len(self._threads) > MOST_THREADS:
            self._threads.popitem(last=False)

    async def joined(self, place: Place) -> bool:
        return place.conversation_id in self._threads

    async def recent(self, place: Place) -> Sequence[str]:
        found = (one.thread for one in self._threads.values() if one.channel_id == place.channel_id)
        return list(found)[: -MOST_LISTED - 1 : -1]


class LoopGuard:
    """Ends a talk of two bots: where a thread has had more questions than people ask, the bot is silent for a while.

    Messages that bots send as bots never come this far; this is for those that use a person's account.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turns: OrderedDict[str, deque[tuple[str, float]]] = OrderedDict()

    def allows(self, place: Place, ts: str) -> bool:
        """Count a message, each once however often it is delivered; False where it is one too many."""
        now = self._clock()
        turns = self._turns.setdefault(place.conversation_id, deque())
        self._turns.move_to_end(place.conversation_id)
        while len(self._turns) > MOST_THREADS:
            self._turns.popitem(last=False)
        while turns and turns[0][1] < now - TURNS_S:
            turns.popleft()
        if any(ts == known for known, _ in turns):
            return True
        if len(turns) >= TURNS:
            return False
        turns.append((ts, now))
        return True
