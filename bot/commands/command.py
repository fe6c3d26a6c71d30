"""What a command is, what it is given and what it gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from bot.chat import ChatAdapter
from bot.messages import Audience, Place, Sender
from bot.replies import Attachment, Reply, Stage
from bot.requests import Request
from bot.store.client import Command as StoreCommand

CommandName = Literal[
    "help",
    "new",
    "forget",
    "export",
    "status",
    "scope",
    "sources",
    "stop",
    "learn",
    "keep",
    "discard",
    "files",
    "forget file",
    "digest",
    "tell",
    "tell not",
]
INTERRUPTIBLE: frozenset[CommandName] = frozenset({"learn", "keep", "digest"})


@dataclass(frozen=True, slots=True)
class Command:
    """A message that is no question.

    Attributes:
        name: What is to be done.
        confirmed: True for one that says that it means it.
        text: What follows the name, as it was typed, white space reduced: "subscribe daily 9:00" of a digest.
    """

    name: CommandName
    confirmed: bool = False
    text: str = ""

    @property
    def interruptible(self) -> bool:
        """True when it is cancelled as soon as its message is edited, deleted or stopped; others run to their end."""
        return self.name in INTERRUPTIBLE


async def _unseen(sentence: str) -> None:
    """Show progress to nobody."""


@dataclass(frozen=True, slots=True)
class CommandContext:
    """Where a command was typed, by whom, and the request that carries it.

    Attributes:
        place: Where.
        sender: By whom.
        request: Its message holds the files that came with it.
        show: Shows how far it is, in the message that will show its result.
        chat: The chat, to fetch files or to post; None where a command is answered beside the conversation.
    """

    place: Place
    sender: Sender
    request: Request
    show: Callable[[str], Awaitable[None]] = _unseen
    chat: ChatAdapter | None = None

    @property
    def direct(self) -> bool:
        """True where nobody else reads along."""
        return self.place.audience is Audience.DIRECT


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What is said, and the commands to be run in the transaction that finishes the request."""

    reply: Reply
    also: list[StoreCommand] = field(default_factory=list)


Handler = Callable[[CommandContext, Command], Awaitable[CommandResult]]


def say(sentence: str, *attachments: Attachment) -> Reply:
    """Return the reply of a command: final, and not the answer to a question."""
    return Reply(Stage.FINAL, sentence, answered=False, attachments=attachments)
