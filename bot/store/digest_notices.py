"""What administrators are to be told about digests and have not been told yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.store.client import Command, Store, texts
from bot.store.keys import KeyKind
from bot.store.records import Record

DAYS = 7  # after which nobody wants to hear of it any more

DIGEST_NOTICE_KEYS = (
    KeyKind("digest:notices", "zset", "7 days", "one per administrator and event", "what administrators are told next"),
)


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence for one administrator.

    Attributes:
        key: Of its post; the same however often it is noted or tried.
        text: What is told.
        chat: Where.
        user: Whom.
    """

    key: str
    text: str
    chat: str
    user: str


NOTICES = Record(Notice)


class DigestNotices:
    """Notes and lists them.

    Args:
        store: Where.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._key = store.key("digest", "notices")

    def noting(self, notices: Sequence[Notice], now: float) -> list[Command]:
        """Return the commands that note some; the same one twice is there once."""
        if not notices:
            return []
        added: list[Command] = [("ZADD", self._key, now, NOTICES.dump(one)) for one in notices]
        return [*added, ("ZREMRANGEBYSCORE", self._key, "-inf", now - DAYS * 86_400)]

    async def waiting(self, now: float) -> list[Notice]:
        """Return those that wait, the oldest first."""
        replies = await self.store.call("ZRANGEBYSCORE", self._key, now - DAYS * 86_400, "+inf")
        return [one for one in map(NOTICES.find, texts(replies)) if one is not None]

    async def told(self, notice: Notice) -> None:
        """Forget one."""
        await self.store.call("ZREM", self._key, NOTICES.dump(notice))
