"""Answer cards: what an answer was made from, kept in files, so that the same text can be produced again."""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import hashlib
import logging
import math
import os
import re
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue, TypeAdapter, ValidationError

from bot.errors import NotFoundError, StorageError
from bot.evidence import Answer, Citation, CitedPassage, Passage
from bot.generation import ModelFacts
from bot.messages import Turn, digest
from bot.ports import ModelCall
from bot.texts import unknown_answer

logger = logging.getLogger(__name__)

ANSWERS_FOLDER = "answers"  # in the data folder
DEFAULT_LIMIT = 2000
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike
_ID_CHARS = 10
RECENT = 64  # cards whose files are not looked for in the folder
AGE_EVERY_S = 3600.0  # how often cards are looked at for their age
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


def cited_passages(card: AnswerCard) -> tuple[CitedPassage, ...]:
    """Return the passage behind each citation: the one of its document that holds most of the quoted words."""
    found: list[CitedPassage] = []
    for citation in card.answer.citations:
        words = set(citation.quote.split())
        candidates = _passages_of(card, citation)
        if candidates and words:
            best = max(candidates, key=lambda passage: len(words & set(passage.text.split())))
            found.append(CitedPassage(citation, best.heading, best.text, best.scope, best.passage_id))
    return tuple(found)


def cited_scopes(card: AnswerCard) -> frozenset[str] | None:
    """Return the scopes of all documents that an answer names, or None where one of them is not known."""
    scopes: set[str] = set()
    for citation in card.answer.citations:
        scopes |= {one.scope for one in _passages_of(card, citation)} or {""}
    return None if "" in scopes else frozenset(scopes)


def _passages_of(card: AnswerCard, citation: Citation) -> list[Passage]:
    """Return the passages of the document that a citation names."""
    document = (citation.source, citation.url)
    return [one.passage for one in card.passages if document in {(home.source, home.url) for home in one.passage.homes}]


async def keep_card(store: CardStore, card: AnswerCard, *, user: str = "") -> Answer:
    """Give a card its handle and time, keep it, and return its answer with the handle.

    Whom the calls of the model were made for is left out. Where the card cannot be kept, the answer is given all the
    same, without a handle.

    Args:
        store: Where.
        card: What.
        user: Whose question it answers, or "" where nobody else asks here; see `CardStore.delete_of`.
    """
    card = replace(
        card,
        answer=replace(card.answer, answer_id=new_answer_id()),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        calls=tuple(replace(call, request=replace(call.request, user="", conversation="")) for call in card.calls),
    )
    try:
        await asyncio.to_thread(store.save, card, user)
    except StorageError as error:
        logger.warning("an answer was given without a card: %s", error)
        return replace(card.answer, answer_id="")
    return card.answer


class CardStore:
    """Cards in a folder, one file each, readable by the owner only; the oldest go when there are too many.

    The name of a file is the card's handle and, behind a "-", a digest of the person it was made for, if any.
    """

    def __init__(self, folder: Path, *, limit: int = DEFAULT_LIMIT, days: float | None = None) -> None:
        """Use a folder; it is made when the first card is kept.

        Args:
            folder: Where the files are.
            limit: Most cards to keep, at least 1.
            days: Longest time to keep a card, or None for any.
        """
        self._folder = folder
        self._limit = limit
        self._lifetime_s = None if days is None else days * 86_400
        self._aged_at = -math.inf
        self._recent: dict[str, Path] = {}
        self._lock = threading.Lock()

    def save(self, card: AnswerCard, user: str = "") -> None:
        """Keep a card; readers see all of it or nothing. Blocking.

        Args:
            card: What.
            user: Whose question it answers, or "".

        Raises:
            StorageError: If it cannot be written.
        """
        path = self._folder / f"{_checked(card.answer.answer_id)}{_mark(user)}.json"
        temporary = path.with_suffix(f".{secrets.token_hex(4)}.part")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(_CARD.dump_json(card, indent=1))
            # Not flushed to disk: a card lost with the power is no loss, and waiting for the disk would delay answers.
            temporary.replace(path)
            with self._lock:
                self._recent[card.answer.answer_id] = path
                if len(self._recent) > RECENT:
                    del self._recent[next(iter(self._recent))]
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
        path = self._find(answer_id)
        try:
            card = _CARD.validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError(unknown_answer(answer_id)) from error
        except (OSError, ValidationError) as error:
            raise StorageError(f"The card {path} is damaged or cannot be read: delete it.") from error
        if any(text_sha256(one.passage.text) != one.sha256 for one in card.passages):
            raise StorageError(f"The card {path} was changed: a passage does not match its hash.")
        return card

    def delete_of(self, user: str) -> int:
        """Delete the cards of a person's questions and return how many those were. Blocking.

        Raises:
            StorageError: If one cannot be deleted.
        """
        count = 0
        try:
            for path in self._folder.glob(f"*{_mark(user)}.json") if user else ():
                path.unlink(missing_ok=True)
                count += 1
        except OSError as error:
            raise StorageError(f"A card in {self._folder} cannot be deleted: {error.strerror}.") from error
        return count

    def _find(self, answer_id: str) -> Path:
        name = _checked(answer_id)
        recent = self._recent.get(name)
        return recent or next(self._folder.glob(f"{name}-*.json"), self._folder / f"{name}.json")

    def _prune(self) -> None:
        with os.scandir(self._folder) as entries:
            cards = [entry for entry in entries if entry.name.endswith(".json")]
        aging = self._lifetime_s is not None and time.monotonic() - self._aged_at > AGE_EVERY_S
        if len(cards) <= self._limit and not aging:
            return
        by_age: list[tuple[int, str]] = []
        for entry in cards:
            with contextlib.suppress(FileNotFoundError):  # another process prunes too
                by_age.append((entry.stat().st_mtime_ns, entry.path))
        by_age.sort()
        gone = max(0, len(by_age) - self._limit)
        if self._lifetime_s is not None:
            self._aged_at = time.monotonic()
            gone = max(gone, bisect.bisect_left(by_age, (int((time.time() - self._lifetime_s) * 1e9), "")))
        for _, path in by_age[:gone]:
            Path(path).unlink(missing_ok=True)


def _checked(answer_id: str) -> str:
    if not _ID.fullmatch(answer_id):
        raise NotFoundError(unknown_answer(answer_id))
    return answer_id


def _mark(user: str) -> str:
    return f"-{digest('card', user)}" if user else ""
