"""What a command is, what it is given and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bot.messages import Audience, Place, Sender
from bot.replies import Attachment, Reply, Stage
from bot.requests import Request
from bot.store.client import Command as StoreCommand

CommandName = Literal["help", "new", "forget", "export", "status", "scope", "sources", "stop"]


@dataclass(frozen=True, slots=True)
class Command:
    """A message that is no question; `confirmed` is True for one that says that it means it."""

    name: CommandName
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class CommandContext:
    """Where a command was typed, by whom, and the request that carries it."""

    place: Place
    sender: Sender
    request: Request

    @property
    def direct(self) -> bool:
        """True where nobody else reads along."""
        return self.place.audience is Audience.DIRECT


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What is said, and the commands to be run in the transaction that finishes the request."""

    reply: Reply
    also: list[StoreCommand] = field(default_factory=list)


def say(sentence: str, *attachments: Attachment) -> Reply:
    """Return the reply of a command: final, and not the answer to a question."""
    return Reply(Stage.FINAL, sentence, answered=False, attachments=attachments)
