"""The files that a thread has seen before somebody says "learn this" in it, whoever has dropped them."""

from __future__ import annotations

import logging
from typing import Final

from adapters.slack.client import Identity
from adapters.slack.events import Written, read_message
from adapters.slack.files import Files
from adapters.slack.people import People
from adapters.slack.sending_calls import Calls
from bot.errors import InvalidRequestError, NotFoundError, RefusedError, SettingsError
from bot.messages import FileReference

logger = logging.getLogger(__name__)

MOST_MESSAGES: Final = 100  # of a thread, its root first, among which files are looked for


class ThreadFiles:
    """Looks through threads.

    Args:
        calls: Makes the calls.
        identity: Who the bot is: what it has shown itself is nothing to learn.
        people: Tells strangers from members: what strangers share is not looked at.
        files: Describes files.
    """

    def __init__(self, calls: Calls, identity: Identity, people: People, files: Files) -> None:
        self._calls = calls
        self._identity = identity
        self._people = people
        self._files = files

    async def before(self, channel: str, thread: str, ts: str) -> tuple[FileReference, ...]:
        """Return the files of the last message in a thread that has any, up to a message of it.

        Args:
            channel: Id of the channel.
            thread: Time stamp of the thread's root.
            ts: Of the message.

        Raises:
            UnavailableError: If Slack has to be asked and does not answer.
        """
        try:
            reply = await self._calls.make("conversations.replies", channel=channel, ts=thread, limit=MOST_MESSAGES)
        except (NotFoundError, RefusedError, SettingsError) as error:
            # The command counts; who gave it is told that there is no file.
            logger.info("the files of a thread are not looked at: %s", error)
            return ()
        for message in reversed(reply.records("messages")):
            try:
                one = read_message(message, channel, self._identity)
            except InvalidRequestError:
                continue
            if one is None or not one.hosted or float(one.ts) > float(ts):
                continue
            # Only what was shared by a member, and in this very thread.
            if (await self._people.sender(one.user, one.team)).external:
                continue
            return await self._files.references(one.hosted, address(self._identity, one))
        return ()


def address(identity: Identity, written: Written) -> str:
    """Return where people see a message, as chat.getPermalink has it; "" where the workspace's address is unknown."""
    if not identity.url.startswith("https://"):
        return ""
    found = f"{identity.url.rstrip('/')}/archives/{written.channel}/p{written.ts.replace('.', '')}"
    return f"{found}?thread_ts={written.thread}&cid={written.channel}" if written.is_reply else found
