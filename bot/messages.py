"""What people write in a chat, and where: frozen values without behaviour of any platform."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Role = Literal["user", "assistant"]

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letters that look alike
_DIGEST_CHARS = 13  # 65 bits: with a million messages a collision has a chance of 1 in 70 million


@functools.lru_cache(maxsize=8192)  # asked for a dozen times for each message
def digest(*parts: str) -> str:
    """Return 13 letters and digits that stand for `parts`: the same for the same parts, in any process."""
    packed = b"".join(len(data).to_bytes(4, "big") + data for data in (part.encode() for part in parts))
    value = int.from_bytes(hashlib.blake2b(packed, digest_size=16).digest(), "big")
    return "".join(_DIGITS[(value >> 5 * place) & 31] for place in range(_DIGEST_CHARS))


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier message of a conversation; histories are ordered oldest first."""

    role: Role
    content: str


class Audience(StrEnum):
    """Who can read what is said in a place; ordered from few to many by `Audience.width`."""

    DIRECT = "direct"
    PRIVATE = "private"
    PUBLIC = "public"
    SHARED = "shared"  # with people of other organisations

    @property
    def width(self) -> int:
        """0 for the narrowest."""
        return list(Audience).index(self)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message stands: known by ids, never by names.

    Attributes:
        chat: Name of the adapter ("slack", "matrix", "terminal").
        workspace: Slack team, Matrix homeserver, or "".
        channel: Channel, room or direct conversation.
        thread: Root of the thread, or "" where the channel itself is the conversation.
        audience: Who can read it, as the platform says now.
    """

    chat: str
    workspace: str
    channel: str
    thread: str = ""
    audience: Audience = Audience.PRIVATE

    @property
    def channel_id(self) -> str:
        """Handle of the channel, all its threads together."""
        return digest("channel", self.chat, self.workspace, self.channel)

    @property
    def conversation_id(self) -> str:
        """Handle of the conversation; the same thread is the same conversation."""
        return digest("conversation", self.chat, self.workspace, self.channel, self.thread)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who wrote; `name` is for showing only and may be missing.

    Attributes:
        chat: Name of the adapter.
        workspace: As in `Place`; of the person, not of the channel. "" where a chat that has workspaces did not say.
        user: Id of the account.
        name: What people call them, or "".
        external: True for guests and people of other organisations.
    """

    chat: str
    workspace: str
    user: str
    name: str = ""
    external: bool = False

    @property
    def person_id(self) -> str:
        """Handle of the person."""
        return digest("person", self.chat, self.workspace, self.user)


@dataclass(frozen=True, slots=True)
class FileReference:
    """A file that was sent with a message, as the chat describes it; none of it is to be trusted.

    Attributes:
        file_id: By which the chat's adapter fetches it; for encrypted files whatever is needed to read them.
        name: As its sender calls it.
        size_bytes: 0 where the chat does not say.
        media_type: As in MIME, or "".
        url: Where people who may see the file find it in the chat, or "" where there is no such address.
    """

    file_id: str
    name: str
    size_bytes: int = 0
    media_type: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message for the bot.

    Attributes:
        place: Where the answer goes.
        sender: Who wrote it.
        message_id: Id of the message in its channel; the same in every delivery of it.
        text: Plain text, the mention of the bot left out.
        order: Position in the conversation; grows with each message (a time stamp, a position of a sync).
        version: Empty, or what grows with each edit of the message.
        fresh: True to answer anew though an answer is cached.
        again_of: The request whose question this is once more, or "": it is answered as if it was asked then.
        files: Sent with the message, in order.
        certain: False when the chat still has to be asked who reads `place`, who `sender` is and which `files` count:
            nothing is answered or shown before, see `bot.chat.ChatAdapter.ascertain`.
        late: True for one that was found in what was said while nobody listened: how much is asked at a time does not
            count for it, and as a "stop" it ends nothing that was asked after it.
    """

    place: Place
    sender: Sender
    message_id: str
    text: str
    order: float
    version: str = ""
    fresh: bool = False
    again_of: str = ""
    files: tuple[FileReference, ...] = ()
    certain: bool = True
    late: bool = False

    @property
    def request_id(self) -> str:
        """Handle of the request it makes, the same for every delivery and edit; people see it as reference."""
        return request_id(self.place, self.message_id)

    def is_from(self, person: Sender) -> bool:
        """True when a person of the same channel wrote it.

        Where one of the two was not looked up yet, by the id of the account alone, which is one person's in a channel.
        """
        if self.certain and person.workspace:
            return self.sender.person_id == person.person_id
        return (self.sender.chat, self.sender.user) == (person.chat, person.user)

    def ascertained(self, as_told: IncomingMessage) -> IncomingMessage:
        """Return it with what the chat has said since: who reads its place, who wrote it, and its files."""
        place = dataclasses.replace(self.place, audience=as_told.place.audience)
        return dataclasses.replace(self, place=place, sender=as_told.sender, files=as_told.files, certain=True)


def request_id(place: Place, message_id: str) -> str:
    """Return the handle of the request that a message makes."""
    return digest("request", place.chat, place.workspace, place.channel, message_id)
