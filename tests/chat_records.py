"""What the scripted chat server delivers, shows and records: values that are JSON between its process and the tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from pydantic import TypeAdapter

from bot.messages import Audience, Place, request_id
from bot.replies import Stage

T = TypeVar("T")


class EventKind(StrEnum):
    """What a person did."""

    MESSAGE = "message"
    EDIT = "edit"
    DELETE = "delete"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class ChatEvent:
    """Something a person did in the chat; the fields are those of `bot.messages`.

    Attributes:
        kind: What.
        channel: Where.
        message_id: The message that was written, edited, deleted, or whose answer is to stop; "" stops all that the
            person waits for in the conversation.
        user: Who.
        text: The message's text, for a message or an edit.
        thread: Root of the thread, or "".
        order: Position in the conversation.
        version: Grows with each edit.
        audience: Who can read the channel.
        chat: Name of the adapter.
        workspace: As in `Place`.
    """

    kind: EventKind
    channel: str
    message_id: str
    user: str
    text: str = ""
    thread: str = ""
    order: float = 0.0
    version: str = ""
    audience: Audience = Audience.PRIVATE
    chat: str = "scripted"
    workspace: str = ""

    @property
    def conversation(self) -> tuple[str, str]:
        """Channel and thread."""
        return self.channel, self.thread

    @property
    def reference(self) -> str:
        """Handle of the request that the message makes."""
        return request_id(Place(self.chat, self.workspace, self.channel, self.thread), self.message_id)


@dataclass(slots=True)
class EventRecord:
    """An event and what became of it; times are seconds of the server's own clock.

    Attributes:
        event_id: Given by the server; what an adapter acknowledges.
        event: What happened.
        sent_at: When the person did it.
        deliveries: When it was sent to an adapter.
        acknowledged: When an adapter said that it was received.
        given_up: True once the chat delivers it no more, though nobody said so.
        missed: Why it was not acknowledged, for each delivery that was not and of which the server knows it.
    """

    event_id: str
    event: ChatEvent
    sent_at: float
    deliveries: list[float] = field(default_factory=list)
    acknowledged: list[float] = field(default_factory=list)
    given_up: bool = False
    missed: list[str] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        """True when it needs not to be delivered any more."""
        return bool(self.acknowledged) or self.given_up


@dataclass(frozen=True, slots=True)
class Body:
    """What a message of the bot shows; the fields are those of `bot.replies.Reply`, of citations the numbers."""

    stage: Stage
    text: str
    citations: tuple[int, ...] = ()
    answered: bool = True
    note: str = ""
    reference: str = ""
    handle: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """How a message looked from a time on."""

    at: float
    body: Body


@dataclass(slots=True)
class Post:
    """A message of the bot with all its versions.

    Attributes:
        post_id: Given by the server.
        channel: Where it stands.
        thread: Likewise.
        key: Metadata by which it can be found.
        answers: The message it answers.
        versions: As posted and edited, oldest first.
        removed_at: When it was deleted, or None while it is visible.
    """

    post_id: str
    channel: str
    thread: str
    key: str
    answers: str
    versions: list[Version]
    removed_at: float | None = None

    @property
    def body(self) -> Body:
        """How it looks now, or looked last."""
        return self.versions[-1].body

    @property
    def visible(self) -> bool:
        """True unless it was deleted."""
        return self.removed_at is None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the server has recorded, and how many adapters are connected now."""

    events: list[EventRecord]
    posts: list[Post]
    adapters: int = 0


@dataclass(frozen=True, slots=True)
class Faults:
    """How the server misbehaves; shares are 0 to 1.

    Attributes:
        twice: Share of events that are delivered a second time though they were acknowledged.
        twice_within_s: Longest time before that second delivery.
        reordered: Share of events that are held back until the next one of their conversation was delivered.
        held_s: Longest time one is held back.
        lost: Share of calls that take effect and get no response.
        failed: Share of calls that are answered with status 500 and do nothing.
        away_s: From now on for so long, every call is.
        limited_s: From now on for so long, every call is answered with status 429 and Retry-After.
        slow_s: Longest time a call takes.
        refused: Channels where the bot may not write.
        redeliver_s: An event that was not acknowledged for so long is delivered again.
    """

    twice: float = 0.0
    twice_within_s: float = 1.0
    reordered: float = 0.0
    held_s: float = 0.5
    lost: float = 0.0
    failed: float = 0.0
    away_s: float = 0.0
    limited_s: float = 0.0
    slow_s: float = 0.0
    refused: tuple[str, ...] = ()
    redeliver_s: float = 2.0


# The library marks it as final; nothing of its inside is relied on here.
class Json(TypeAdapter[T]):  # type: ignore[misc]
    """Reads and writes values of one type as JSON."""

    def dump(self, value: T) -> str:
        """Return the JSON text."""
        return self.dump_json(value).decode()

    def load(self, text: str | bytes) -> T:
        """Return the value; raises ValueError if it is none."""
        return self.validate_json(text)


EVENT: Json[ChatEvent] = Json(ChatEvent)
EVENTS: Json[list[ChatEvent]] = Json(list[ChatEvent])
BODY: Json[Body] = Json(Body)
SNAPSHOT: Json[Snapshot] = Json(Snapshot)
FAULTS: Json[Faults] = Json(Faults)
