"""A conversation in a terminal that asks the application itself: questions in, streamed answers with sources out."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from adapters.terminal.render import print_files, print_sources
from bot.application import Application
from bot.code_blocks import split_code
from bot.errors import BotError
from bot.evidence import Answer, Progress
from bot.hints import question_hint
from bot.messages import Turn
from bot.picture_files import keep_files
from bot.texts import run_again

HISTORY_TURNS = 12
WHOLE_TEXT_CHARS = 120
GREETING = (
    "Ask about GeneNetwork. Every statement of an answer has its source below it; follow-up questions work.\n"
    "[dim]/new starts over · /quotes shows the cited passages of the last answer · /quit leaves[/dim]"
)
HELP = "Type a question, or /new, /quotes, /help, /quit."
Read = Callable[[str], str]


class TerminalChat:
    """One conversation in a terminal.

    Args:
        application: Answers.
        console: Where everything is printed.
        read: Called in a thread with the prompt; returns a line, raises EOFError at the end.
        notice: Said once below the greeting.
        files: Folder for pictures and tables of answers; None shows none.
    """

    def __init__(
        self,
        application: Application,
        console: Console,
        read: Read,
        *,
        notice: str | None = None,
        files: Path | None = None,
    ) -> None:
        self._application = application
        self._console = console
        self._read = read
        self._notice = notice
        self._files = files
        self._conversation = secrets.token_hex(8)
        self._history: list[Turn] = []
        self._last: Answer | None = None

    async def run(self) -> None:
        """Ask and answer until /quit or the end of input."""
        self._console.print(GREETING)
        if self._notice:
            self._console.print(Text(self._notice, style="dim"))
        while True:
            try:
                line = (await asyncio.to_thread(self._read, "\n› ")).strip()
            except (EOFError, KeyboardInterrupt):
                self._console.print()
                return
            if line in {"/quit", "/exit", "/q"}:
                return
            if line:
                await self._handle(line)

    async def _handle(self, line: str) -> None:
        if line == "/new":
            self._history.clear()
            self._conversation = secrets.token_hex(8)
            self._last = None
            self._console.print("[dim]A new conversation.[/dim]")
        elif line == "/quotes":
            self._show_quotes()
        elif line.startswith("/"):
            self._console.print(HELP)
        else:
            try:
                await self._answer(line)
            except BotError as error:
                self._console.print(f"[red]{escape(str(error))}[/red]")

    async def _answer(self, question: str) -> None:
        written = ""
        answer: Answer | None = None
        history = tuple(self._history)
        async with aclosing(
            self._application.stream(question, history=history, conversation=self._conversation)
        ) as pieces:
            async for piece in pieces:
                if isinstance(piece, Answer):
                    answer = piece
                elif isinstance(piece, Progress):
                    if self._console.is_terminal:
                        self._console.print(Text(piece.sentence, style="dim"))
                elif self._console.is_terminal:
                    written += piece
                    # A piece of a word or two goes on where the last one ended; a whole text is wrapped at words.
                    self._console.print(Text(piece), end="", soft_wrap=len(piece) < WHOLE_TEXT_CHARS)
        if answer is None:
            return
        if written.strip() != answer.text.strip():
            if written:
                # The checked answer replaces what was streamed; only supported statements are left in it.
                self._console.print("\n\n[bold]Checked answer[/bold]")
            for text, is_code in split_code(answer.text):
                self._console.print(Text(text), end="", soft_wrap=is_code)
        self._console.print()
        await self._show_files(answer)
        print_sources(self._console, answer.citations, answered=answer.answered)
        if answer.requests:
            self._console.print(f"\n[bold]{run_again()}[/bold]")
            for address in answer.requests:
                self._console.print(Text(address, style="dim"), soft_wrap=True)
        for hint in (answer.note, question_hint(question, answered=answer.answered or answer.mode == "live")):
            if hint:
                self._console.print(f"\n[dim]{hint}[/dim]")
        self._last = answer
        self._history += [Turn("user", question), Turn("assistant", answer.text)]
        del self._history[:-HISTORY_TURNS]

    async def _show_files(self, answer: Answer) -> None:
        if self._files is None or not answer.attachments:
            return
        paths = await asyncio.to_thread(keep_files, self._files, answer.attachments)
        print_files(self._console, answer.attachments, paths)

    def _show_quotes(self) -> None:
        quoted = [citation for citation in (self._last.citations if self._last else ()) if citation.quote]
        if not quoted:
            self._console.print("[dim]There is no answer with quotes yet.[/dim]")
        for citation in quoted:
            self._console.print(Text(f"[{citation.n}] {citation.title}\n    {citation.quote}"))
