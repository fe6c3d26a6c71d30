"""What Slack's Events API delivers, as values: one function per kind of event. Whatever arrives, nothing else is raised
than InvalidRequestError; what means nothing to the bot becomes None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from adapters.slack.client import Identity
from adapters.slack.events_files import SharedFile, read_files
from bot.errors import InvalidRequestError
from bot.texts import malformed_message

# Messages that people write; all others tell of joins, calls, canvases, reminders and other things.
SUBTYPES: Final = frozenset(("", "file_share", "thread_broadcast"))

_STAMP = re.compile(r"\d{1,12}\.\d{1,9}", re.ASCII)
_ID = re.compile(r"\w{1,100}", re.ASCII)

Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Written:
    """A message of a person.

    Attributes:
        channel: Id.
        ts: Its time stamp, which is its id in the channel.
        user: Who wrote it, or "" where Slack does not say so of a deleted message.
        text: In Slack's markup.
        thread: Root of its thread; its own time stamp where it is no reply.
        team: Workspace of the person, or "".
        version: When it was edited last, or "".
        channel_type: As Slack names it, or "".
        shared: Whether other organisations read the channel; None where Slack does not say.
        files: True where files came with it.
        hosted: Those of them that Slack keeps itself.
    """

    channel: str
    ts: str
    user: str
    text: str
    thread: str
    team: str = ""
    version: str = ""
    channel_type: str = ""
    shared: bool | None = None
    files: bool = False
    hosted: tuple[SharedFile, ...] = ()

    @property
    def is_reply(self) -> bool:
        """True for all messages of a thread but the first."""
        return self.thread != self.ts

    @property
    def direct(self) -> bool:
        """True in the conversation of the bot with one person."""
        return self.channel_type == "im" or self.channel.startswith("D")


@dataclass(frozen=True, slots=True)
class Edited:
    """A message was edited.

    Attributes:
        now: As it is.
        before: Its text as it was.
    """

    now: Written
    before: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """A message was deleted; `was` is as it was."""

    was: Written


@dataclass(frozen=True, slots=True)
class Stopped:
    """A person pressed Slack's own Stop in a thread."""

    channel: str
    thread: str
    user: str
    shared: bool | None = None


@dataclass(frozen=True, slots=True)
class Revoked:
    """Tokens were revoked or the app was removed: it is time to look whether ours is still valid."""


Event = Written | Edited | Deleted | Stopped | Revoked


def read_event(body: Fields, bot: Identity) -> Event | None:
    """Return what an event says, or None where it is nothing that the bot acts upon.

    Args:
        body: The payload, of type `event_callback`.
        bot: Who the bot is; what it did itself is nothing.

    Raises:
        InvalidRequestError: If an id that such an event always has is missing or malformed.
    """
    event = _record(body, "event")
    read = READERS.get(_text(event, "type"))
    return read(event, body, bot) if read is not None else None


def read_message(message: Fields, channel: str, bot: Identity) -> Written | None:
    """Return a message as a channel's history has it; None where it is not a person's.

    Raises:
        InvalidRequestError: If an id that it always has is missing or malformed.
    """
    return _written(message, {"channel": channel}, {}, bot)


def _read_message(event: Fields, body: Fields, bot: Identity) -> Event | None:
    kind = _text(event, "subtype")
    if kind == "message_changed":
        return _read_change(event, body, bot)
    if kind == "message_deleted":
        return _read_deletion(event, body, bot)
    return _written(event, event, body, bot)


def _read_change(event: Fields, body: Fields, bot: Identity) -> Event | None:
    now, before = _record(event, "message"), _record(event, "previous_message")
    if _text(now, "subtype") == "tombstone":  # what is left of a deleted message that has replies
        return _read_deletion({**event, "deleted_ts": _text(now, "ts")}, body, bot)
    written = _written(now, event, body, bot)
    # What Slack adds to a message, such as what is behind its links, is told as a change too.
    if written is None or _text(now, "text") == _text(before, "text"):
        return None
    return Edited(written, _text(before, "text"))


def _read_deletion(event: Fields, body: Fields, bot: Identity) -> Event | None:
    was = dict(_record(event, "previous_message"))
    if not was:
        return None
    was["ts"] = _text(event, "deleted_ts") or _text(was, "ts")
    written = _written(was, event, body, bot)
    return Deleted(written) if written is not None else None


def _written(message: Fields, event: Fields, body: Fields, bot: Identity) -> Written | None:
    """Return a message of a person; None for those of bots, of Slack, and without an author.

    Args:
        message: The message itself.
        event: What names its channel.
        body: The payload.
        bot: Who the bot is.
    """
    user = _text(message, "user")
    if not user or user == bot.user_id or user == "USLACKBOT" or _text(message, "subtype") not in SUBTYPES:
        return None
    if message.get("bot_id") or message.get("bot_profile"):
        return None
    ts = _stamp(message, "ts")
    return Written(
        channel=_id(event, "channel"),
        ts=ts,
        user=_id(message, "user"),
        text=_text(message, "text"),
        thread=_stamp(message, "thread_ts") if message.get("thread_ts") else ts,
        team=_text(message, "user_team") or _text(message, "team"),
        version=_text(_record(message, "edited"), "ts"),
        channel_type=_text(event, "channel_type"),
        shared=_shared(body),
        files=bool(message.get("files")),
        hosted=read_files(message),
    )


def _read_stop(event: Fields, body: Fields, bot: Identity) -> Event | None:
    return Stopped(_id(event, "channel"), _stamp(event, "thread_ts"), _id(event, "user"), _shared(body))


def _read_revocation(event: Fields, body: Fields, bot: Identity) -> Event | None:
    return Revoked()


# Every event that the manifest subscribes to stands here, or with the listeners of another module.
READERS: Final[Mapping[str, Callable[[Fields, Fields, Identity], Event | None]]] = MappingProxyType(
    {
        "message": _read_message,
        "app_mention": _read_message,
        "agent_session_stopped": _read_stop,
        "tokens_revoked": _read_revocation,
        "app_uninstalled": _read_revocation,
    }
)


def _shared(body: Fields) -> bool | None:
    value = body.get("is_ext_shared_channel")
    return value if isinstance(value, bool) else None


def _record(fields: Fields, name: str) -> Fields:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _id(fields: Fields, name: str) -> str:
    return _matched(_ID, fields, name)


def _stamp(fields: Fields, name: str) -> str:
    return _matched(_STAMP, fields, name)


def _matched(pattern: re.Pattern[str], fields: Fields, name: str) -> str:
    value = _text(fields, name)
    if not pattern.fullmatch(value):
        raise InvalidRequestError(malformed_message(name))
    return value
