"""Calls of a chat as they travel between processes: JSON, their attachments in base 64, errors by their class."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
from dataclasses import dataclass
from typing import Literal

from bot import errors
from bot.errors import BotError, InvalidRequestError, StorageError, UnavailableError
from bot.messages import FileReference, IncomingMessage, Place, Sender
from bot.replies import Reply
from bot.store.records import Record

MAX_ATTACHED = 10 * 1024 * 1024  # bytes of all attachments of a reply
SMALL = 100_000  # characters that are read on the event loop; more are in a thread


@dataclass(frozen=True, slots=True)
class Presence:
    """Who is connected to a chat, and how often it bears an edit."""

    process_id: str
    draft_interval_s: float


@dataclass(frozen=True, slots=True)
class Call:
    """One call of `ChatAdapter`; `attached` holds the attachments' bytes in base 64, which `reply` then lacks."""

    method: Literal["post", "edit", "remove", "find", "fetch", "belongs", "direct", "ascertain"]
    place: Place
    reply: Reply | None = None
    post_id: str = ""
    key: str = ""
    answers: str = ""
    attached: tuple[str, ...] = ()
    file: FileReference | None = None
    max_bytes: int = 0
    sender: Sender | None = None
    group: str = ""
    user: str = ""
    message: IncomingMessage | None = None

    @property
    def reference(self) -> str:
        """Reference of the request it is about, as far as it is known; "" for digests and final answers."""
        return self.key if self.answers else self.reply.reference if self.reply is not None else ""

    @property
    def lane(self) -> tuple[str, str]:
        """What it is about: calls of one lane are done one after the other."""
        if self.file is not None:
            return (self.place.channel_id, f"file:{self.file.file_id}")
        if self.sender is not None:
            return (self.sender.person_id, f"group:{self.group}")
        if self.message is not None:
            return (self.place.channel_id, f"message:{self.message.message_id}")
        if self.user:
            return (self.place.channel_id, f"person:{self.user}")
        return (self.place.channel_id, self.post_id or f"key:{self.key}")


@dataclass(eq=False, slots=True)
class WaitingCall:
    """A call whose turn in its lane comes; `until` is on the loop's clock."""

    call_id: str
    call: Call
    until: float

    @property
    def draft(self) -> bool:
        """True when a newer edit of the same message makes it needless."""
        reply = self.call.reply
        return self.call.method == "edit" and reply is not None and not reply.final


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call: id of a post, file in base 64, yes or no, place, message, or the error by its class."""

    post_id: str | None = None
    data: str = ""
    belongs: bool = False
    place: Place | None = None
    certain: IncomingMessage | None = None
    error: str = ""
    message: str = ""
    retry_after_s: float | None = None


PRESENCES = Record(Presence)
CALLS = Record(Call)
OUTCOMES = Record(Outcome)


async def packed(call: Call) -> str:
    """Return a call as it is stored.

    Raises:
        InvalidRequestError: If its attachments are too large, or its text is none.
    """
    attachments = call.reply.attachments if call.reply is not None else ()
    if sum(len(attachment.data) for attachment in attachments) > MAX_ATTACHED:
        raise InvalidRequestError("The files of an answer are larger than 10 MB together: leave some out.")
    try:
        return await asyncio.to_thread(_pack, call) if attachments else _pack(call)
    except ValueError as error:  # of pydantic, for text that is no Unicode
        raise InvalidRequestError("A reply to a chat holds text that cannot be sent.") from error


async def unpacked(record: str) -> Call:
    """Return a call as it was made.

    Raises:
        StorageError: If it cannot be read.
    """
    return await asyncio.to_thread(_unpack, record) if len(record) > SMALL else _unpack(record)


def _pack(call: Call) -> str:
    if call.reply is not None and call.reply.attachments:
        attached = tuple(base64.b64encode(attachment.data).decode() for attachment in call.reply.attachments)
        bare = tuple(dataclasses.replace(attachment, data=b"") for attachment in call.reply.attachments)
        call = dataclasses.replace(call, reply=dataclasses.replace(call.reply, attachments=bare), attached=attached)
    return CALLS.dump(call)


def _unpack(record: str) -> Call:
    call = CALLS.load(record)
    if call.reply is None or not call.reply.attachments:
        return call
    try:
        attachments = tuple(
            dataclasses.replace(attachment, data=base64.b64decode(data))
            for attachment, data in zip(call.reply.attachments, call.attached, strict=True)
        )
    except ValueError as error:
        raise StorageError("A call of a chat in Redis is damaged and was left out.") from error
    return dataclasses.replace(call, reply=dataclasses.replace(call.reply, attachments=attachments), attached=())


def outcome_of(error: BotError) -> Outcome:
    """Return an error so that `error_of` makes the same of it: the class of bot/errors.py nearest to its own."""
    kind = next(base for base in type(error).__mro__ if getattr(errors, base.__name__, None) is base)
    return Outcome(error=kind.__name__, message=str(error), retry_after_s=getattr(error, "retry_after_s", None))


def error_of(outcome: Outcome) -> BotError:
    """Return the error that an outcome tells of."""
    kind = getattr(errors, outcome.error, None)
    if kind is UnavailableError:
        return UnavailableError(outcome.message, retry_after_s=outcome.retry_after_s)
    if isinstance(kind, type) and issubclass(kind, BotError):
        return kind(outcome.message)
    return BotError(outcome.message)
