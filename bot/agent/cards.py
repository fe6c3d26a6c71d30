"""Answer cards: what an answer was made from, kept in files, so that the same text can be produced again."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue, TypeAdapter, ValidationError

from bot.errors import NotFoundError, StorageError
from bot.evidence import Answer, Passage
from bot.generation import ModelFacts
from bot.messages import Turn
from bot.ports import ModelCall
from bot.texts import unknown_answer

logger = logging.getLogger(__name__)

ANSWERS_FOLDER = "answers"  # in the data folder
DEFAULT_LIMIT = 2000
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike
_ID_CHARS = 10
_ID = re.compile(f"[{_LETTERS}]{{{_ID_CHARS}}}")


@dataclass(frozen=True, slots=True)
class NumberedPassage:
    """A passage as the model was given it; `sha256` is the hash of its text in UTF-8."""

    number: int
    sha256: str
    passage: Passage


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of a tool the model made, and what it got."""

    name: str
    arguments: Mapping[str, JsonValue]
    result: str


@dataclass(frozen=True, slots=True)
class AnswerCard:
    """All that an answer was made from.

    Attributes:
        answer: The answer as given; its `answer_id` is the card's handle.
        search_for: What was searched for; a follow-up made complete.
        history: Earlier turns, oldest first.
        scopes: What could be searched.
        passages: What the answer could rest on.
        settings: Settings that shape an answer, by name.
        model: The model, or None for a quoted answer.
        seed: Of the model's random numbers.
        calls: Every call of the model, with the exact messages, sampling and grammar.
        tool_uses: Calls of tools with their results.
        created_at: When, in ISO 8601 and UTC.
    """

    answer: Answer
    search_for: str
    history: tuple[Turn, ...]
    scopes: tuple[str, ...]
    passages: tuple[NumberedPassage, ...]
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    model: ModelFacts | None = None
    seed: int = 0
    calls: tuple[ModelCall, ...] = ()
    tool_uses: tuple[ToolUse, ...] = ()
    created_at: str = ""


_CARD = TypeAdapter(AnswerCard)


def new_answer_id() -> str:
    """Return a random handle of ten letters and digits (49 bits)."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_ID_CHARS))


def text_sha256(text: str) -> str:
    """Return the hash of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def number_passages(passages: Sequence[Passage]) -> tuple[NumberedPassage, ...]:
    """Return the passages with their numbers, from 1, and hashes."""
    return tuple(
        NumberedPassage(number, text_sha256(passage.text), passage) for number, passage in enumerate(passages, start=1)
    )


def card_json(card: AnswerCard) -> str:
    """Return the card as JSON, as it stands in its file."""
    return _CARD.dump_json(card, indent=1).decode()


async def keep_card(store: CardStore, card: AnswerCard) -> Answer:
    """Give a card its handle and time, keep it, and return its answer with the handle.

    Whom the calls of the model were made for is left out. Where the card cannot be kept, the answer is given all the
    same, without a handle.
    """
    card = replace(
        card,
        answer=replace(card.answer, answer_id=new_answer_id()),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        calls=tuple(replace(call, request=replace(call.request, user="", conversation="")) for call in card.calls),
    )
    try:
        await asyncio.to_thread(store.save, card)
    except StorageError as error:
        logger.warning("an answer was given without a card: %s", error)
        return replace(card.answer, answer_id="")
    return card.answer


class CardStore:
    """Cards in a folder, one file each, readable by the owner only; the oldest go when there are too many."""

    def __init__(self, folder: Path, *, limit: int = DEFAULT_LIMIT) -> None:
        """Use a folder; it is made when the first card is kept.

        Args:
            folder: Where the files are.
            limit: Most cards to keep, at least 1.
        """
        self._folder = folder
        self._limit = limit

    def save(self, card: AnswerCard) -> None:
        """Keep a card; readers see all of it or nothing. Blocking.

        Raises:
            StorageError: If it cannot be written.
        """
        path = self._path(card.answer.answer_id)
        temporary = path.with_suffix(f".{secrets.token_hex(4)}.part")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(_CARD.dump_json(card, indent=1))
            # Not flushed to disk: a card lost with the power is no loss, and waiting for the disk would delay answers.
            temporary.replace(path)
            self._prune()
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise StorageError(f"The answer's card cannot be kept in {self._folder}: {error.strerror}.") from error

    def load(self, answer_id: str) -> AnswerCard:
        """Return a card. Blocking.

        Raises:
            NotFoundError: If there is none with this handle.
            StorageError: If the file is damaged.
        """
        path = self._path(answer_id)
        try:
            card = _CARD.validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError(unknown_answer(answer_id)) from error
        except (OSError, ValidationError) as error:
            raise StorageError(f"The card {path} is damaged or cannot be read: delete it.") from error
        if any(text_sha256(one.passage.text) != one.sha256 for one in card.passages):
            raise StorageError(f"The card {path} was changed: a passage does not match its hash.")
        return card

    def _path(self, answer_id: str) -> Path:
        if not _ID.fullmatch(answer_id):
            raise NotFoundError(unknown_answer(answer_id))
        return self._folder / f"{answer_id}.json"

    def _prune(self) -> None:
        with os.scandir(self._folder) as entries:
            cards = [entry for entry in entries if entry.name.endswith(".json")]
        if len(cards) <= self._limit:
            return
        by_age = sorted((entry.stat().st_mtime_ns, entry.path) for entry in cards)
        for _, path in by_age[: len(cards) - self._limit]:
            Path(path).unlink(missing_ok=True)
