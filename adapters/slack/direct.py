"""Direct conversations with people."""

from __future__ import annotations

from typing import Final

from adapters.slack.errors import PERSON_GONE
from adapters.slack.interactions_payloads import part, slack_id
from adapters.slack.sending_calls import Calls
from bot.errors import NotFoundError

NO_CONVERSATION: Final = "Slack names no direct conversation with this person."


async def direct_channel(calls: Calls, user: str) -> str:
    """Return the id of the direct conversation with a person; Slack opens it if need be.

    Raises:
        NotFoundError: If there is no such person.
        BotError: As `SlackClient.call`.
    """
    if not slack_id({"user": user}, "user"):
        raise NotFoundError(PERSON_GONE)
    reply = await calls.make("conversations.open", users=user)
    channel = slack_id(part(reply.fields, "channel"), "id")
    if not channel:
        raise NotFoundError(NO_CONVERSATION)
    return channel
