"""Who asked a question: Slack wants to know for whom an answer is streamed in a channel."""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from typing import Final

from adapters.slack.sending_calls import Calls
from adapters.slack.sending_values import Recipient, Spot
from bot.errors import BotError

logger = logging.getLogger(__name__)

MOST: Final = 5000
_STAMP = re.compile(r"\d{1,12}\.\d{1,9}", re.ASCII)


class Askers:
    """Remembers who wrote which message, and reads it where another process has accepted it.

    Args:
        calls: Makes the calls.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._known: OrderedDict[tuple[str, str], Recipient] = OrderedDict()

    def note(self, channel: str, ts: str, recipient: Recipient) -> None:
        """Remember who wrote a message."""
        self._known[channel, ts] = recipient
        self._known.move_to_end((channel, ts))
        while len(self._known) > MOST:
            self._known.popitem(last=False)

    async def of(self, spot: Spot, message_id: str) -> Recipient | None:
        """Return who wrote a message, or None where that cannot be found out; then an answer is not streamed."""
        known = self._known.get((spot.channel, message_id))
        if known is not None or spot.direct or not is_stamp(message_id):
            return known
        try:
            identity = await self._calls.client.identity()
            reply = await self._calls.make(
                "conversations.replies",
                channel=spot.channel,
                ts=spot.thread_ts or message_id,
                oldest=message_id,
                latest=message_id,
                inclusive=True,
                limit=2,
            )
        except BotError as error:
            logger.info("for whom an answer is could not be read: %s", error)
            return None
        for message in reply.records("messages"):
            user, team = message.get("user"), message.get("user_team") or message.get("team") or identity.team_id
            asked = message.get("ts") == message_id and user != identity.user_id
            if asked and isinstance(user, str) and isinstance(team, str):
                self.note(spot.channel, message_id, Recipient(team, user))
        return self._known.get((spot.channel, message_id))


def is_stamp(message_id: str) -> bool:
    """True for the id of a message of Slack's; a question that was asked anew by a button has another kind of id."""
    return _STAMP.fullmatch(message_id) is not None
