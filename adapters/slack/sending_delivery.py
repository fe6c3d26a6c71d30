"""Single messages: posted once, edited and deleted, in the plainest way that Slack takes."""

from __future__ import annotations

import logging

from pydantic import JsonValue

from adapters.slack.client import SlackReply
from adapters.slack.errors import ContentError, OutcomeUnknownError, StreamOpenError
from adapters.slack.looks import Looks
from adapters.slack.sending_calls import Calls
from adapters.slack.sending_finding import Finder
from adapters.slack.sending_values import Payload, Spot, metadata, ways
from adapters.slack.streams import stop
from bot.errors import NotFoundError

logger = logging.getLogger(__name__)


class Delivery:
    """Posts, edits and deletes; its methods raise as `SlackClient.call`.

    Args:
        calls: Makes the calls.
        finder: Looks for what was posted.
        looks: Told what Slack refuses.
    """

    def __init__(self, calls: Calls, finder: Finder, looks: Looks) -> None:
        self._looks = looks
        self._calls = calls
        self._finder = finder

    async def post(self, spot: Spot, payload: Payload, key: str, *, since: str, part_of: str = "") -> tuple[str, bool]:
        """Post a message; returns its time stamp, and whether it had been posted and was only found."""
        try:
            reply = await self.in_some_way(
                "chat.postMessage", payload, **spot.arguments, metadata=metadata(key, part_of=part_of)
            )
        except OutcomeUnknownError:
            found = await self._finder.by_key(spot, key, since=since)
            if found is None:
                raise
            return found, True
        return reply.text("ts"), False

    async def edit(self, spot: Spot, ts: str, payload: Payload) -> None:
        """Show something else in a message; one that is still streamed stops being so."""
        try:
            await self.in_some_way("chat.update", payload, channel=spot.channel, ts=ts)
        except StreamOpenError:
            # Begun by a process that is gone, or its end was not heard.
            await stop(self._calls, spot, ts)
            await self.in_some_way("chat.update", payload, channel=spot.channel, ts=ts)

    async def delete(self, spot: Spot, ts: str) -> None:
        """Delete a message; one that is gone is no error."""
        try:
            await self._calls.make("chat.delete", channel=spot.channel, ts=ts)
        except NotFoundError:
            return
        except StreamOpenError:
            await stop(self._calls, spot, ts)
            await self._calls.make("chat.delete", channel=spot.channel, ts=ts)

    async def in_some_way(self, method: str, payload: Payload, **arguments: JsonValue) -> SlackReply:
        """Make a call with the content as it should be, else more simply: nothing is kept back for its looks.

        Raises:
            ContentError: If Slack takes it in no way.
        """
        refused: ContentError | None = None
        for content in ways(payload):
            try:
                return await self._calls.make(method, **arguments, **content)
            except ContentError as error:
                logger.warning(
                    "Slack does not take a message as it is, a simpler one follows", extra={"method": method}
                )
                refused = error
                self._looks.refused(content)
        raise refused or ContentError("There is nothing to show.")
