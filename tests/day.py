"""A day of one person in a chat, with the real program: the scenes that are the same in every chat.

A chat says how people do each thing there and what they then see. `locus run` is a process of its own, as in a lab; the
documents are those that ship with Locus, and GeneNetwork is the local one of the tests.
"""

from __future__ import annotations

import asyncio
import signal
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Generic, Literal, TypeVar

from tests.day_parts import COMMENT, DIGEST, FILE, NEW_DATASET, PROTOCOL, SUMMARY, TITLE, Said, rows_of
from tests.gn_server import GeneNetworkServer
from tests.locus_process import LocusProcess

DEADLINE_S = 180.0  # for whatever is waited for; a machine may be busy
POLL_S = 0.02
P = TypeVar("P")  # what a chat knows a question by
R = TypeVar("R")


class Day(ABC, Generic[P]):
    """Plays scenes; each tells what the person did and what is then to be seen.

    Args:
        locus: The bot.
        genenetwork: As Locus sees it.
        tell: Takes the lines of the transcript.
    """

    channel_word: ClassVar[str]  # what the chat calls a place where many talk

    def __init__(self, locus: LocusProcess, genenetwork: GeneNetworkServer, tell: Callable[[str], None]) -> None:
        self.locus = locus
        self.genenetwork = genenetwork
        self.tell = tell

    async def play(self) -> None:
        """Play everything in order."""
        await self.begin()
        asked = await self._mention()
        await self._follow_up(asked)
        await self._direct_message()
        await self._vote(asked)
        await self._passages(asked)
        await self._again(asked)
        await self._file()
        await self._data()
        await self._stop()
        await self._crash()
        await self._digest()
        await self._commands()
        await self._own_data()

    async def play_shortly(self) -> None:
        """Play what a test has time for."""
        await self.begin()
        asked = await self._mention()
        await self._vote(asked)
        await self._crash()

    async def start(self) -> None:
        """Start Locus and wait until it is connected."""
        await asyncio.to_thread(self.locus.start)
        await self.until(self.connected)

    async def _mention(self) -> P:
        self.scene(f"A question in the {self.channel_word}")
        asked = await self.ask("What is QTL mapping?")
        await self._answered(asked, 1)
        await self._show(asked)
        return asked

    async def _follow_up(self, asked: P) -> None:
        self.scene("A follow-up in its thread, without a mention")
        await self.say(asked, "And which software is used for it?")
        await self._answered(asked, 2)
        await self._show(asked, skip=2)

    async def _direct_message(self) -> None:
        self.scene("A direct message")
        asked = await self.ask_directly("What are the BXD strains?")
        await self._answered(asked, 1)
        await self._show(asked)
        await self.look_at_direct(asked)

    async def _vote(self, asked: P) -> None:
        self.scene("Thumbs down, with a comment")
        await self.vote_down(asked, COMMENT)

    async def _passages(self, asked: P) -> None:
        self.scene("The passages behind an answer")
        await self.passages(asked)

    async def _again(self, asked: P) -> None:
        self.scene("Asking again")
        before = len(await self.said(asked))
        await self.again(asked)

        async def more() -> bool:
            lines = await self.said(asked)
            return len(lines) > before and lines[-1].complete

        await self.until(more)
        await self._show(asked, skip=before)

    async def _file(self) -> None:
        """A file is learnt, and a question is answered from it; left out where nobody can share one here yet."""
        asked = await self.share(FILE, PROTOCOL)
        if asked is None:
            return
        await self._seen(asked, '"keep"')
        await self._show(asked)
        before = len(await self.said(asked))
        await self.say(asked, "keep")
        await self._seen(asked, "Learnt: ")
        await self._show(asked, skip=before)
        question = await self.ask("With how much buffer are mice perfused?")
        await self._answered(question, 1)
        await self._show(question)

    async def _data(self) -> None:
        self.scene("GeneNetwork's data, with a picture")
        asked = await self.ask("map BXD_10001")
        await self._answered(asked, 1)

        async def pictured() -> bool:
            return any(line.files for line in await self.said(asked))

        await self.until(pictured)
        await self._show(asked)

    async def _stop(self) -> None:
        self.scene("“stop” while it is answering")
        await self.hold("beginning")
        asked = await self.ask("What is a haplotype?")
        await self.begun(asked)
        await self.say(asked, "stop")
        await self._seen(asked, "Stopped")
        await self.let_go()
        await self._show(asked)

    async def _crash(self) -> None:
        self.scene("Locus is killed in the middle of an answer, and started again")
        await self.hold("end")
        asked = await self.ask("What is a recombinant inbred strain?")
        await self._seen(asked, "")
        await self._show(asked)
        await asyncio.to_thread(self.locus.end, signal.SIGKILL)
        await self.let_go()
        self.tell("(kill -9; then `locus run` again)")
        await asyncio.to_thread(self.locus.start)
        await self._answered(asked, 1)
        await self._show(asked, skip=1)

    async def _digest(self) -> None:
        self.scene("A digest of new datasets")
        await self.command(DIGEST)
        await self._operator("digest", "baseline")
        self.tell(f"(The dataset {NEW_DATASET} is entered in GeneNetwork; then Monday comes, here by a command.)")
        self.genenetwork.world.add_dataset(
            NEW_DATASET, full_name=TITLE, platform="Illumina NovaSeq", samples=88, summary=SUMMARY
        )
        before = len(await self.posted())
        await self._operator("digest", "run")

        async def more() -> Sequence[Said]:
            return (await self.posted())[before:]

        for line in await self.until(more):
            self.show(line)

    async def _operator(self, *words: str) -> None:
        self.tell(f"$ locus {' '.join(words)}")
        for line in (await asyncio.to_thread(self.locus.command, *words)).splitlines():
            self.tell(line)

    async def _commands(self) -> None:
        self.scene("Commands")
        for text in ("status", "help"):
            await self.command(text)

    async def _own_data(self) -> None:
        self.scene("One's own data: export, then forget")
        for text in ("export", "forget", "forget me now"):
            await self.own_data(text)

    @abstractmethod
    async def begin(self) -> None:
        """Start Locus, and bring people and Locus together."""

    @abstractmethod
    async def connected(self) -> bool:
        """True when Locus hears people."""

    @abstractmethod
    async def ask(self, text: str) -> P:
        """Mention Locus with a question."""

    @abstractmethod
    async def say(self, asked: P, text: str) -> None:
        """Write below a question, without a mention."""

    @abstractmethod
    async def ask_directly(self, text: str) -> P:
        """Ask where nobody else is."""

    async def look_at_direct(self, asked: P) -> None:
        """Tell what else is to be seen of a direct question."""
        return

    async def share(self, name: str, data: str) -> P | None:
        """Begin a scene: drop a file and have Locus learn it; None where a chat's day has no such scene."""
        return None

    @abstractmethod
    async def said(self, asked: P) -> Sequence[Said]:
        """Return what is seen of a question and what stands below it."""

    @abstractmethod
    async def posted(self) -> Sequence[Said]:
        """Return what Locus has written there without being asked."""

    @abstractmethod
    async def vote_down(self, asked: P, comment: str) -> None:
        """Say that the first answer was not good, and why; tell what is then seen."""

    @abstractmethod
    async def passages(self, asked: P) -> None:
        """Have the passages of the first answer shown; tell what is then seen."""

    @abstractmethod
    async def again(self, asked: P) -> None:
        """Ask for another answer."""

    @abstractmethod
    async def command(self, text: str) -> None:
        """Type a command where others are too; tell what is then seen."""

    @abstractmethod
    async def own_data(self, text: str) -> None:
        """Type a command about one's own data; tell what is then seen."""

    @abstractmethod
    async def hold(self, what: Literal["beginning", "end"]) -> None:
        """Let the chat be slow from now on, at the first message of an answer or at all that follows it."""

    @abstractmethod
    async def begun(self, asked: P) -> None:
        """Wait until Locus has begun to answer, while its first message is held."""

    @abstractmethod
    async def let_go(self) -> None:
        """Let the chat be quick again."""

    async def until(self, condition: Callable[[], Awaitable[R]]) -> R:
        """Wait for something to be true, and return it.

        Raises:
            TimeoutError: If it does not come.
        """
        async with asyncio.timeout(DEADLINE_S):
            while not (found := await condition()):  # noqa: ASYNC110 - polled, as chats have no common event
                await asyncio.sleep(POLL_S)
        return found

    async def _answered(self, asked: P, answers: int) -> None:
        async def done() -> bool:
            return sum(line.complete for line in await self.said(asked)) >= answers

        await self.until(done)

    async def _seen(self, asked: P, text: str) -> None:
        async def seen() -> bool:
            return any(line.by_bot and text in line.text for line in await self.said(asked))

        await self.until(seen)

    async def _show(self, asked: P, *, skip: int = 0) -> None:
        for line in (await self.said(asked))[skip:]:
            self.show(line)

    def scene(self, title: str) -> None:
        """Tell that something else begins."""
        self.tell(f"\n--- {title} ---")

    def show(self, line: Said) -> None:
        """Tell how a message looks."""
        for row in rows_of(line):
            self.tell(row)
