"""A process that chats in its terminal with a reception that makes up its answers: `python -m tests.terminal_process`.

"wait" is never answered, "late" after the next line came; everything else at once, in drafts of a few words.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from adapters.terminal import LineInput, TerminalAdapter
from bot.chat import Vote
from bot.evidence import Citation, CitedPassage
from bot.messages import IncomingMessage, Place, Sender
from bot.replies import Reply, Stage
from tests.fakes import NothingGiven

ANSWER = (
    "The BXD family was made by crossing C57BL/6J and DBA/2J mice, and inbreeding their descendants for more than "
    "twenty generations [1]. 日本語の文章は単語の間に空白がないので、どこでも改行できます。 "
    "It has about 150 strains [2]."
)
CITATIONS = (
    Citation(1, "BXD strains [bold red]x[/]", "bxd.md", "https://gn.example/bxd", "crossing"),
    Citation(2, "Colony", "colony.md", None, "150"),
)


class MadeUpReception(NothingGiven):
    """Answers from within the same process, without an inbox."""

    def __init__(self) -> None:
        self.adapter: TerminalAdapter | None = None
        self._running: dict[str, tuple[IncomingMessage, asyncio.Task[None]]] = {}
        self._late: list[IncomingMessage] = []

    async def message(self, message: IncomingMessage) -> Receipt:
        self._running[message.request_id] = (message, asyncio.create_task(self._answer(message)))
        return Receipt(message.request_id)

    async def edit(self, message: IncomingMessage) -> bool:
        return False

    async def delete(self, place: Place, message_id: str) -> bool:
        return False

    async def stop(self, place: Place, by: Sender, *, request_id: str = "") -> bool:
        running = [(message, task) for message, task in self._running.values() if not task.done()]
        for message, task in running:
            task.cancel()
            await self._show(message, Reply(Stage.FINAL, "Stopped, as you asked.", answered=False))
        return bool(running)

    async def vote(self, place: Place, by: Sender, handle: str, vote: Vote, comment: str = "") -> bool:
        return bool(handle)

    async def withdraw(self, place: Place, by: Sender, handle: str, vote: Vote) -> bool:
        return bool(handle)

    async def passages(self, place: Place, by: Sender, handle: str) -> Sequence[CitedPassage]:
        return [CitedPassage(CITATIONS[0], "History", "Made by crossing.")] if handle else []

    async def close(self) -> None:
        """End what still runs."""
        for _, task in self._running.values():
            task.cancel()
        await asyncio.gather(*(task for _, task in self._running.values()), return_exceptions=True)

    async def _show(self, message: IncomingMessage, reply: Reply) -> None:
        assert self.adapter is not None
        await self.adapter.post(message.place, reply, key=message.request_id, answers=message.message_id)

    async def _answer(self, message: IncomingMessage) -> None:
        await self._show(message, Reply(Stage.WAITING, "2 questions are ahead of yours."))
        await self._show(message, Reply(Stage.WAITING, "Reading the documents …"))
        if message.text == "wait":
            await self._show(message, Reply(Stage.DRAFT, "It begins and"))
            await asyncio.Event().wait()
        for end in range(20, len(ANSWER), 20):
            await self._show(message, Reply(Stage.DRAFT, ANSWER[:end]))
            await asyncio.sleep(0.001)
        text = "Only this is supported [1]." if message.text == "checked" else ANSWER
        await self._show(message, Reply(Stage.FINAL, text, CITATIONS, note="Answered [i]by[/i] nobody.", handle="h"))


class Receipt:
    """A message was accepted."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.new = True


async def main(folder: Path) -> None:
    """Chat until the person leaves."""
    reception = MadeUpReception()
    with LineInput() as read:
        reception.adapter = TerminalAdapter(folder, Console(highlight=False), read, notice="A notice.")
        await reception.adapter.run(reception)
        await reception.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
