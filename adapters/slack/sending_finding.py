"""Finding messages that were posted and whose ids were lost, by the metadata they carry."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from typing import Final

from pydantic import JsonValue

from adapters.slack.sending_calls import Calls
from adapters.slack.sending_values import EVENT_TYPE, File, Spot
from bot.errors import NotFoundError

PAGE: Final = 200  # messages; Slack advises no more at a time
MOST_PAGES: Final = 10  # what is looked for was posted soon after its question

Message = Mapping[str, JsonValue]


class Finder:
    """Looks through what stands after a question.

    Args:
        calls: Makes the calls.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def by_key(self, spot: Spot, key: str, *, since: str) -> str | None:
        """Return the time stamp of the bot's message with this key, or None.

        Args:
            spot: Where it was posted.
            key: Of the message.
            since: Time stamp of a message that is older, such as the question.

        Raises:
            BotError: As `SlackClient.call`.
        """
        async for message in self._own(spot, since):
            if payload_of(message).get("key") == key:
                return _text(message, "ts")
        return None

    async def parts_of(self, spot: Spot, ts: str) -> dict[str, str]:
        """Return the further messages of the long answer that begins with the message `ts`: key to time stamp."""
        found: dict[str, str] = {}
        async for message in self._own(spot, ts):
            payload = payload_of(message)
            key = payload.get("key")
            if payload.get("part_of") == ts and isinstance(key, str):
                found[key] = _text(message, "ts")
        return found

    async def unmarked(self, spot: Spot, *, since: str, known: Collection[str]) -> str | None:
        """Return the newest empty message of the bot without metadata that is none of the known ones, or None.

        That is what a stream looks like whose begin was not answered.
        """
        found: str | None = None
        async for message in self._own(spot, since):
            ts = _text(message, "ts")
            bare = not message.get("metadata") and not message.get("files") and not _text(message, "text").strip()
            if bare and ts not in known and float(ts or 0) > float(found or 0):
                found = ts
        return found

    async def has_file(self, spot: Spot, file: File, *, since: str) -> bool:
        """True when the bot has shown a file of this name and size there since."""
        async for message in self._own(spot, since):
            files = message.get("files")
            for one in files if isinstance(files, list) else []:
                if isinstance(one, dict) and one.get("name") == file.name and one.get("size") == len(file.data):
                    return True
        return False

    async def _own(self, spot: Spot, since: str) -> AsyncIterator[Message]:
        """Yield the bot's messages at `since` and after it."""
        identity = await self._calls.client.identity()
        arguments: dict[str, JsonValue] = {"channel": spot.channel, "limit": PAGE, "include_all_metadata": True}
        if float(since or 0) > 0:  # else the newest come first: with a beginning Slack pages forward from there
            arguments |= {"oldest": since, "inclusive": True}
        if spot.thread_ts:
            arguments["ts"] = spot.thread_ts
        method = "conversations.replies" if spot.thread_ts else "conversations.history"
        for _ in range(MOST_PAGES):
            try:
                reply = await self._calls.make(method, **arguments)
            except NotFoundError:
                return  # the thread is gone, and what was posted there with it
            for message in reply.records("messages"):
                # Whatever Slack holds to be "oldest", the root of a thread is always among the messages.
                if identity.wrote(message) and float(_text(message, "ts") or 0) >= float(since or 0):
                    yield message
            if not reply.next_cursor:
                return
            arguments["cursor"] = reply.next_cursor


def payload_of(message: Message) -> Message:
    """Return what the metadata of a message of ours holds, or nothing."""
    metadata = message.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("event_type") != EVENT_TYPE:
        return {}
    payload = metadata.get("event_payload")
    return payload if isinstance(payload, dict) else {}


def _text(message: Message, name: str) -> str:
    value = message.get(name)
    return value if isinstance(value, str) else ""
