"""Tells administrators in a direct message what only they can mend: once each, also when a process dies."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from bot.chat import ChatAdapter
from bot.errors import BotError, UnavailableError
from bot.messages import Sender, digest
from bot.replies import Reply, Stage
from bot.store.client import Command
from bot.store.digest_notices import DigestNotices, Notice
from bot.store.leader import LostLeadershipError

logger = logging.getLogger(__name__)


class Right(Protocol):
    """The right to post, which another process may have taken over."""

    def check(self) -> None:
        """Raise LostLeadershipError where it is not held any more."""
        ...


class Administrators:
    """Those whom the settings name.

    Args:
        accounts: Who they are.
        notices: What they have not been told yet.
        chat: Returns the adapter of a chat, here or in another process.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        accounts: Sequence[Sender],
        notices: DigestNotices,
        chat: Callable[[str], ChatAdapter],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._accounts = tuple(accounts)
        self._notices = notices
        self._chat = chat
        self._clock = clock
        self._lock = asyncio.Lock()

    def noting(self, event: str, text: str, *, chat: str = "") -> list[Command]:
        """Return the commands that note what they are to be told.

        Args:
            event: What has happened; the same one is told once.
            text: The sentence.
            chat: Tell those of this chat alone; "" tells all.
        """
        notices = [
            Notice(digest("digest notice", event, one.chat, one.user), text, one.chat, one.user)
            for one in self._accounts
            if chat in ("", one.chat)
        ]
        return self._notices.noting(notices, self._clock())

    async def tell(self, right: Right) -> None:
        """Tell what waits; what a chat cannot take now waits further.

        Raises:
            LostLeadershipError: If another process has taken over.
            UnavailableError: If Redis is away.
        """
        async with self._lock:
            for notice in await self._notices.waiting(self._clock()):
                try:
                    await self._tell(notice, right)
                except LostLeadershipError:
                    raise
                except UnavailableError as error:
                    logger.info("an administrator is told later about digests: %s", error)
                    continue
                except BotError as error:
                    logger.warning("an administrator cannot be told about digests: %s", error)
                await self._notices.told(notice)

    async def _tell(self, notice: Notice, right: Right) -> None:
        chat = self._chat(notice.chat)
        place = await chat.direct(notice.user)
        if await chat.find(place, notice.key, answers="") is None:
            right.check()
            await chat.post(place, Reply(Stage.FINAL, notice.text, answered=False), key=notice.key, answers="")
