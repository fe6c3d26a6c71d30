"""A service over a real index and a chat in memory, for tests of what becomes of questions without a good answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from bot.messages import IncomingMessage
from bot.replies import Reply
from bot.service import Role, Service
from bot.settings import Settings
from bot.store.client import number
from knowledge.index import KnowledgeIndex
from knowledge.ingest import sync_source
from knowledge.parsing import parse
from tests.documents import CountingProgress, FolderSource, write_documents
from tests.fakes import MemoryChat, Post, message
from tests.integration.test_service import MortalStore
from tests.teaching import taught_application

DEADLINE_S = 60.0
QUESTION = "What colour is the zebrafinch buffer used for perfusion?"
ANSWER = "The zebrafinch buffer used for perfusion is emerald green in colour."
MENDED = {"perfusion.md": f"# Perfusion\n\n{ANSWER}\n"}
OTHER_QUESTION = "At which temperature are the wobblebeads stored?"
OTHER_ANSWER = "The wobblebeads are stored at a temperature of four degrees Celsius."
OTHER_MENDED = {"beads.md": f"# Wobblebeads\n\n{OTHER_ANSWER}\n"}


class Lab:
    """A running service, and people who write to it.

    Args:
        store: The shared state.
        index: What is known.
        chat: Where people write.
        folder: For files.
        settings: Beside those of all tests.
    """

    def __init__(
        self, store: MortalStore, index: KnowledgeIndex, chat: MemoryChat, folder: Path, **settings: object
    ) -> None:
        self.store = store
        self.index = index
        self.chat = chat
        self._folder = folder
        self._number = 0
        values = {"lease_s": 2.0, "rate_person": 0, "rate_channel": 0, "shutdown_grace_s": 5.0, **settings}
        self.service = Service(
            Settings.model_validate(values),
            taught_application(index, folder),
            store,
            [chat],
            frozenset({Role.ADAPTER, Role.WORKER}),
        )
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self.service.run(self.stop))

    async def say(self, text: str, **where: object) -> Reply:
        """Say something and return the final reply to it; arguments as of `tests.fakes.message`."""
        asked = await self.send(text, **where)
        await self.chat.until(asked, timeout_s=DEADLINE_S)
        await self.settled()
        return self.chat.of(asked)[-1].now

    async def send(self, text: str, **where: object) -> IncomingMessage:
        """Say something; `external` is for people of other organisations."""
        self._number += 1
        external = bool(where.pop("external", False))
        # Numbers go on over restarts: a message that was answered before is not answered again.
        made = message(text, number=1000 * len(self.chat.posts) + self._number, **where)  # type: ignore[arg-type]
        made = replace(made, sender=replace(made.sender, external=external))
        await self.service.reception.message(made)
        return made

    async def settled(self) -> None:
        """Wait until nothing is open."""
        inbox = self.service.inbox
        await self.until(lambda: _empty(inbox.store.call("XLEN", inbox.keys.inbox)))

    async def learn(self, documents: dict[str, str], scope: str = "public") -> None:
        """Ingest documents, as another process may."""
        await asyncio.to_thread(ingest, self.index, self._folder / f"source-{scope}", documents, scope)

    async def looked(self) -> None:
        """Wait until everything was asked again under the documents as they are."""
        signature = await self.service._application.signature()  # type: ignore[union-attr]

        async def done() -> bool:
            looked = await self.service.mending.states.looked()
            return looked is not None and looked.signature == signature

        await self.until(done)

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(DEADLINE_S):
            while not await condition():  # noqa: ASYNC110 - polled, as its parts have no common event
                await asyncio.sleep(0.01)

    async def kill(self) -> None:
        """End it as `kill -9` does."""
        self.store.dead = True
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    def told(self) -> list[Post]:
        """Return the messages that nobody asked for at that moment."""
        return [post for post in self.chat.posts.values() if "The documents answer now" in post.now.text]


async def _empty(length: Awaitable[object]) -> bool:
    return number(await length) == 0  # type: ignore[arg-type]


def ingest(index: KnowledgeIndex, root: Path, documents: dict[str, str], scope: str = "public") -> None:
    """Write documents into a folder, and bring it into an index."""
    write_documents(root, documents)
    sync_source(index, FolderSource(root), scope=scope, spec=str(root), parse=parse, progress=CountingProgress())


@asynccontextmanager
async def running(
    store: MortalStore, index: KnowledgeIndex, chat: MemoryChat, folder: Path, **settings: object
) -> AsyncIterator[Lab]:
    """Run a service for the time of a test."""
    lab = Lab(store, index, chat, folder, **settings)
    async with asyncio.timeout(DEADLINE_S):
        await lab.service.started.wait()
    try:
        yield lab
    finally:
        if not lab.task.done():
            lab.stop.set()
            await lab.task
