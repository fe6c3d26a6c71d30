"""The chat of a soak: people act in it, it misbehaves, and it says what they have seen.

A chat translates the plan's events into what its people do there, and its own records into those of
`tests.chat_records`, which the checker reads; everything else of a soak is the same for all chats.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import ClassVar, Self

from tests.chat_records import ChatEvent, EventKind, Snapshot
from tests.soak.plan import Planned

AWAY_S = 1.5  # that a chat fails now and then


class Chat(ABC):
    """One chat in a process of its own, which outlives the replicas; an asynchronous context manager.

    A call that is refused because people could not do it as things are (such as editing a deleted message) does
    nothing and leaves no record.
    """

    name: ClassVar[str]

    async def act(self, event: ChatEvent) -> None:
        """Let a person do what was planned."""
        match event.kind:
            case EventKind.MESSAGE:
                await self.say(event)
            case EventKind.EDIT:
                await self.edit(event)
            case EventKind.DELETE:
                await self.delete(event)
            case EventKind.STOP:
                await self.stop(event)

    @property
    @abstractmethod
    def arguments(self) -> Sequence[str]:
        """Of `tests.soak.replica`."""

    def roles(self, replica: int) -> str:
        """Return what a replica does, by its number from 0: names of `bot.service.Role`, or "" for all of it."""
        return ""

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, str]:
        """Of the replicas, by which they find the chat."""

    @abstractmethod
    async def prepare(self, plan: Sequence[Planned]) -> None:
        """Make the people and places that a plan needs."""

    async def begun(self) -> bool:
        """True as soon as what people do will be seen, whatever dies from then on."""
        return True

    @abstractmethod
    async def misbehave(self) -> None:
        """Begin to lose, delay, repeat and refuse by chance."""

    @abstractmethod
    async def fail(self, number: int) -> None:
        """Fail altogether for a while; `number` counts the times, each of which may be of another kind."""

    @abstractmethod
    async def say(self, event: ChatEvent) -> None:
        """Write a message for the bot."""

    @abstractmethod
    async def edit(self, event: ChatEvent) -> None:
        """Change the text of a message."""

    @abstractmethod
    async def delete(self, event: ChatEvent) -> None:
        """Delete a message."""

    @abstractmethod
    async def stop(self, event: ChatEvent) -> None:
        """Stop the answer to a message, as people do here."""

    @abstractmethod
    async def snapshot(self) -> Snapshot:
        """Return everything that people did and saw; times are of `time.monotonic()`."""

    async def bears_a_kill(self) -> bool:
        """True when a replica may be killed: a chat that gives up what nobody takes needs another one connected."""
        return True

    async def particulars(self) -> Sequence[tuple[str, str]]:
        """Return what else has happened there, as lines of the table: names and values."""
        return ()

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Start it."""

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
