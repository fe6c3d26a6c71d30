"""What can happen in Matrix, as values, and who the bot is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adapters.matrix.mentions import NO_MENTIONS, Mentions
from bot.messages import FileReference

Meaning = Literal["up", "down", "stop", "again", "passages"]
Membership = Literal["invite", "join", "leave", "ban", "knock"]


@dataclass(frozen=True, slots=True)
class Bot:
    """Who the bot is, and whom it does not hear.

    Attributes:
        user_id: Its own.
        names: What people may call it beside that: its display name, for one.
        ignored: User ids of other bots.
        prefix: With which commands begin, such as "!locus"; "" for none.
    """

    user_id: str
    names: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    prefix: str = "!locus"

    def hears(self, user: str) -> bool:
        """False for itself, for bots it was told of, and for ghosts: accounts that bridges make for people elsewhere.

        Ghosts are known by their underscore. Source: application service specification, "Registration".
        """
        return bool(user) and user != self.user_id and user not in self.ignored and not user.startswith("@_")


@dataclass(frozen=True, slots=True)
class Written:
    """A message of a person.

    Attributes:
        room: Id.
        event_id: Its own.
        user: Who wrote it.
        body: As delivered; of a file what was written below it, or "".
        html: `formatted_body` as delivered, only to see in what order people are named; or "".
        thread: Root of its thread; its own id where it is in none.
        replies_to: The message it answers as a reply outside of threads, or "".
        mentions: Whom it calls.
        position: Of the event among all that were delivered.
        file: What was sent, where it is a file.
        encrypted: True where it came encrypted.
    """

    room: str
    event_id: str
    user: str
    body: str
    html: str = ""
    thread: str = ""
    replies_to: str = ""
    mentions: Mentions = NO_MENTIONS
    position: int = 0
    file: FileReference | None = None
    encrypted: bool = False

    @property
    def is_reply(self) -> bool:
        """True for all messages of a thread but the first."""
        return self.thread != self.event_id


@dataclass(frozen=True, slots=True)
class Edited:
    """A message is said to be edited. Servers take edits of anybody: compare `now.user` with who wrote the original.

    Attributes:
        now: As it is to be; `event_id` is that of the original, and `thread` too, since an edit does not tell it.
        edit_id: Id of the edit itself.
    """

    now: Written
    edit_id: str

    @property
    def version(self) -> str:
        """Grows with each edit of a message, by the order of delivery."""
        return str(self.now.position)

    def is_of(self, original: Written) -> bool:
        """True where it may replace a message: of the same person in the same room, and text for text."""
        now = self.now
        same = (now.room, now.event_id, now.user) == (original.room, original.event_id, original.user)
        return same and (now.file is None) == (original.file is None)


@dataclass(frozen=True, slots=True)
class Redacted:
    """An event was withdrawn by somebody who may: a message, or a reaction."""

    room: str
    event_id: str
    by: str


@dataclass(frozen=True, slots=True)
class Reacted:
    """Somebody reacted to an event with a sign that means something."""

    room: str
    event_id: str
    target: str
    user: str
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody's part in a room.

    Attributes:
        room: Id.
        user: Whose.
        membership: As it is now.
        by: Who did it.
        direct: True where an invitation is for a room of two.
        own: True where it is the bot's own.
    """

    room: str
    user: str
    membership: Membership
    by: str
    direct: bool = False
    own: bool = False


@dataclass(frozen=True, slots=True)
class Replaced:
    """A room was upgraded: it goes on in `replacement`. Whether `by` could do so the homeserver has checked."""

    room: str
    replacement: str
    by: str


@dataclass(frozen=True, slots=True)
class Undecryptable:
    """A message whose key is missing.

    Attributes:
        room: Id.
        event_id: Its own.
        user: Who wrote it.
        session: Id of the key.
        thread: Root of its thread, which stands in clear; its own id where it is in none, "" for an edit, of which
            that is not known.
        position: As in `Written`.
    """

    room: str
    event_id: str
    user: str
    session: str
    thread: str = ""
    position: int = 0


Event = Written | Edited | Redacted | Reacted | Member | Replaced | Undecryptable
