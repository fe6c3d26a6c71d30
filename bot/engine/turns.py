"""Who is served next: one question of each user in turn, in a bounded queue."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar


class Asker(Protocol):
    """What the queue must know of an item."""

    @property
    def user(self) -> str:
        """Whose turn it counts as."""
        ...


Item = TypeVar("Item", bound=Asker)


class TurnQueue(Generic[Item]):
    """First come, first served within a user; round robin over users."""

    def __init__(self, limit: int) -> None:
        """Make an empty queue that holds at most `limit` items."""
        self.limit = limit
        self._lines: OrderedDict[str, deque[Item]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def full(self) -> bool:
        """True when nothing more fits."""
        return self._length >= self.limit

    def add(self, item: Item) -> None:
        """Append an item to its user's line; check `full` before."""
        self._lines.setdefault(item.user, deque()).append(item)
        self._length += 1

    def put_back(self, item: Item) -> None:
        """Return an item that was just taken: its user is served next again."""
        self._lines.setdefault(item.user, deque()).appendleft(item)
        self._lines.move_to_end(item.user, last=False)
        self._length += 1

    def __iter__(self) -> Iterator[Item]:
        """Yield the items in the order in which they will be served."""
        lines = [deque(line) for line in self._lines.values()]
        while lines:
            for line in lines:
                yield line.popleft()
            lines = [line for line in lines if line]

    def take(self, item: Item) -> None:
        """Take an item out to be served; its user goes to the end of the round.

        Raises:
            ValueError: If it is not in the queue.
        """
        self._lines[item.user].remove(item)
        self._length -= 1
        if self._lines[item.user]:
            self._lines.move_to_end(item.user)
        else:
            del self._lines[item.user]

    def discard(self, item: Item) -> bool:
        """Take out an item that is no longer wanted; the round stays. False when it is not there."""
        line = self._lines.get(item.user)
        if line is None or item not in line:
            return False
        line.remove(item)
        self._length -= 1
        if not line:
            del self._lines[item.user]
        return True
