"""What tests of the Matrix adapter share: a real service over a real homeserver, and people who ask it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from adapters.matrix.adapter import MatrixAdapter
from adapters.matrix.marks import FIELD
from adapters.matrix.nio_gaps import CarefulClient
from adapters.matrix.options import Credentials, Options
from bot.service import Role, Service
from bot.settings import Settings
from bot.store.client import number
from bot.store.threads import JoinedThreads
from tests.fakes import HeldAnswerer, held_application
from tests.integration.test_service import MortalStore
from tests.matrix_server.onlooker import Onlooker, onlooker
from tests.matrix_server.person import person
from tests.matrix_server.room_view import Line
from tests.matrix_server.synapse import Synapse

DEADLINE_S = 45.0  # for whatever a test waits for; a machine may be busy
POLL_S = 0.01
ROLES = frozenset({Role.ADAPTER, Role.WORKER})

Pause = Callable[[float], Awaitable[None]]


async def until(condition: Callable[[], object], what: str = "", *, within_s: float = DEADLINE_S) -> None:
    """Wait for something that has no event of its own."""
    try:
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110 - polled on purpose, with a deadline
                await asyncio.sleep(POLL_S)
    except TimeoutError as error:
        raise AssertionError(f"not within {within_s} s: {what or condition}") from error


class MatrixService:
    """A service that is connected to a homeserver, in a task; `kill` ends it as `kill -9` does.

    Args:
        store: The shared state, as this process reaches it.
        adapter: Entered.
        answerer: Writes the answers.
        settings: Further settings.

    Attributes:
        store: As given; while it is `dead`, Redis is away.
    """

    def __init__(self, store: MortalStore, adapter: MatrixAdapter, answerer: HeldAnswerer, **settings: object) -> None:
        self.adapter = adapter
        self.answerer = answerer
        self.store = store
        values = {"lease_s": 1.0, "rate_person": 0, "rate_channel": 0, "shutdown_grace_s": 5.0, **settings}
        self.service = Service(Settings.model_validate(values), held_application(answerer), store, [adapter], ROLES)
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self.service.run(self.stop))
        self.killed = False

    @property
    def questions(self) -> list[str]:
        """What the answerer was asked, in order."""
        return [asked.question for asked in self.answerer.asked]

    @property
    def client(self) -> CarefulClient:
        """What it talks to the homeserver with; it has to be connected."""
        assert self.adapter._parts is not None
        return self.adapter._parts.client

    @property
    def waiting(self) -> Collection[str]:
        """Ids of the messages whose keys it waits for."""
        assert self.adapter._parts is not None
        return self.adapter._parts.book.waiting.keys()

    def room_of(self, channel: str) -> str:
        """Return the room that a channel is now."""
        assert self.adapter._parts is not None
        return self.adapter._parts.book.room(channel)

    async def connected(self) -> None:
        """Wait until it knows its rooms."""
        await until(lambda: self.adapter.connected or self.task.done(), "connected")
        if self.task.done():
            await self.task
            raise AssertionError("the service has ended")

    async def begun(self) -> None:
        """Wait until an answer is being written."""
        async with asyncio.timeout(DEADLINE_S):
            await self.answerer.begun.wait()
        self.answerer.begun.clear()

    async def settled(self) -> None:
        """Wait until every question that was accepted is done."""
        async with asyncio.timeout(DEADLINE_S):
            while number(await self.store.call("XLEN", self.service.inbox.keys.inbox)):  # noqa: ASYNC110 - as above
                await asyncio.sleep(POLL_S)

    async def dead_letters(self) -> int:
        """Return how many questions were given up."""
        return number(await self.store.call("XLEN", self.service.inbox.keys.dead))

    async def kill(self) -> None:
        """End at once: nothing of it reaches the shared state any more."""
        self.killed = True
        self.store.dead = True
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    async def end(self) -> None:
        """End as SIGTERM does."""
        self.answerer.release.set()
        self.stop.set()
        if not self.killed:
            await self.task


class Asker:
    """Somebody in a room with Locus, whose client is open.

    Args:
        who: Their client.
        room: The room.
        bot: User id of Locus.
    """

    def __init__(self, who: Onlooker, room: str, bot: str) -> None:
        self.who = who
        self.room = room
        self.bot = bot

    async def ask(self, text: str, *, thread: str = "") -> str:
        """Ask by mention and return the question's id."""
        return await self.who.say(self.room, text, mention=[self.bot], thread=thread)

    async def say(self, text: str, *, thread: str = "") -> str:
        """Say something that mentions nobody."""
        return await self.who.say(self.room, text, thread=thread)

    def lines(self, root: str | None = None) -> list[Line]:
        """What Locus has said, in one thread or everywhere."""
        return self.who.views[self.room].of(self.bot, root)

    def answers(self, root: str | None = None) -> list[Line]:
        """Complete answers of Locus, in one thread or everywhere; their continuations are left out."""
        return [line for line in self.lines(root) if line.handle and not is_part(line)]

    async def answered(self, root: str, times: int = 1) -> Line:
        """Wait for so many complete answers in a thread, and return the last."""
        await until(lambda: len(self.answers(root)) >= times, f"{times} answers among {self.lines()}")
        return self.answers(root)[-1]

    async def sees(self, root: str | None, text: str) -> Line:
        """Wait until what Locus says in a thread, or anywhere, holds a text."""

        def found() -> list[Line]:
            return [line for line in self.lines(root) if text in line.body]

        await until(found, f"{text!r} in {self.who.views[self.room]}")
        return found()[-1]

    def sent(self) -> list[dict[str, Any]]:
        """Content of every message and edit of Locus that was seen."""
        return [content for sender, content in self.who.views[self.room].contents if sender == self.bot]

    async def knows_locus(self) -> None:
        """Wait until the client has Locus's device keys, so that it gives it the keys of messages."""
        store = self.who.client.device_store
        await until(lambda: list(store.active_user_devices(self.bot)), "Locus's device is known")

    async def caught_up(self) -> None:
        """Wait until everything that was sent before is seen: what has not come until then is not there."""
        mark = await self.who.say(self.room, "That is all.")
        await until(lambda: mark in self.who.views[self.room].lines, "caught up")


def is_part(line: Line) -> bool:
    """Whether a message goes on with an answer that begins in another."""
    return bool(line.content.get(FIELD, {}).get("part_of"))


class Stage:
    """A homeserver, an account of Locus there, and what its processes share. Each test has its own.

    Args:
        synapse: The homeserver.
        folder: For the data of Locus and the keys of people.
        redis_url: The shared state.
        prefix: Of its keys.

    Attributes:
        bot: Locus's account.
        data: What Locus keeps.
    """

    def __init__(self, synapse: Synapse, folder: Path, redis_url: str, prefix: str) -> None:
        self.synapse = synapse
        self.bot = synapse.register("locus")
        self.data = folder / "matrix"
        self._folder = folder
        self._redis_url = redis_url
        self._prefix = prefix

    @asynccontextmanager
    async def serving(
        self,
        answerer: HeldAnswerer | None = None,
        *,
        url: str = "",
        settings: dict[str, object] | None = None,
        pause: Pause = asyncio.sleep,
        connected: bool = True,
        **options: object,
    ) -> AsyncIterator[MatrixService]:
        """Run a service for the time of a test, connected unless it cannot.

        Args:
            answerer: Writes the answers.
            url: Where it connects; the homeserver itself by default.
            settings: Of the core.
            pause: As of `MatrixAdapter`.
            connected: Whether to wait for the connection.
            options: As of `adapters.matrix.options.Options`.
        """
        async with AsyncExitStack() as stack:
            store = MortalStore(self._redis_url, prefix=self._prefix)
            stack.push_async_callback(store.close)
            defaults = {"edit_interval_s": 0.01, "request_timeout_s": 20.0}
            chosen = Options(url or self.synapse.url, self.bot.user_id, **{**defaults, **options})  # type: ignore[arg-type]
            token, password = SecretStr(self.bot.access_token), SecretStr(self.bot.password)
            credentials = Credentials(access_token=token, device_id=self.bot.device_id, password=password)
            threads = JoinedThreads(store, days=30)
            adapter = MatrixAdapter(chosen, self.data, credentials=credentials, threads=threads, pause=pause)
            await stack.enter_async_context(adapter)
            one = MatrixService(store, adapter, answerer or HeldAnswerer(), **(settings or {}))
            try:
                if connected:
                    await one.connected()
                yield one
            finally:
                await one.end()

    @asynccontextmanager
    async def asking(
        self, *, url: str = "", encrypted: bool = False, direct: bool = False, name: str = "ada", **room: object
    ) -> AsyncIterator[Asker]:
        """Yield somebody in a new room that Locus has joined.

        Args:
            url: Where they connect; the homeserver itself by default.
            encrypted: Whether the room is.
            direct: Whether it was made for the two of them.
            name: Beginning of their name.
            room: As of `Person.create_room`.
        """
        account = self.synapse.register(name)
        async with person(self.synapse.url, account) as maker, person(self.synapse.url, self.bot) as bot:
            title = "" if direct else "The lab"  # an unnamed room of two counts as direct
            room_id = await maker.create_room(
                bot.user_id,
                encrypted=encrypted,
                direct=direct,
                name=title,
                **room,  # type: ignore[arg-type]
            )
            await bot.join(room_id)
        async with onlooker(url or self.synapse.url, account, self._folder / account.name) as who:
            await until(lambda: room_id in who.client.rooms, "the room is known")
            yield Asker(who, room_id, self.bot.user_id)
