"""What is visible in a terminal: replies by their ids, each final one shown once, also across restarts."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from adapters.terminal.render import print_page, print_sections, print_sources
from adapters.terminal.screen import Screen
from adapters.terminal.transcript import Question, Transcript
from bot.code_blocks import split_code
from bot.errors import NotFoundError, StorageError, UnavailableError
from bot.evidence import CitedPassage
from bot.plain_text import without_controls
from bot.replies import Attachment, Reply, Stage
from bot.texts import asked_before_restart, file_not_written, file_written, terminal_gone, terminal_in_use

LOCK_FILE = "lock"
FILES_FOLDER = "files"
_QUOTED_CHARS = 300
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_CHARS = 80


class Display:
    """The posts of one terminal. Its methods block on the disk and the terminal: call them in threads, any of them.

    Args:
        folder: Of the chat; made where it is missing.
        console: Where to.
    """

    def __init__(self, folder: Path, console: Console) -> None:
        self._folder = folder
        self._screen = Screen(console)
        self._lock = threading.Lock()
        self._transcript: Transcript | None = None
        self._locked: int | None = None
        self._removed: set[str] = set()
        self._told: set[str] = set()
        self._about = ""
        self._gone = False
        self.last_handle = ""

    def open(self) -> tuple[str, list[Question]]:
        """Return the id of the channel and the questions without an answer; read once.

        Raises:
            StorageError: If the folder cannot be used.
        """
        with self._lock:
            return self._records.channel, self._records.open_questions

    def occupy(self) -> None:
        """Keep other processes from chatting with the same folder.

        Raises:
            StorageError: If one does already.
        """
        with self._lock:
            _ = self._records  # makes the folder
            if self._locked is None:
                # The kind of lock that belongs to a process: its own threads, and its next run, are not kept out.
                descriptor = os.open(self._folder / LOCK_FILE, os.O_WRONLY | os.O_CREAT, 0o600)
                try:
                    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError as error:
                    os.close(descriptor)
                    raise StorageError(terminal_in_use(str(self._folder))) from error
                self._locked = descriptor  # held until the process ends, whatever way

    def ask(self, question: Question) -> None:
        """A line was typed: what comes next is about it."""
        with self._lock:
            self._records.ask(question)
            if self._screen.live:
                self._about = question.message_id

    def give_up(self, message_id: str) -> None:
        """A line was never accepted."""
        with self._lock:
            self._records.give_up(message_id)

    def is_open(self, message_id: str) -> bool:
        """True until the final reply to a question was shown."""
        with self._lock:
            return self._records.question(message_id) is not None

    def set_prompt(self, prompt: str) -> None:
        """A prompt is shown, or with "" no longer."""
        with self._drawing():
            if self._screen.live:
                self._about = ""
            self._screen.set_prompt(prompt)

    def say(self, text: str, style: str = "") -> None:
        """Print a sentence that belongs to no post."""
        with self._drawing():
            self._screen.say(text, style)

    def greet(self, greeting: str) -> None:
        """Print a text with rich's markup."""
        with self._drawing():
            self._screen.begin_block().print(greeting)

    def quote(self, passages: Sequence[CitedPassage]) -> None:
        """Print the passages behind an answer."""
        with self._drawing():
            for passage in passages:
                title = " > ".join(filter(None, (passage.citation.title, passage.heading)))
                self._screen.say(f"[{passage.citation.n}] {title}", "bold")
                self._screen.say(passage.text)

    def known(self, post_id: str) -> bool:
        """True when something was posted under this id."""
        with self._lock:
            return self._records.answers(post_id) is not None

    def show(self, post_id: str, answers: str | None, reply: Reply, ended: Callable[[str], None]) -> None:
        """Show a reply as it is now; nothing happens when its final form was shown.

        Args:
            post_id: Which.
            answers: The message it answers, where that is known.
            reply: What.
            ended: Called with that message when the reply is final, whether or not it was shown before.

        Raises:
            NotFoundError: If the post was removed.
            UnavailableError: If nobody can read it any more.
        """
        with self._drawing():
            if post_id in self._removed:
                raise NotFoundError("The answer was removed.")
            records = self._records
            if not records.was_shown(post_id):
                records.post(post_id, answers or "")
                self._draw(post_id, records.answers(post_id) or "", reply)
                if reply.final:
                    records.show(post_id)
                    self._told.discard(post_id)
            if reply.final:
                ended(records.answers(post_id) or "")

    def remove(self, post_id: str, ended: Callable[[str], None]) -> None:
        """Take a post back, as far as a terminal can."""
        with self._drawing():
            self._screen.abandon(post_id)
            self._screen.begin_block()
            self._screen.end_block()
            self._removed.add(post_id)
            self._records.show(post_id)
            ended(self._records.answers(post_id) or "")

    def _draw(self, post_id: str, message_id: str, reply: Reply) -> None:
        screen = self._screen
        if reply.stage is Stage.FINAL:
            self._draw_final(post_id, message_id, reply)
        elif screen.prompting:
            return  # nothing moves while somebody types; the final reply comes above the prompt
        elif reply.stage is Stage.DRAFT:
            if screen.live and screen.may_grow(post_id):
                self._head(message_id)
                screen.grow(post_id, reply.text)
        elif screen.in_place:
            screen.abandon(post_id)  # another worker begins anew
            if screen.may_grow(post_id):
                screen.replace(reply.text)
        elif post_id not in self._told:
            self._told.add(post_id)
            self._head(message_id)
            screen.say(reply.text, "dim")

    def _draw_final(self, post_id: str, message_id: str, reply: Reply) -> None:
        screen = self._screen
        text = without_controls(reply.text)
        drafted = screen.drafted(post_id)
        if not screen.finish(post_id, reply.text):
            self._head(message_id)
            console = screen.begin_block()
            if drafted:
                # The checked answer replaces what was streamed; only supported statements are left in it.
                console.print("\n[bold]Checked answer[/bold]" if reply.answered else "")
            for piece, is_code in split_code(text):
                console.print(Text(piece), end="", soft_wrap=is_code or not screen.live)
            console.print()
        else:
            console = screen.begin_block()
        print_sections(console, reply.sections)
        print_sources(console, reply.citations, answered=reply.answered)
        if reply.note:
            console.print(Text(f"\n{without_controls(reply.note)}", style="dim"), soft_wrap=not screen.live)
        for attachment in reply.attachments:
            console.print(Text(f"\n{self._keep(attachment)}"), soft_wrap=True)
        print_page(console, reply.page)
        if reply.reference:
            console.print(Text(f"\nReference {without_controls(reply.reference)}", style="dim"), soft_wrap=True)
        screen.end_block()
        if reply.handle:
            self.last_handle = reply.handle

    def _head(self, message_id: str) -> None:
        """Say what follows is about, unless that was the last thing on the screen."""
        if message_id == self._about:
            return
        self._about = message_id
        question = self._records.question(message_id)
        if question is None:
            return
        text = " ".join(without_controls(question.text).split())
        if len(text) > _QUOTED_CHARS:
            text = f"{text[:_QUOTED_CHARS]}…"
        console = self._screen.begin_block()
        console.print(Text(f"\n{asked_before_restart(text) if question.old else f'› {text}'}", style="dim"))

    def _keep(self, attachment: Attachment) -> str:
        """Write a file that came with a reply and return what to say of it; no file is ever overwritten."""
        name = _UNSAFE.sub("-", attachment.name).strip(".-")[-_NAME_CHARS:] or "file"
        stem, dot, ending = name.rpartition(".")
        folder = self._folder / FILES_FOLDER
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            for number in itertools.count(1):
                tried = name if number == 1 else f"{stem or ending}-{number}{dot}{ending if stem else ''}"
                with contextlib.suppress(FileExistsError), open(folder / tried, "xb", opener=_private) as file:
                    file.write(attachment.data)
                    return file_written(str(folder / tried))
        except OSError as error:
            return file_not_written(name, error.strerror or str(error))
        raise AssertionError("unreachable")

    @property
    def _records(self) -> Transcript:
        if self._transcript is None:
            self._transcript = Transcript(self._folder)
        return self._transcript

    @contextlib.contextmanager
    def _drawing(self) -> Iterator[None]:
        """Translate what a terminal that is gone does; rich ends the process when the reader of a pipe has left."""
        with self._lock:
            if self._gone:
                raise UnavailableError(terminal_gone())
            try:
                yield
            except (OSError, SystemExit) as error:
                self._gone = True
                raise UnavailableError(terminal_gone()) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
