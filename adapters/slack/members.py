"""Who is in which channel, as Slack says, remembered for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from adapters.slack.lookups import Lookup
from adapters.slack.sending_calls import Calls
from bot.errors import NotFoundError, RefusedError, SettingsError

logger = logging.getLogger(__name__)

LIFETIME_S: Final = 300.0
MOST_CHANNELS: Final = 200
PAGE: Final = 1000  # people; Slack allows no more at a time
MOST_PAGES: Final = 5  # of one channel; who is not among these counts as outside


class Members:
    """The members of channels.

    Args:
        calls: Makes the calls.
        clock: Seconds that only grow.
    """

    def __init__(self, calls: Calls, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls = calls
        self._known = Lookup(self._fetch, lifetime_s=LIFETIME_S, most=MOST_CHANNELS, clock=clock)

    async def holds(self, channel: str, user: str) -> bool:
        """Return whether a person is in a channel; False where Slack does not say.

        Raises:
            UnavailableError: If Slack is away.
        """
        try:
            return user in await self._known.get(channel)
        except SettingsError as error:
            logger.warning("who is in a channel is not known: %s", error)
            return False

    async def _fetch(self, channel: str) -> frozenset[str]:
        found: set[str] = set()
        cursor = ""
        for _ in range(MOST_PAGES):
            try:
                reply = await self._calls.make(
                    "conversations.members", channel=channel, limit=PAGE, cursor=cursor or None
                )
            except (NotFoundError, RefusedError):
                return frozenset()  # the bot is no member any more
            listed = reply.fields.get("members")
            found |= {one for one in listed if isinstance(one, str)} if isinstance(listed, list) else set()
            cursor = reply.next_cursor
            if not cursor:
                break
        return frozenset(found)
