"""In which threads the bot takes part, for all processes and over restarts."""

from __future__ import annotations

import time
from collections.abc import Callable

from bot.messages import Place
from bot.store.client import Command, Store, texts
from bot.store.keys import KeyKind
from bot.threads import MOST_LISTED

DAY_MS = 86_400_000

THREAD_KEYS = (
    KeyKind(
        "thread:*",
        "string",
        "LOCUS_CONVERSATION_DAYS after the last question",
        "one per thread, a few bytes",
        "present where the bot takes part in a thread, so that follow-ups need no mention",
    ),
    KeyKind(
        "threads:*",
        "zset",
        "LOCUS_CONVERSATION_DAYS after the last question",
        "one per channel of Slack, 50 members",
        "ids of the threads of a channel in which it was asked lately, by time",
    ),
)


class JoinedThreads:
    """The threads that the bot takes part in.

    Args:
        store: Where.
        days: How long a thread counts after the last question in it.
        listed: Whether the latest threads of each channel are kept as a list, for a chat that has to look them through.
        clock: Seconds since 1970.
    """

    def __init__(
        self, store: Store, *, days: float, listed: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._listed = listed
        self._clock = clock
        self._lifetime_ms = max(1, int(days * DAY_MS))

    async def join(self, place: Place) -> None:
        """Note that the bot takes part.

        Raises:
            UnavailableError: If Redis is away.
        """
        commands = [self.joining(place)]
        if self._listed and place.thread:
            key = self._list(place)
            commands += [
                ("ZADD", key, self._clock(), place.thread),
                ("ZREMRANGEBYRANK", key, 0, -MOST_LISTED - 1),
                ("PEXPIRE", key, self._lifetime_ms),
            ]
        await self._store.transaction(*commands)

    def joining(self, place: Place) -> Command:
        """Return the command that notes that the bot takes part."""
        return ("SET", self._key(place), "1", "PX", self._lifetime_ms)

    async def joined(self, place: Place) -> bool:
        """True where it takes part. Raises as `join`."""
        return bool(await self._store.call("EXISTS", self._key(place)))

    async def recent(self, place: Place) -> list[str]:
        """Return the threads of a channel in which it was asked lately, the latest first. Raises as `join`."""
        return texts(await self._store.call("ZREVRANGE", self._list(place), 0, -1))

    def _list(self, place: Place) -> str:
        return self._store.key("threads", place.channel_id)

    def _key(self, place: Place) -> str:
        return self._store.key("thread", place.conversation_id)
