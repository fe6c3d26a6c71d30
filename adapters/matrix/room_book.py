"""What Locus has to remember of rooms over a restart, in one file of the data folder.

A room that was upgraded goes on as the channel that it was: the core knows it by the id of its first room, so that
documents, conversations and digests stay with it, and only this book knows which room that is now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from copy import copy
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from adapters.matrix.private_files import read_private, write_private
from bot.chat import Vote
from bot.errors import StorageError

MOST_INVITATIONS: Final = 500
MOST_WAITING: Final = 500
MOST_TOLD: Final = 5000
MOST_VOTES: Final = 2000


@dataclass(frozen=True, slots=True)
class Invitation:
    """One that is not answered yet.

    Attributes:
        by: Who invites.
        direct: True for a conversation of two.
    """

    by: str
    direct: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message whose key is missing."""

    room: str
    event_id: str
    user: str
    thread: str
    position: int
    session: str = ""


@dataclass(frozen=True, slots=True)
class Voted:
    """A reaction that counted as an opinion; when it is withdrawn, nobody says any more what it was.

    Attributes:
        room: Where.
        handle: Of the answer.
        root: Of its thread.
        vote: What was said.
    """

    room: str
    handle: str
    root: str
    vote: Vote


@dataclass(slots=True)
class _Content:
    channels: dict[str, str] = field(default_factory=dict)
    expected: dict[str, str] = field(default_factory=dict)
    invitations: dict[str, Invitation] = field(default_factory=dict)
    greet: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    votes: dict[str, Voted] = field(default_factory=dict)


_CONTENT: Final = TypeAdapter(_Content)


class RoomBook:
    """The book; changes are kept in memory until `save`.

    Args:
        path: Its file.

    Attributes:
        expected: Rooms that replace others and cannot be joined yet, with those that they replace.
        invitations: By room.
        greet: Rooms that were joined and not greeted yet, with who invited.
        waiting: Messages whose keys are missing, by event.
        votes: Reactions that counted as opinions, by event.
        told: Who was told, and where, that their messages cannot be read: see `tell_once`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content = _Content()
        self._rooms: dict[str, str] = {}
        self._saved = _copied(self._content)
        self._saving = asyncio.Lock()

    async def load(self) -> None:
        """Read the file; without one the book is empty.

        Raises:
            StorageError: If it is damaged.
        """
        content = await asyncio.to_thread(read_private, self._path)
        if content is None:
            return
        try:
            self._content = _CONTENT.validate_python(content)
        except ValidationError as error:
            raise StorageError(
                f"{self._path} is damaged: restore it from a backup, or delete it; rooms that were upgraded then count "
                "as new ones."
            ) from error
        self._rooms = {channel: room for room, channel in self._content.channels.items()}
        self._saved = _copied(self._content)

    async def save(self) -> None:
        """Write what has changed."""
        async with self._saving:
            now = _copied(self._content)
            if now != self._saved:
                await asyncio.to_thread(self._write, now)
                self._saved = now

    def _write(self, content: _Content) -> None:
        write_private(self._path, asdict(content))

    def channel(self, room_id: str) -> str:
        """Return the id by which the core knows a room."""
        return self._content.channels.get(room_id, room_id)

    def room(self, channel: str) -> str:
        """Return the room that a channel is now."""
        return self._rooms.get(channel, channel)

    def move(self, old: str, new: str) -> None:
        """Let the channel of one room go on in another."""
        channel = self.channel(old)
        self._content.channels = {room: known for room, known in self._content.channels.items() if known != channel}
        self._content.channels[new] = channel
        self._rooms[channel] = new
        self._content.expected.pop(new, None)

    def expect(self, old: str, new: str) -> None:
        """Note that a room is replaced by one that Locus cannot join yet."""
        self._content.expected = {room: known for room, known in self._content.expected.items() if known != old}
        self._content.expected[new] = old

    @property
    def expected(self) -> Mapping[str, str]:
        return self._content.expected

    @property
    def invitations(self) -> Mapping[str, Invitation]:
        return self._content.invitations

    def invited(self, room_id: str, invitation: Invitation) -> bool:
        """Note an invitation; False when there are too many."""
        if room_id not in self._content.invitations and len(self._content.invitations) >= MOST_INVITATIONS:
            return False
        self._content.invitations[room_id] = invitation
        return True

    def joining(self, room_id: str) -> bool:
        """True where an invitation is about to be accepted, or the room was joined and is not known yet."""
        return room_id in self._content.invitations or room_id in self._content.greet

    def answered(self, room_id: str) -> None:
        """Note that an invitation is accepted, declined or taken back."""
        self._content.invitations.pop(room_id, None)

    @property
    def greet(self) -> dict[str, str]:
        return self._content.greet

    @property
    def waiting(self) -> dict[str, Waiting]:
        return self._content.waiting

    def wait_for(self, message: Waiting) -> None:
        """Note a message whose key is missing; the oldest goes where there are too many."""
        self._content.waiting[message.event_id] = message
        while len(self._content.waiting) > MOST_WAITING:
            del self._content.waiting[next(iter(self._content.waiting))]

    @property
    def votes(self) -> dict[str, Voted]:
        return self._content.votes

    def note_vote(self, reaction: str, voted: Voted) -> None:
        """Note what a reaction said; the oldest goes where there are too many."""
        self._content.votes[reaction] = voted
        while len(self._content.votes) > MOST_VOTES:
            del self._content.votes[next(iter(self._content.votes))]

    def tell_once(self, *about: str) -> bool:
        """Return True the first time somebody is to be told something."""
        name = " ".join(about)
        if name in self._content.told:
            return False
        self._content.told = [*self._content.told, name][-MOST_TOLD:]
        return True


def _copied(content: _Content) -> _Content:
    """Return a copy that stays as it is; what the collections hold is frozen."""
    return _Content(**{one.name: copy(getattr(content, one.name)) for one in fields(content)})
