"""Answers that are given again at once when the same question comes again."""

from __future__ import annotations

import dataclasses
import time
import unicodedata
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.evidence import Answer, CitedPassage
from bot.messages import digest
from bot.ports import MAX_QUESTION_CHARS
from bot.store.client import Command, Store, Watch, text
from bot.store.conversations import storable
from bot.store.keys import KeyKind
from bot.store.person_index import PersonIndex
from bot.store.records import Record

SLOTS = 4096
HOUR_MS = 3_600_000

# A first word that may be written with a capital for being first. Others may be gene symbols, whose capitals tell the
# species: Shh is the mouse's gene and SHH the human one, and Was, Can and Did are genes too.
_QUESTION_WORDS = frozenset("how what when where which who whom whose why".split())
_PLEASE = "please"

CACHE_KEYS = (
    KeyKind(
        "cached:*",
        "string",
        "LOCUS_ANSWER_CACHE_H",
        f"{SLOTS:,} keys, about 5 kB each",
        "an answer, with the question, scopes and signature it is the answer to",
    ),
)


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """An answer that was given before; `cached_at` is in seconds since 1970, UTC."""

    answer: Answer
    passages: tuple[CitedPassage, ...]
    cached_at: float


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer in its slot; it counts only for the very question, scopes and signature that stand with it."""

    question: str
    scopes: tuple[str, ...]
    signature: str
    person_id: str
    cached: CachedAnswer


CACHED = Record(StoredAnswer)


class AnswerCache:
    """Answers by question, scopes and signature.

    There are `SLOTS` keys: a digest of the three says which one an answer has, and a later answer with the same one
    takes its place. So the cache cannot grow beyond them, and nothing has to be tidied up. The signature names the
    revision of the index (see `Application.signature`): after a sync that changed documents nothing kept before is
    found any more.

    Args:
        store: Where.
        hours: How long an answer is given again; 0 keeps none.
        clock: Seconds since 1970.
    """

    def __init__(self, store: Store, *, hours: float, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._lifetime_ms = int(hours * HOUR_MS)
        self._clock = clock
        self._people = PersonIndex(store, days=max(hours, 1.0) / 24, clock=clock)

    async def find(self, question: str, *, scopes: Sequence[str], signature: str) -> CachedAnswer | None:
        """Return the answer to the same question in the same scopes, or None.

        Its `question` is the present one, and it names no card: the card belongs to the person who asked first.
        """
        if self._lifetime_ms <= 0 or len(question) > MAX_QUESTION_CHARS:
            return None
        asked, sorted_scopes = normalised(question), tuple(sorted(set(scopes)))
        found = CACHED.find(text(await self._store.call("GET", self._key(_slot(asked, sorted_scopes, signature)))))
        if found is None or (found.question, found.scopes, found.signature) != (asked, sorted_scopes, signature):
            return None
        return dataclasses.replace(
            found.cached, answer=dataclasses.replace(found.cached.answer, question=question, answer_id="")
        )

    def keep(
        self,
        question: str,
        *,
        scopes: Sequence[str],
        signature: str,
        answer: Answer,
        passages: Sequence[CitedPassage],
        person_id: str,
    ) -> list[Command]:
        """Return the commands that keep an answer; none for one that may be better next time.

        That is a refusal, one from GeneNetwork's data, and one with a note: the model was away and quotes were given
        instead, or part of the conversation was left out. Nor for a question that is too long to be read whole.
        """
        asked, sorted_scopes = normalised(question), tuple(sorted(set(scopes)))
        fleeting = answer.mode == "live" or answer.attachments or answer.note
        if self._lifetime_ms <= 0 or not answer.answered or fleeting or len(question) > MAX_QUESTION_CHARS:
            return []
        slot = _slot(asked, sorted_scopes, signature)
        # What was asked stands once, in its normalised form.
        answer = dataclasses.replace(answer, question="", answer_id="")
        cached = CachedAnswer(answer, tuple(passages), self._clock())
        stored = CACHED.dump(StoredAnswer(asked, sorted_scopes, signature, person_id, cached))
        return [
            ("SET", self._key(slot), stored, "PX", self._lifetime_ms),
            *self._people.remember(person_id, "cached", slot),
        ]

    async def find_of(self, person_id: str, slot: str) -> StoredAnswer | None:
        """Return what a slot holds, if it was made from a question of this person."""
        found = CACHED.find(text(await self._store.call("GET", self._key(slot))))
        return found if found is not None and found.person_id == person_id else None

    async def forget(self, person_id: str, slot: str) -> bool:
        """Empty a slot whose answer was made from a question of this person; one that others took over stays."""
        key = self._key(slot)

        async def body(watch: Watch) -> bool:
            value = text((await watch.read(("GET", key)))[0])
            found = CACHED.find(value)
            theirs = bool(value) and (found is None or found.person_id == person_id)
            deletion: list[Command] = [("DEL", key)] if theirs else []
            await watch.commit(*deletion, self._people.gone(person_id, "cached", slot))
            return theirs

        return await self._store.attempt(body, key)

    def _key(self, slot: str) -> str:
        return self._store.key("cached", slot)


def normalised(question: str) -> str:
    """Return a question without what makes no difference: white space, a full stop, "please" behind it.

    Capitals are kept, see `_QUESTION_WORDS`.
    """
    shortened = " ".join(unicodedata.normalize("NFC", storable(question, len(question))).split())
    while (shorter := _without_ending(shortened)) and shorter != shortened:
        shortened = shorter
    first, space, rest = shortened.partition(" ")
    if first[1:].islower() and first.lower() in _QUESTION_WORDS:
        first = first.lower()
    return f"{first}{space}{rest}"


def _without_ending(question: str) -> str:
    shorter = question.rstrip(" ?.…")
    before = shorter[: -len(_PLEASE)]
    polite = shorter[-len(_PLEASE) :].lower() == _PLEASE and before.endswith((" ", ","))
    return before.rstrip(" ,") if polite else shorter


def _slot(asked: str, scopes: Sequence[str], signature: str) -> str:
    return str(zlib.crc32(digest("answer", asked, signature, *scopes).encode()) % SLOTS)
