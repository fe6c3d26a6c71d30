"""What a scenario can do in any chat: ask as a person does, and read what a person sees."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from enum import StrEnum
from typing import ClassVar

from bot.application import Application
from bot.chat import ChatAdapter
from bot.evidence import Citation, CitedPassage
from bot.service import Role, Service
from bot.settings import Settings
from bot.store.client import number
from tests.fakes import HeldAnswerer, held_application
from tests.integration.test_service import MortalStore

DEADLINE_S = 10.0
ROLES = frozenset({Role.ADAPTER, Role.WORKER})
SOURCE = "https://example.org/a"
PASSAGE = CitedPassage(
    Citation(1, "BXD family", "bxd.md", "https://example.org/bxd", "descends from two strains"),
    "Families",
    "The BXD family descends from two strains of mice.",
)


class Can(StrEnum):
    """What some chats cannot do."""

    EDIT = "edit a question"
    DELETE = "delete a question"
    REPEAT = "deliver a message twice"
    PLACES = "ask in several conversations"
    DRAFTS = "see an answer before it is complete"


class Driver(ABC):
    """One chat and the service behind it; questions are known by a name that the driver gives.

    Args:
        redis_url: The shared state.
        prefix: Of its keys.

    Attributes:
        cannot: What this chat has not, each with the reason.
        answerer: Of the running service.
    """

    name: ClassVar[str]
    cannot: ClassVar[Mapping[Can, str]]

    def __init__(self, redis_url: str, prefix: str) -> None:
        self._redis_url = redis_url
        self._prefix = prefix
        self._settings: dict[str, object] = {}
        self._stack = AsyncExitStack()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._store: MortalStore | None = None
        self._dead: list[tuple[Service, HeldAnswerer]] = []
        self.answerer = HeldAnswerer()
        self.service: Service

    async def start(
        self, answerer: HeldAnswerer | None = None, application: Application | None = None, **settings: object
    ) -> None:
        """Start the service; settings stay for later starts. An application takes the place of the answerer."""
        self._settings |= settings
        self.answerer = answerer or HeldAnswerer()
        self._stack, self._stop = AsyncExitStack(), asyncio.Event()
        store = self._store = MortalStore(self._redis_url, prefix=self._prefix)
        self._stack.push_async_callback(store.close)
        adapter = await self._open(self._stack)
        values = {"lease_s": 1.0, "rate_person": 0, "rate_channel": 0, "shutdown_grace_s": 5.0, **self._settings}
        answering = application or held_application(self.answerer)
        self.service = Service(Settings.model_validate(values), answering, store, [adapter], ROLES)
        self._task = asyncio.create_task(self.service.run(self._stop))
        async with asyncio.timeout(DEADLINE_S):
            await self.service.started.wait()
        await self._connected()

    async def kill(self) -> None:
        """End the service as `kill -9` does: nothing of it reaches the shared state any more."""
        assert self._task is not None
        assert self._store is not None
        self._store.dead = True
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None
        # What the dead process was doing runs into its dead store, and is kept until the end so that it may do so.
        self._dead.append((self.service, self.answerer))
        self.answerer.release.set()
        self._hang_up()
        await self._stack.aclose()

    async def end(self) -> None:
        """End the service as SIGTERM does."""
        if self._task is None:
            return
        self.answerer.release.set()
        self._hang_up()
        self._stop.set()
        await self._task
        self._task = None
        await self._stack.aclose()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():  # noqa: ASYNC110 - polled, as chats have no common event
                await asyncio.sleep(0.005)

    async def sees(self, text: str) -> None:
        """Wait until a person sees a text."""
        try:
            await self.until(lambda: text in self.shown())
        except TimeoutError as error:
            raise AssertionError(f"not seen: {text!r} in {self.shown()!r}") from error

    async def begun(self) -> None:
        """Wait until an answer is being written."""
        async with asyncio.timeout(DEADLINE_S):
            await self.answerer.begun.wait()
        self.answerer.begun.clear()

    async def settled(self) -> None:
        """Wait until every question that was accepted is done."""
        store, keys = self.service.inbox.store, self.service.inbox.keys
        async with asyncio.timeout(DEADLINE_S):
            while number(await store.call("XLEN", keys.inbox)):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.005)

    async def keep_passage(self, question: str) -> None:
        """Let an answer that was given rest on `PASSAGE`."""
        given = await self.service.given.find(self._handle(question))
        assert given is not None
        changed = dataclasses.replace(given, passages=(PASSAGE,))
        await self.service.inbox.store.transaction(*self.service.given.keep(changed))

    @abstractmethod
    def shown(self) -> str:
        """Return all that the people of the chat see now."""

    @abstractmethod
    def leaks(self) -> list[str]:
        """Return what no answer may do here: people it has called, pictures, addresses other than `SOURCE`."""

    @abstractmethod
    async def ask(self, text: str, *, elsewhere: bool = False) -> str:
        """Ask something new, in another conversation and as another person where `elsewhere`; returns its name."""

    @abstractmethod
    async def send_file(self, name: str, data: bytes, text: str) -> str:
        """Send a file to Locus with the words that people write here with or after it; returns the name of these."""

    @abstractmethod
    async def follow_up(self, question: str, text: str) -> str:
        """Ask in the conversation of a question."""

    @abstractmethod
    async def edit(self, question: str, text: str) -> None:
        """Change the words of a question."""

    @abstractmethod
    async def delete(self, question: str) -> None:
        """Delete a question."""

    @abstractmethod
    async def deliver_again(self, question: str) -> None:
        """Let the platform deliver a question again."""

    @abstractmethod
    async def stop(self, question: str) -> None:
        """Stop the answer to a question that is being written, as people do here."""

    @abstractmethod
    async def again(self, question: str) -> None:
        """Ask a question again, past the cache."""

    @abstractmethod
    async def vote_down(self, question: str, comment: str) -> None:
        """Say that an answer is bad, and why."""

    @abstractmethod
    async def passages(self, question: str) -> None:
        """Have the passages of an answer shown."""

    @abstractmethod
    async def _open(self, stack: AsyncExitStack) -> ChatAdapter:
        """Return the adapter of a new service."""

    @abstractmethod
    async def _connected(self) -> None:
        """Wait until people can ask."""

    @abstractmethod
    def _handle(self, question: str) -> str:
        """Return the handle of the answer to a question."""

    @abstractmethod
    def _hang_up(self) -> None:
        """Let nothing of the chat hold a service that ends."""
