"""A homeserver whose rooms a harness makes before Locus comes, and people who write there and read along."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nio.events import Event, MegolmEvent
from nio.exceptions import EncryptionError
from nio.responses import RoomRedactResponse, RoomSendResponse

from tests.matrix_server.encrypting import EncryptingPerson, encrypting
from tests.matrix_server.onlooker import Onlooker, onlooker
from tests.matrix_server.person import person
from tests.matrix_server.synapse import Account, Synapse

Json = Mapping[str, Any]
TRY_AGAIN_S = 0.5


class Reader:
    """Somebody at a client that is asked now and then; what came late because of a missing key is read later.

    Args:
        who: Their client.

    Attributes:
        who: As given.
        rooms: All that was seen, decrypted, by room and event id, in order.
    """

    def __init__(self, who: EncryptingPerson) -> None:
        self.who = who
        self.rooms: defaultdict[str, dict[str, Json]] = defaultdict(dict)
        self._unread: dict[str, tuple[str, MegolmEvent]] = {}
        self._taken = 0
        self._lock = asyncio.Lock()

    async def look(self) -> None:
        """Take what is new."""
        async with self._lock:
            await self.who.sync()
            new, self._taken = self.who.seen[self._taken :], len(self.who.seen)
            for room, event in new:
                self._take(room, event)
            for event_id, (room, event) in list(self._unread.items()):
                try:
                    opened = self.who.client.decrypt_event(event)
                except EncryptionError:
                    continue
                self.rooms[room][event_id] = opened.source
                del self._unread[event_id]

    def _take(self, room: str, event: Event) -> None:
        event_id = str(event.source.get("event_id", ""))
        self.rooms[room].setdefault(event_id, event.source)
        if isinstance(event, MegolmEvent):
            event.room_id = room
            self._unread[event_id] = (room, event)

    async def send(self, room: str, content: Mapping[str, object], kind: str = "m.room.message") -> str:
        """Send an event, encrypted where the room is; returns its id."""
        async with self._lock:
            await self.who.sync()
            client = self.who.client
            answer = await client.room_send(room, kind, dict(content), ignore_unverified_devices=True)
        assert isinstance(answer, RoomSendResponse), answer
        return answer.event_id

    async def redact(self, room: str, event_id: str) -> str:
        """Delete a message; returns the id of the redaction."""
        answer = await self.who.client.room_redact(room, event_id)
        assert isinstance(answer, RoomRedactResponse), answer
        return answer.event_id


class Town:
    """A homeserver with accounts and rooms; an asynchronous context manager.

    Args:
        folder: For the keys of people.

    Attributes:
        synapse: The homeserver, without rate limits: a lab's administrator lifts them for Locus.
        bot: Locus's account.
    """

    def __init__(self, folder: Path) -> None:
        self.synapse = Synapse()
        self.bot: Account
        self._folder = folder
        self._accounts: dict[str, Account] = {}
        self._readers: dict[str, Reader] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.synapse.__enter__)
        self.bot = await asyncio.to_thread(self.synapse.register, "locus", unique=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        await asyncio.to_thread(self.synapse.__exit__, kind, error, trace)

    @property
    def settings(self) -> dict[str, str]:
        """Of Locus: what it logs in with."""
        return {
            "LOCUS_MATRIX_USER": self.bot.user_id,
            "LOCUS_MATRIX_ACCESS_TOKEN": self.bot.access_token,
            "LOCUS_MATRIX_DEVICE_ID": self.bot.device_id,
        }

    async def add_people(self, names: Iterable[str]) -> None:
        """Make accounts."""
        for name in names:
            self._accounts[name] = await asyncio.to_thread(self.synapse.register, name, unique=False)

    async def add_room(
        self, maker: str, members: Iterable[str] = (), *, encrypted: bool, public: bool = False, direct: bool = False
    ) -> str:
        """Make a room with Locus in it and return its id.

        Args:
            maker: Who makes it.
            members: Who else is in it.
            encrypted: Whether it is encrypted.
            public: Whether everybody may join it.
            direct: Whether it is for the maker and Locus alone.
        """
        url, joining = self.synapse.url, [self._accounts[name] for name in members if name != maker]
        async with AsyncExitStack() as stack:
            making = await stack.enter_async_context(person(url, self._accounts[maker]))
            name = "" if direct else f"Room of {maker}"
            ids = [self.bot.user_id, *(one.user_id for one in joining)]
            room = await making.create_room(*ids, encrypted=encrypted, direct=direct, public=public, name=name)
            for account in (self.bot, *joining):
                await (await stack.enter_async_context(person(url, account))).join(room)
        return room

    async def reader(self, name: str) -> Reader:
        """Return somebody's client; it knows the rooms that were there when it was first asked for."""
        if name not in self._readers:
            client = encrypting(self.synapse.url, self._accounts[name], self._folder / name)
            someone = await self._stack.enter_async_context(client)
            # While the homeserver is away a person's client tries again sooner than matrix-nio by itself.
            someone.client.config = replace(someone.client.config, max_timeout_retry_wait_time=TRY_AGAIN_S)
            self._readers[name] = Reader(someone)
        return self._readers[name]

    @asynccontextmanager
    async def onlooker(self, name: str) -> AsyncIterator[Onlooker]:
        """Yield somebody who reads along all the time."""
        async with onlooker(self.synapse.url, self._accounts[name], self._folder / name) as someone:
            yield someone
