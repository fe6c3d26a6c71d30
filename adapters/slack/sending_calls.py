"""Calls within the limits: one for what has to arrive, which waits, and one for drafts, which does not."""

from __future__ import annotations

import logging

from pydantic import JsonValue

from adapters.slack.client import SlackClient, SlackReply
from adapters.slack.errors import RateLimitedError
from adapters.slack.limits import LONGEST_WAIT_S, Limits

logger = logging.getLogger(__name__)


class Calls:
    """Makes calls in turn.

    Args:
        client: Makes them.
        limits: Shared by everything that calls for the same app from this process.

    Attributes:
        client: As given.
        limits: As given.
    """

    def __init__(self, client: SlackClient, limits: Limits) -> None:
        self.client = client
        self.limits = limits

    async def make(self, method: str, **arguments: JsonValue) -> SlackReply:
        """Make a call that has to arrive: wait for its turn, and again whenever Slack answers 429.

        A 429 means that nothing was done, so this posts nothing twice. Raises as `SlackClient.call`.
        """
        channel = _channel(arguments)
        until = self.limits.now() + LONGEST_WAIT_S
        while True:
            await self.limits.turn(method, channel=channel, longest_s=max(0.0, until - self.limits.now()))
            try:
                return await self.client.call(method, **arguments)
            except RateLimitedError as error:
                self._limited(method, channel, error)
                if self.limits.now() + (error.retry_after_s or 0.0) > until:
                    raise

    async def unhurried(self, method: str, **arguments: JsonValue) -> SlackReply:
        """Make a call that nobody waits for, so that no other one has to wait for it. Raises as `SlackClient.call`."""
        while True:
            await self.limits.spare(method)
            try:
                return await self.client.call(method, **arguments)
            except RateLimitedError as error:
                self._limited(method, "", error)

    async def draft(self, method: str, *, message: str = "", **arguments: JsonValue) -> SlackReply | None:
        """Make a call for a draft of `message` if it is its turn now; None where it was left out or limited.

        Without a message it is something that is done once or not at all. Raises as `SlackClient.call`, but not
        RateLimitedError.
        """
        channel = _channel(arguments)
        if not self.limits.draft(method, message=message, channel=channel):
            return None
        try:
            return await self.client.call(method, **arguments)
        except RateLimitedError as error:
            self._limited(method, channel, error)
            return None

    def _limited(self, method: str, channel: str, error: RateLimitedError) -> None:
        self.limits.limited(method, channel=channel, retry_after_s=error.retry_after_s)
        logger.info("Slack limits calls", extra={"method": method, "retry_after_s": error.retry_after_s})


def _channel(arguments: dict[str, JsonValue]) -> str:
    channel = arguments.get("channel")
    return channel if isinstance(channel, str) else ""
