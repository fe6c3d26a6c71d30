"""The terminal behind the port of all chats: lines in, replies out, and Ctrl-C to stop an answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from adapters.terminal.display import Display
from adapters.terminal.files import LEARN, learn_line, named_files, read_file
from adapters.terminal.keyboard import Keyboard
from adapters.terminal.transcript import Question
from bot.chat import Reception, Vote
from bot.errors import BotError, BusyError, NotFoundError, UnavailableError
from bot.messages import Audience, FileReference, IncomingMessage, Place, Sender
from bot.replies import Reply
from bot.texts import (
    kept_and_tried_again,
    line_dropped,
    no_quotes,
    nothing_to_stop,
    opinion_stored,
    other_terminal,
    still_open,
    terminal_gone,
    waiting_no_longer,
)

NAME = "terminal"
PROMPT = "\n› "
GREETING = (
    "Ask about GeneNetwork. Every statement of an answer has its source below it; follow-up questions work.\n"
    "[dim]new starts over · help names all commands · /quotes shows the cited passages · /up and /down rate an answer\n"
    "learn PATH reads a file of yours · Ctrl-C stops an answer, or leaves[/dim]"
)
VOTES: Mapping[str, Vote] = {"/up": "up", "/down": "down"}
LEAVING = frozenset(("/quit", "/exit", "/q"))
FIRST_PAUSE_S = 0.5  # until a line that was not accepted is tried again; doubled each time
LONGEST_PAUSE_S = 30.0
LIVE_INTERVAL_S = 0.05
ORDER_STEP = 0.001
T = TypeVar("T")


class TerminalAdapter:
    """A chat with one person: on a terminal one question at a time, from a pipe all lines as they come.

    Questions without an answer and ids of shown answers are kept in the data folder: after a restart the former are
    delivered again (the inbox knows those it has), and of the latter none is shown twice.

    Args:
        folder: Of this chat, below the data folder; made where it is missing.
        console: Where everything is printed.
        read: Called in a thread with the prompt; returns a line, raises EOFError at the end.
        notice: Said once below the greeting.
        pause: Waits before a line is tried again.
    """

    name: str = NAME

    def __init__(
        self,
        folder: Path,
        console: Console,
        read: Callable[[str], str],
        *,
        notice: str | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.draft_interval_s = LIVE_INTERVAL_S if console.is_terminal else 1.0
        self._live = console.is_terminal
        self._notice = notice
        self._pause = pause
        self._display = Display(folder, console)
        self._keyboard = Keyboard(read)
        self._sender = Sender(NAME, "", str(os.getuid()), _own_name())
        self._order = 0.0
        self._awaited: set[str] = set()
        self._idle = asyncio.Event()
        self._gone = False

    async def run(self, reception: Reception) -> None:
        """Read and deliver until the person leaves or, from a pipe, the last question has its answer.

        Raises:
            StorageError: If the data folder cannot be used, or another process chats with it.
        """
        await asyncio.to_thread(self._display.occupy)
        channel, still = await asyncio.to_thread(self._display.open)
        place = Place(NAME, "", channel, "", Audience.DIRECT)
        try:
            with self._keyboard.signals():
                await self._greet(len(still))
                await self._converse(reception, place, still)
        except UnavailableError:
            if not self._gone:
                raise

    async def post(self, place: Place, reply: Reply, *, key: str, answers: str) -> str:
        """Show a reply; its key is its id, so a second try is harmless."""
        await self._show(place, key, answers, reply)
        return key

    async def edit(self, place: Place, post_id: str, reply: Reply) -> None:
        """Show a reply in place of an earlier one, as far as a terminal can."""
        await self._show(place, post_id, None, reply)

    async def remove(self, place: Place, post_id: str) -> None:
        """Take a reply back, as far as a terminal can."""
        await self._check(place)
        await self._draw(self._display.remove, post_id, self._ended())

    async def find(self, place: Place, key: str, *, answers: str) -> str | None:
        """Return the key if something was posted with it, also in an earlier run."""
        await self._check(place)
        return key if await asyncio.to_thread(self._display.known, key) else None

    async def fetch(self, place: Place, file: FileReference, *, max_bytes: int) -> bytes:
        """Return a file that the person named; its id is its path."""
        await self._check(place)
        return await asyncio.to_thread(read_file, file, max_bytes)

    async def ascertain(self, message: IncomingMessage) -> IncomingMessage:
        return message  # nothing is ever uncertain here

    async def belongs(self, sender: Sender, group: str) -> bool:
        return False

    async def direct(self, user: str) -> Place:
        raise NotFoundError("A terminal has one conversation, and nobody can be written to besides.")

    async def _show(self, place: Place, post_id: str, answers: str | None, reply: Reply) -> None:
        await self._check(place)
        await self._draw(self._display.show, post_id, answers, reply, self._ended())

    async def _check(self, place: Place) -> None:
        channel, _ = await asyncio.to_thread(self._display.open)
        if place.channel != channel:
            raise UnavailableError(other_terminal(), retry_after_s=LONGEST_PAUSE_S)

    async def _draw(self, draw: Callable[..., None], *arguments: object) -> None:
        """Draw in a thread: a terminal that is held with Ctrl-S, or a slow pipe, must not hold the other chats."""
        try:
            await asyncio.to_thread(draw, *arguments)
        except UnavailableError:
            self._gone = True
            self._keyboard.interrupt()
            raise

    async def _say(self, sentence: str, style: str = "") -> None:
        await self._draw(self._display.say, sentence, style)

    def _ended(self) -> Callable[[str], None]:
        """Return what is called, in a thread, when a message has its final answer."""
        loop = asyncio.get_running_loop()

        def ended(message_id: str) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits
                loop.call_soon_threadsafe(self._no_longer_await, message_id)

        return ended

    def _no_longer_await(self, *message_ids: str) -> None:
        self._awaited.difference_update(message_ids)
        if not self._awaited:
            self._idle.set()

    async def _greet(self, still: int) -> None:
        if self._live:
            await self._draw(self._display.greet, GREETING)
        if self._notice:
            await self._say(self._notice, "dim")
        if still:
            await self._say(still_open(still))

    async def _converse(self, reception: Reception, place: Place, still: Sequence[Question]) -> None:
        for question in still:
            await self._deliver(reception, place, question)
        while True:
            if self._live:
                await self._settle(reception, place)
            line = await self._next_line(reception, place)
            if line is None or line in LEAVING:
                break
            if line:
                await self._take(reception, place, line)
        if not self._live:
            await self._settle(reception, place)

    async def _next_line(self, reception: Reception, place: Place) -> str | None:
        """Return a line; None at the end, or when Ctrl-C was pressed and nothing was there to stop."""
        prompt = PROMPT if self._live else ""
        await self._draw(self._display.set_prompt, prompt)
        line = self._keyboard.line(prompt)
        while not await self._until(line):
            if not self._awaited or not await self._stop(reception, place):
                break
        await self._draw(self._display.set_prompt, "")
        entered = line.result() if line.done() else None
        if entered is None and self._live:
            await self._say("")  # what follows in the terminal begins on a line of its own
        return entered

    async def _until(self, awaited: Awaitable[object]) -> bool:
        """Return True when it is done, False when Ctrl-C came first.

        Raises:
            UnavailableError: If the terminal is gone.
        """
        done = await self._keyboard.until(awaited)
        if self._gone:
            raise UnavailableError(terminal_gone())
        return done

    async def _settle(self, reception: Reception, place: Place) -> None:
        """Wait until every question has its answer; Ctrl-C stops them, once more and nothing is waited for."""
        stopping = False
        while self._awaited and not await self._until(self._idle.wait()):
            if stopping or not await self._stop(reception, place):
                if self._awaited:
                    await self._say(waiting_no_longer(), "dim")
                self._no_longer_await(*self._awaited)
            stopping = True

    async def _take(self, reception: Reception, place: Place, line: str) -> None:
        """Do what a line asks for."""
        from bot.commands import find_command  # needs the extra `run`, which the other chat of this package does not

        word, _, comment = line.partition(" ")
        command = find_command(line)
        if command is not None and command.name == "stop":
            # Not a message but the button of other chats: it takes no turn, and needs no answer where it stopped one.
            if await self._stop(reception, place) is False:
                await self._say(nothing_to_stop())
        elif word in VOTES:
            handle = self._display.last_handle
            stored = await self._ask(reception.vote(place, self._sender, handle, VOTES[word], comment.strip()))
            if stored is not None:
                await self._say(opinion_stored(stored), "dim")
        elif line == "/quotes":
            passages = await self._ask(reception.passages(place, self._sender, self._display.last_handle))
            if passages:
                await self._draw(self._display.quote, passages)
            elif passages is not None:
                await self._say(no_quotes(), "dim")
        else:
            try:
                files = [] if command is not None else await asyncio.to_thread(named_files, line)
            except NotFoundError as error:
                await self._say(str(error))
                return
            self._order = max(self._order + ORDER_STEP, time.time())
            question = Question(secrets.token_hex(8), learn_line(files) if files else line, self._order)
            await self._draw(self._display.ask, question)
            await self._deliver(reception, place, question)

    async def _deliver(self, reception: Reception, place: Place, question: Question) -> None:
        """Hand a question over; while nothing is accepted, again after growing pauses, or until Ctrl-C."""
        self._order = max(self._order, question.order)
        try:
            files = tuple(await asyncio.to_thread(named_files, question.text))
        except NotFoundError as error:  # it is gone since the line was typed, in an earlier run
            await self._drop(question, str(error))
            return
        asked = LEARN if files else question.text
        message = IncomingMessage(place, self._sender, question.message_id, asked, question.order, files=files)
        self._awaited.add(question.message_id)
        self._idle.clear()
        pause_s = FIRST_PAUSE_S
        told = False
        while True:
            try:
                await reception.message(message)
            except (BusyError, UnavailableError) as error:
                if not told:
                    await self._say(kept_and_tried_again(str(error)))
                told = True
                retry_s = getattr(error, "retry_after_s", None) or pause_s
                if not await self._until(self._pause(min(retry_s, LONGEST_PAUSE_S))):
                    await self._drop(question, line_dropped())
                    return
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            except BotError as error:
                await self._drop(question, str(error))
                return
            else:
                # A worker that went on with it sooner than this chat began may have answered it already.
                if not await asyncio.to_thread(self._display.is_open, question.message_id):
                    self._no_longer_await(question.message_id)
                return

    async def _drop(self, question: Question, sentence: str) -> None:
        """A question is not asked after all."""
        await self._draw(self._display.give_up, question.message_id)
        self._no_longer_await(question.message_id)
        await self._say(sentence)

    async def _stop(self, reception: Reception, place: Place) -> bool | None:
        """Stop what runs; None when that could not be asked."""
        return await self._ask(reception.stop(place, self._sender))

    async def _ask(self, call: Awaitable[T]) -> T | None:
        """Await an answer of the reception; None, with a sentence, when it has none."""
        try:
            return await call
        except BotError as error:
            await self._say(str(error))
            return None


def _own_name() -> str:
    """Return the person's account name, for showing; "" where the system has none, as in some containers."""
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_name
    return ""
