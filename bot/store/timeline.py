"""Records ordered by time: each under its own key with a lifetime, all in one index with a limit."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from typing import Generic, TypeVar

from bot.store.client import Command, Store, number, text
from bot.store.records import Record

T = TypeVar("T")

DAY_MS = 86_400_000
PAGE = 200
DROPPED_AT_ONCE = 500  # when the limit was lowered, each new record makes room for itself and some of these


class Timeline(Generic[T]):
    """Keeps records by handle; the oldest go beyond the limit, and each when its lifetime ends.

    Args:
        store: Where.
        index: Name of the index, a sorted set of handles by time.
        name: Begins the names of the records' keys.
        records: How a record is written.
        days: Lifetime of a record.
        limit: Number of records.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        *,
        index: str,
        name: str,
        records: Record[T],
        days: float,
        limit: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._index = store.key(index)
        self._name = name
        self._records = records
        self._lifetime_ms = max(1, int(days * DAY_MS))
        self._limit = limit
        self._clock = clock

    async def keep(self, handle: str, value: T) -> list[Command]:
        """Return the commands that keep a record as of now, in place of an earlier one with its handle.

        What is beyond the limit is read here and dropped by the commands, so that two callers at the same moment may
        keep one record more; the next one drops it.
        """
        now_ms = int(self._clock() * 1000)
        size, known = await self._store.batch(("ZCARD", self._index), ("ZSCORE", self._index, handle))
        surplus = min(number(size) + (known is None) - self._limit, DROPPED_AT_ONCE)
        commands: list[Command] = []
        if surplus > 0:
            reply = await self._store.call("ZRANGE", self._index, 0, surplus - 1)
            oldest = [text(member) for member in reply] if isinstance(reply, list) else []
            commands += [command for member in oldest if member != handle for command in self.forget(member)]
        return [
            *commands,
            ("SET", self._key(handle), self._records.dump(value), "PX", self._lifetime_ms),
            ("ZADD", self._index, now_ms, handle),
            ("ZREMRANGEBYSCORE", self._index, "-inf", now_ms - self._lifetime_ms),
            ("PEXPIRE", self._index, self._lifetime_ms),
        ]

    def forget(self, handle: str) -> list[Command]:
        """Return the commands that delete a record."""
        return [("DEL", self._key(handle)), ("ZREM", self._index, handle)]

    async def find(self, handle: str) -> T | None:
        """Return a record, or None."""
        return self._records.find(text(await self._store.call("GET", self._key(handle))))

    async def newest(self, since: float | None = None) -> AsyncGenerator[T]:
        """Yield the records, newest first, reading some at a time; close it when leaving early.

        Args:
            since: Seconds since 1970; older ones are left out.
        """
        begin = "-inf" if since is None else str(int(since * 1000))
        end, seen = "+inf", 0  # where the next page begins, and how many of that very time were read
        while True:
            reply = await self._store.call(
                "ZREVRANGEBYSCORE", self._index, end, begin, "WITHSCORES", "LIMIT", seen, PAGE
            )
            values = [text(value) for value in reply] if isinstance(reply, list) else []
            handles, scores = values[::2], values[1::2]
            if not handles:
                return
            found = await self._store.batch(*(("GET", self._key(handle)) for handle in handles))
            for body in found:
                record = self._records.find(text(body))
                if record is not None:
                    yield record
            seen = scores.count(scores[-1]) + (seen if scores[-1] == end else 0)
            end = scores[-1]

    def _key(self, handle: str) -> str:
        return self._store.key(self._name, handle)
