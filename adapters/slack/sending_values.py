"""What is sent to Slack, and where."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from pydantic import JsonValue

TEXT_CHARS: Final = 4000  # Slack's limit for `text` of an edit; of a post it is ten times that
MARKDOWN_CHARS: Final = 12_000  # Slack's limit for `markdown_text`
EVENT_TYPE: Final = "locus_answer"  # of the metadata by which a message is found again


class Shown(StrEnum):
    """What became of a draft."""

    SHOWN = "shown"
    LEFT_OUT = "left out"  # it was not its turn; the next draft holds its text
    STOPPED = "stopped"  # a person pressed Slack's Stop: nobody wants the rest


@dataclass(frozen=True, slots=True)
class Spot:
    """Where messages go.

    Attributes:
        channel: Id of a channel, group or direct conversation.
        thread_ts: Root of the thread, or "" for the channel itself.
    """

    channel: str
    thread_ts: str = ""

    @property
    def direct(self) -> bool:
        """True for the conversation of the bot with one person; Slack's ids say so by their first letter."""
        return self.channel.startswith("D")

    @property
    def arguments(self) -> dict[str, JsonValue]:
        """As the methods that post take it."""
        return {"channel": self.channel, "thread_ts": self.thread_ts or None}


class Payload(Protocol):
    """The content of one message, as the renderer makes it."""

    def arguments(self) -> dict[str, JsonValue]:
        """Return what the methods that post and edit take: the content, and everything that Slack may not add to it."""
        ...

    def plain(self, limit: int) -> str:
        """Return the content as mrkdwn of at most `limit` characters, for `text` alone."""
        ...

    def markdown(self, limit: int) -> str:
        """Return the content as standard Markdown of at most `limit` characters, for `markdown_text`."""
        ...


def ways(payload: Payload) -> Iterator[dict[str, JsonValue]]:
    """Yield the arguments of a message as it should be, then simpler ones for when Slack does not take the blocks.

    The text alone where all of it fits, else all of it as Markdown, and as the last way out what of the text fits.
    """
    arguments = payload.arguments()
    yield arguments
    others = {name: value for name, value in arguments.items() if name not in ("text", "blocks", "markdown_text")}
    text = payload.plain(TEXT_CHARS)
    # Blocks that are not named in an edit stay as they are, and the text would be shown to nobody.
    only_text: dict[str, JsonValue] = {"text": text, "blocks": [], **others}
    if len(payload.plain(MARKDOWN_CHARS)) > len(text):
        yield {"markdown_text": payload.markdown(MARKDOWN_CHARS), **others}
    yield only_text


def digest(payload: Payload) -> str:
    """Return letters that are the same for the same content."""
    packed = json.dumps(payload.arguments(), sort_keys=True).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(packed, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Recipient:
    """The person for whom an answer is streamed; Slack wants to know in channels.

    Attributes:
        team_id: Workspace of the person.
        user_id: The person.
    """

    team_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class File:
    """A file to be uploaded.

    Attributes:
        name: With its ending.
        data: Its content.
        title: Shown above it, or "" for the name.
        alt: What a picture shows, for those who cannot see it; at most 1,000 characters.
        comment: Mrkdwn that stands beside it, or "".
    """

    name: str
    data: bytes
    title: str = ""
    alt: str = ""
    comment: str = ""


def metadata(key: str, *, part_of: str = "") -> dict[str, JsonValue]:
    """Return the metadata of a message.

    Args:
        key: By which it is found again.
        part_of: Of a further message of a long answer: the time stamp of its first.
    """
    payload: dict[str, JsonValue] = {"key": key}
    if part_of:
        payload["part_of"] = part_of
    return {"event_type": EVENT_TYPE, "event_payload": payload}
