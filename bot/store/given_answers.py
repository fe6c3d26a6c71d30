"""Answers that were given, by the random handle that their buttons carry."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from time import time

from bot.given import GivenAnswer
from bot.store.client import Command, Store, number, text
from bot.store.conversations import storable
from bot.store.keys import KeyKind
from bot.store.person_index import DAY_MS, PersonIndex
from bot.store.records import Record

MAX_PASSAGE_CHARS = 4000  # of a cited passage; chunks are shorter
_HANDLE = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)

GIVEN = Record(GivenAnswer)
GIVEN_KEYS = (
    KeyKind(
        "given:*",
        "string",
        "LOCUS_RETENTION_DAYS",
        "one per answer, about 5 kB each",
        "an answer with its question, scopes and cited passages",
    ),
)


class GivenAnswers:
    """The answers that were given.

    Args:
        store: Where.
        days: How long they are kept.
        clock: Seconds since 1970.
    """

    def __init__(self, store: Store, *, days: float, clock: Callable[[], float] = time) -> None:
        self._store = store
        self._lifetime_ms = max(1, int(days * DAY_MS))
        self._clock = clock
        self._people = PersonIndex(store, days=days, clock=clock)

    def keep(self, given: GivenAnswer) -> list[Command]:
        """Return the commands that keep an answer."""
        passages = tuple(
            dataclasses.replace(passage, text=storable(passage.text, MAX_PASSAGE_CHARS)) for passage in given.passages
        )
        # Pictures and tables live as long as the request that shows them.
        answer = dataclasses.replace(given.answer, attachments=())
        value = GIVEN.dump(dataclasses.replace(given, answer=answer, passages=passages))
        return [
            ("SET", self._key(given.handle), value, "PX", self._lifetime_ms),
            *self._people.remember(given.person_id, "given", given.handle),
        ]

    async def find(self, handle: str) -> GivenAnswer | None:
        """Return an answer, or None; a handle comes from outside and may be anything."""
        if not _HANDLE.fullmatch(handle):
            return None
        return GIVEN.find(text(await self._store.call("GET", self._key(handle))))

    async def find_kept(self, handle: str) -> tuple[GivenAnswer, float] | None:
        """Return an answer and until when it is kept, in seconds since 1970 (UTC); as `find`."""
        if not _HANDLE.fullmatch(handle):
            return None
        value, left_ms = await self._store.batch(("GET", self._key(handle)), ("PTTL", self._key(handle)))
        given = GIVEN.find(text(value))
        return None if given is None else (given, self._clock() + max(0, number(left_ms)) / 1000)

    async def forget(self, person_id: str, handle: str) -> bool:
        """Delete an answer to a question of this person."""
        replies = await self._store.transaction(
            ("DEL", self._key(handle)), self._people.gone(person_id, "given", handle)
        )
        return bool(replies[0])

    def _key(self, handle: str) -> str:
        return given_key(self._store, handle)


def given_key(store: Store, handle: str) -> str:
    """Return the key of an answer."""
    return store.key("given", handle)
