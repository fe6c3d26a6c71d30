"""Rooms and users as the core's places and senders."""

from __future__ import annotations

import logging
from typing import Final

from nio.rooms import MatrixRoom

from adapters.matrix.errors import checked_call, translated
from adapters.matrix.fields import Fields, room_id
from adapters.matrix.nio_gaps import CarefulClient
from adapters.matrix.options import Options
from adapters.matrix.room_book import RoomBook
from bot.errors import NotFoundError
from bot.messages import Audience, Place, Sender

logger = logging.getLogger(__name__)

CHAT: Final = "matrix"
DIRECT: Final = "m.direct"
_OPEN_RULES: Final = frozenset({"public"})


class Places:
    """Tells who can read what is said in a room. Nothing here looks at names that people give themselves or at power.

    Args:
        client: Logged in.
        options: What the lab has chosen.
        book: Which room is which channel.
    """

    def __init__(self, client: CarefulClient, options: Options, book: RoomBook) -> None:
        self._client = client
        self._options = options
        self._book = book
        self._user_id = client.user_id
        self._server = server_of(client.user_id)
        self._direct: dict[str, list[str]] = {}

    async def load(self) -> None:
        """Fetch which rooms are direct. Raises BotError if the homeserver does not answer."""
        try:
            with translated():
                content = checked_call(*await self._client.call("GET", self._address))
        except NotFoundError:
            return
        self.take(content)

    def take(self, content: Fields) -> None:
        """Take over which rooms are direct, as the account's data say."""
        self._direct = {
            user: [room for room in rooms if room_id({"room_id": room})]
            for user, rooms in content.items()
            if isinstance(user, str) and isinstance(rooms, list)
        }

    async def mark_direct(self, room: str, user: str) -> None:
        """Note that a room is direct, for other clients of the account too."""
        rooms = self._direct.setdefault(user, [])
        if room not in rooms:
            rooms.append(room)
            with translated():
                checked_call(*await self._client.call("PUT", self._address, self._direct))

    def direct_room(self, user: str) -> str | None:
        """Return the room in which Locus and a person are alone, or None; one that they have left does not count."""
        noted = self._direct.get(user, ())
        rooms = sorted(self._client.rooms, key=lambda room: room not in noted)
        return next((room for room in rooms if self.is_direct(room) and user in self._client.rooms[room].users), None)

    @property
    def _address(self) -> str:
        return f"/_matrix/client/v3/user/{self._user_id}/account_data/{DIRECT}"

    def place(self, room: str, thread: str = "") -> Place:
        """Return where a message stands, with who can read it now."""
        return Place(CHAT, self._server, self._book.channel(room), thread, self._audience(room))

    def sender(self, room: str, user: str) -> Sender:
        """Return who wrote."""
        known = self._client.rooms.get(room)
        member = known.users.get(user) if known is not None else None
        name = (member.display_name or "") if member is not None else ""
        return Sender(CHAT, server_of(user), user, name, external=not self.is_home(user))

    def is_home(self, user: str) -> bool:
        """True for users of the own homeserver and those whom the lab trusts like them."""
        server = server_of(user)
        return server == self._server or server in self._options.allowed_servers or user in self._options.allowed_users

    def is_direct(self, room: str) -> bool:
        """True where exactly one person is in a room with Locus, and it was made for that or has no name."""
        known = self._client.rooms.get(room)
        if known is None or len(known.users) != 2 or _is_open(known):
            return False
        return any(room in rooms for rooms in self._direct.values()) or known.is_group

    def answers_in(self, room: str) -> bool:
        """True where it answers at all."""
        rooms = self._options.rooms
        return not rooms or bool({room, self._book.channel(room)} & rooms) or self.is_direct(room)

    def _audience(self, room: str) -> Audience:
        known = self._client.rooms.get(room)
        if known is None:
            return Audience.SHARED  # whoever is there
        if self.is_direct(room):
            return Audience.DIRECT
        if not all(self.is_home(user) for user in known.users):
            return Audience.SHARED
        return Audience.PUBLIC if _is_open(known) else Audience.PRIVATE


def server_of(user: str) -> str:
    """Return the homeserver of a user."""
    return user.partition(":")[2]


def _is_open(room: MatrixRoom) -> bool:
    return room.join_rule in _OPEN_RULES or room.history_visibility == "world_readable"
