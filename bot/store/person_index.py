"""What is stored of a person, by handle: written in the transaction that stores it, read by `export` and `forget`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from bot.store.client import Command, Store, texts
from bot.store.keys import KeyKind

PersonKind = Literal["conversation", "cached", "given", "feedback", "gap", "draft", "sent", "agreement"]
DAY_MS = 86_400_000

PERSON_KEYS = (
    KeyKind(
        "person:*",
        "zset",
        "that of what it names",
        "one member per conversation, answer and opinion of a person",
        "handles of what is stored of a person, one key per person and kind",
    ),
)


class PersonIndex:
    """Handles of what is stored of people; each kind has its own key, which lives as long as the last of that kind.

    Args:
        store: Where.
        days: How long things of the kinds remembered through this object are kept.
        clock: Seconds since 1970.
    """

    def __init__(self, store: Store, *, days: float, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._lifetime_ms = max(1, int(days * DAY_MS))
        self._clock = clock

    def key(self, person_id: str, kind: PersonKind) -> str:
        """Return the key of a person's handles of one kind."""
        return self._store.key("person", person_id, kind)

    def remember(self, person_id: str, kind: PersonKind, handle: str) -> list[Command]:
        """Return the commands that note a thing; they belong into the transaction that stores it."""
        key, now_ms = self.key(person_id, kind), int(self._clock() * 1000)
        return [
            ("ZADD", key, now_ms, handle),
            # Twice the lifetime, so that no step of the clock hides what is still stored.
            ("ZREMRANGEBYSCORE", key, "-inf", now_ms - 2 * self._lifetime_ms),
            ("PEXPIRE", key, self._lifetime_ms),
        ]

    async def handles(self, person_id: str, kind: PersonKind, count: int = 0) -> list[str]:
        """Return the handles, newest first; at most `count` of them, or all for 0."""
        return texts(await self._store.call("ZREVRANGE", self.key(person_id, kind), 0, count - 1))

    def gone(self, person_id: str, kind: PersonKind, handle: str) -> Command:
        """Return the command that takes a handle out; to be run with, or after, the deletion of the thing."""
        return ("ZREM", self.key(person_id, kind), handle)
