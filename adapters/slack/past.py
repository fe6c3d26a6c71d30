"""What stands in the channels of a workspace: read page by page, so slowly that nobody waits for it."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Final

from pydantic import JsonValue

from adapters.slack.client import SlackReply
from adapters.slack.sending_calls import Calls
from bot.errors import NotFoundError, RefusedError, SettingsError, UnavailableError

logger = logging.getLogger(__name__)

PAGE: Final = 200  # Slack advises no more at a time
MOST_PAGES: Final = 25  # of one channel or thread
ATTEMPTS: Final = 4
FIRST_PAUSE_S: Final = 2.0  # before the second attempt; twice as long before each further one
KINDS: Final = ("im", "mpim", "private_channel", "public_channel")

Message = Mapping[str, JsonValue]


class Past:
    """Reads. All methods raise UnavailableError where Slack does not answer even when it is asked again.

    Args:
        calls: Makes the calls.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def channels(self) -> list[str]:
        """Return the ids of the conversations that the bot is in, direct ones first; those that its scopes allow.

        Each kind is asked for alone: where a scope is missing Slack refuses the others with it.
        """
        found: list[str] = []
        for kind in KINDS:
            arguments: dict[str, JsonValue] = {"types": kind, "exclude_archived": True, "limit": PAGE}
            async for reply in self._pages("users.conversations", arguments):
                ids = (one.get("id") for one in reply.records("channels"))
                found += [one for one in ids if isinstance(one, str)]
        return found

    async def history(self, channel: str) -> AsyncGenerator[list[Message]]:
        """Yield the messages of a channel outside of its threads in pages, newest first.

        No beginning is given: with one, Slack pages from there on. And the newest page is worth reading to its end: its
        threads say when they were answered last, also those that begin before the time that is looked at.
        """
        async for reply in self._pages("conversations.history", {"channel": channel, "limit": PAGE}):
            yield [*reply.records("messages")]

    async def thread(self, channel: str, root: str, *, since: str = "", until: str = "") -> list[Message]:
        """Return the messages of a thread between two time stamps, both included, and its root; oldest first.

        Args:
            channel: Id of the channel.
            root: Time stamp of the message that the thread begins with.
            since: Time stamp; "" for the whole beginning.
            until: Time stamp; "" for the whole end.
        """
        arguments: dict[str, JsonValue] = {"channel": channel, "ts": root, "limit": PAGE, "include_all_metadata": True}
        arguments |= {"oldest": since or None, "latest": until or None, "inclusive": True}
        found: dict[str, Message] = {}
        async for reply in self._pages("conversations.replies", arguments):
            found |= {str(message.get("ts", "")): message for message in reply.records("messages")}
        return [found[ts] for ts in sorted(found, key=seconds_of)]

    async def _pages(self, method: str, arguments: Mapping[str, JsonValue]) -> AsyncGenerator[SlackReply]:
        """Yield the pages of an answer; none where Slack refuses for good, which the log says."""
        cursor = ""
        for _ in range(MOST_PAGES):
            try:
                reply = await self._page(method, {**arguments, "cursor": cursor or None})
            except (SettingsError, RefusedError, NotFoundError) as error:
                where = str(arguments.get("channel") or arguments.get("types"))
                logger.warning("what was missed in %s is not looked at: %s", where, error)
                return
            yield reply
            cursor = reply.next_cursor
            if not cursor:
                return

    async def _page(self, method: str, arguments: Mapping[str, JsonValue]) -> SlackReply:
        pause_s = FIRST_PAUSE_S
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._calls.unhurried(method, **arguments)
            except UnavailableError as error:
                await self._calls.limits.pause(max(pause_s, error.retry_after_s or 0.0))
                pause_s *= 2
        return await self._calls.unhurried(method, **arguments)


def seconds_of(ts: object) -> float:
    """Return a time stamp of Slack as seconds since 1970; 0 for what is none."""
    try:
        return float(ts) if isinstance(ts, str) else 0.0
    except ValueError:
        return 0.0
