"""In which threads the bot takes part, for all processes and over restarts."""

from __future__ import annotations

from bot.messages import Place
from bot.store.client import Command, Store
from bot.store.keys import KeyKind

DAY_MS = 86_400_000

THREAD_KEYS = (
    KeyKind(
        "thread:*",
        "string",
        "LOCUS_CONVERSATION_DAYS after the last question",
        "one per thread, a few bytes",
        "present where the bot takes part in a thread, so that follow-ups need no mention",
    ),
)


class JoinedThreads:
    """The threads that the bot takes part in.

    Args:
        store: Where.
        days: How long a thread counts after the last question in it.
    """

    def __init__(self, store: Store, *, days: float) -> None:
        self._store = store
        self._lifetime_ms = max(1, int(days * DAY_MS))

    async def join(self, place: Place) -> None:
        """Note that the bot takes part.

        Raises:
            UnavailableError: If Redis is away.
        """
        await self._store.call(*self.joining(place))

    def joining(self, place: Place) -> Command:
        """Return the command that notes that the bot takes part."""
        return ("SET", self._key(place), "1", "PX", self._lifetime_ms)

    async def joined(self, place: Place) -> bool:
        """True where it takes part. Raises as `join`."""
        return bool(await self._store.call("EXISTS", self._key(place)))

    def _key(self, place: Place) -> str:
        return self._store.key("thread", place.conversation_id)
