"""What Slack shows behind the bot's name below a thread while it works."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from adapters.slack.errors import MissingScopeError, NoStreamsError
from adapters.slack.sending_calls import Calls
from adapters.slack.sending_values import Spot
from bot.errors import BotError

logger = logging.getLogger(__name__)

NO_STATUS_FOR_S: Final = 3600.0  # until it is tried again where Slack has refused
WORKING: Final = "is working on it …"  # where Slack shows no sentences of ours; it puts the bot's name before it
MOST_LOADING: Final = 10  # sentences that Slack shows in turn
MOST_CHARS: Final = 150  # of one of them


class Statuses:
    """Says below threads what the bot is doing; never worth an error.

    Args:
        calls: Makes the calls.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._refused_until = float("-inf")

    def available(self, spot: Spot) -> bool:
        """False outside of threads, and for an hour after Slack has refused."""
        return bool(spot.thread_ts) and self._calls.limits.now() >= self._refused_until

    async def show(self, spot: Spot, sentence: str, loading: Sequence[str] = ()) -> bool:
        """Say what is being done, until the bot posts there, at most two minutes; "" says nothing more.

        Args:
            spot: A thread.
            sentence: Such as "is reading 4,300 documents"; Slack puts the bot's name before it.
            loading: Whole sentences that are shown instead, in turn.

        Returns:
            True when it is shown.
        """
        if not self.available(spot):
            return False
        try:
            reply = await self._calls.draft(
                "assistant.threads.setStatus",
                channel_id=spot.channel,
                thread_ts=spot.thread_ts,
                status=sentence,
                loading_messages=[one[:MOST_CHARS] for one in loading[:MOST_LOADING]] or None,
            )
        except (MissingScopeError, NoStreamsError) as error:
            self._refused_until = self._calls.limits.now() + NO_STATUS_FOR_S
            logger.info("no status is shown for an hour: %s", error)
            return False
        except BotError as error:
            logger.debug("a status was not shown: %s", error)
            return False
        return reply is not None
