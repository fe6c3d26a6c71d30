"""What of a chat in a terminal outlives the process: questions without an answer yet, and which answers were shown."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from bot.errors import StorageError
from bot.texts import terminal_folder_unusable

logger = logging.getLogger(__name__)

VERSION = 1
FILE = "transcript.jsonl"
CHANNEL_FILE = "channel"
MAX_BYTES = 1_000_000
SHOWN_KEPT = 1000  # answers that are remembered as shown; the inbox finishes a request moments after
OPEN_KEPT = 1000  # questions without an answer; the oldest go
_CHANNEL_BYTES = 13
_CHANNEL = re.compile(r"[0-9a-f]{26}")


@dataclass(frozen=True, slots=True)
class Question:
    """A line that was typed and has no final answer yet; `old` for one of an earlier process."""

    message_id: str
    text: str
    order: float
    old: bool = False


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the file.

    Attributes:
        kind: "asked" and "given up" of a question; "posted" of a reply that is not final, "shown" of one that is.
        id: Of the message, or of the post.
        answers: Of a post: the message it answers.
        text: Of a question.
        order: Of a question.
    """

    kind: Literal["asked", "posted", "shown", "given up"]
    id: str
    answers: str = ""
    text: str = ""
    order: float = 0.0


_LINES = TypeAdapter(_Line)


class Transcript:
    """The questions and posts of one data folder; used by one thread at a time.

    A question's text is kept until its answer was shown. Whatever the disk does, the chat goes on: a line that cannot
    be written is logged once and remembered by this process alone.

    Args:
        folder: Of the chat, made where it is missing.

    Raises:
        StorageError: If the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._questions: dict[str, Question] = {}
        self._posts: dict[str, str] = {}
        self._shown: dict[str, str] = {}
        self._limit = MAX_BYTES
        self._failing = False
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.channel = _channel(folder / CHANNEL_FILE)
            damaged = self._load()
        except OSError as error:
            raise StorageError(terminal_folder_unusable(str(folder), error.strerror or str(error))) from error
        if damaged:
            self._rewrite()

    @property
    def open_questions(self) -> list[Question]:
        """Questions without a final answer, the oldest first."""
        return sorted(self._questions.values(), key=lambda question: question.order)

    def question(self, message_id: str) -> Question | None:
        """Return a question that has no final answer yet, or None."""
        return self._questions.get(message_id)

    def answers(self, post_id: str) -> str | None:
        """Return the message that a post answers, or None for a post that is not known."""
        return self._posts.get(post_id, self._shown.get(post_id))

    def was_shown(self, post_id: str) -> bool:
        """True when its final reply was shown."""
        return post_id in self._shown

    def ask(self, question: Question) -> None:
        """Remember a question."""
        self._questions[question.message_id] = question
        self._append(_Line("asked", question.message_id, text=question.text, order=question.order))

    def post(self, post_id: str, answers: str) -> None:
        """Remember a reply that is not final yet."""
        if self.answers(post_id) is None:
            self._posts[post_id] = answers
            self._append(_Line("posted", post_id, answers=answers))

    def show(self, post_id: str) -> None:
        """Remember that a final reply was shown, and forget the question."""
        message_id = self._posts.pop(post_id, "")
        self._shown[post_id] = message_id
        self._questions.pop(message_id, None)
        self._append(_Line("shown", post_id, answers=message_id))
        self._tidy()

    def give_up(self, message_id: str) -> None:
        """Forget a question that was never accepted."""
        if self._questions.pop(message_id, None) is not None:
            self._append(_Line("given up", message_id))
            self._tidy()

    def _load(self) -> bool:
        """Read the file; True when it holds what can be left out."""
        if not self._path.exists():
            return False
        damaged = 0
        data = self._path.read_bytes()
        for raw in data.splitlines():
            line = _parse(raw)
            if line is None:
                damaged += 1
            else:
                self._take(line)
        if damaged:
            logger.warning("%d lines of %s cannot be read and were left out", damaged, self._path)
        return damaged > 0 or not data.endswith(b"\n") or len(data) > MAX_BYTES

    def _take(self, line: _Line) -> None:
        if line.kind == "asked":
            self._questions[line.id] = Question(line.id, line.text, line.order, old=True)
        elif line.kind == "posted":
            self._posts[line.id] = line.answers
        elif line.kind == "shown":
            self._posts.pop(line.id, None)
            self._shown[line.id] = line.answers
            self._questions.pop(line.answers, None)
        else:
            self._questions.pop(line.id, None)

    def _append(self, line: _Line) -> None:
        if self._failing:
            self._rewrite()  # with this line, and without the half line that may stand at the end
            return
        try:
            with open(self._path, "ab", buffering=0, opener=_private) as file:
                file.write(_dump(line))
                size = file.tell()
        except OSError as error:
            self._cannot_write(error)
        else:
            if size > self._limit:
                self._rewrite()

    def _tidy(self) -> None:
        """Take the texts of answered questions out of the file as soon as none is open."""
        if not self._questions:
            self._rewrite()

    def _rewrite(self) -> None:
        """Write the file anew with what is needed."""
        for question in self.open_questions[:-OPEN_KEPT]:
            del self._questions[question.message_id]
        for post_id in [one for one, answers in self._posts.items() if answers not in self._questions][:-SHOWN_KEPT]:
            del self._posts[post_id]
        for post_id in list(self._shown)[:-SHOWN_KEPT]:
            del self._shown[post_id]
        lines = [_Line("asked", one.message_id, text=one.text, order=one.order) for one in self.open_questions]
        lines += [_Line("posted", post_id, answers=answers) for post_id, answers in self._posts.items()]
        lines += [_Line("shown", post_id, answers=answers) for post_id, answers in self._shown.items()]
        data = b"".join(map(_dump, lines))
        # Where many long questions are open, not every further line writes them all again.
        self._limit = max(MAX_BYTES, 2 * len(data))
        try:
            _replace(self._path, data)
        except OSError as error:
            self._cannot_write(error)
        else:
            self._failing = False

    def _cannot_write(self, error: OSError) -> None:
        if not self._failing:
            logger.warning("%s cannot be written: %s", self._path, error.strerror)
        self._failing = True


def _parse(raw: bytes) -> _Line | None:
    """Return a line, or None for one that is torn, damaged or of another version."""
    try:
        fields = json.loads(raw)
        if not isinstance(fields, dict) or fields.pop("v", None) != VERSION:
            return None
        return _LINES.validate_python(fields)
    except (ValueError, ValidationError, RecursionError):
        return None


def _dump(line: _Line) -> bytes:
    fields = {name: value for name, value in asdict(line).items() if value}
    return json.dumps({"v": VERSION, **fields}).encode() + b"\n"


def _channel(path: Path) -> str:
    """Return the id of this folder's channel: random, so that no two machines or containers share one."""
    with contextlib.suppress(FileNotFoundError):
        found = path.read_text(errors="replace").strip()
        if _CHANNEL.fullmatch(found):
            return found
    made = secrets.token_hex(_CHANNEL_BYTES)
    _replace(path, made.encode())
    return made


def _replace(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    temporary = path.with_name(f"{path.name}.new")
    with open(temporary, "wb", opener=_private) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
