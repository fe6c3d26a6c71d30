"""Files that were read and wait for the word of who sent them; nobody finds them before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.errors import InvalidRequestError
from bot.messages import Place
from bot.store.client import Command, Store, text, texts
from bot.store.keys import KeyKind
from bot.store.person_index import DAY_MS, PersonIndex
from bot.store.records import Record
from bot.teaching import Draft
from bot.teaching_texts import too_many_previews

LIMIT = 50  # conversations with files that wait, of all people
LIMIT_PER_PERSON = 5
MAX_CHARS = 2_000_000  # of the texts that wait in one conversation; a draft's own bound is the same

DRAFT_KEYS = (
    KeyKind(
        "draft:*",
        "string",
        "a day",
        "50, up to 6 MB each",
        "files that were read and wait for `keep`, by conversation and person",
    ),
    KeyKind("drafts", "zset", "a day", "50 members", "which of these there are, by time"),
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What one person has sent in one conversation and not decided on."""

    drafts: tuple[Draft, ...] = ()


WAITING = Record(Waiting)


class Drafts:
    """The files that wait; they are dropped after a day.

    Args:
        store: Where.
        clock: Seconds since 1970.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._index = store.key("drafts")
        self._people = PersonIndex(store, days=1, clock=clock)

    async def find(self, conversation_id: str, person_id: str) -> tuple[Draft, ...]:
        """Return what waits for a person's decision in a conversation."""
        stored = text(await self._store.call("GET", self._key(conversation_id, person_id)))
        waiting = await asyncio.to_thread(WAITING.find, stored)
        return waiting.drafts if waiting is not None else ()

    async def others_wait(self, place: Place) -> bool:
        """True when something waits in a conversation for anybody's decision."""
        members = await self._members()
        return any(member.partition("/")[0] == place.conversation_id for member in members)

    async def put(self, place: Place, person_id: str, drafts: Sequence[Draft]) -> list[Command]:
        """Return the commands that let these wait, in place of what waits for that person there.

        Raises:
            InvalidRequestError: If more wait already than are kept.
        """
        member = f"{place.conversation_id}/{person_id}"
        others = [one for one in await self._members() if one != member]
        mine = sum(1 for one in others if one.partition("/")[2] == person_id)
        if mine >= LIMIT_PER_PERSON or len(others) >= LIMIT:
            raise InvalidRequestError(too_many_previews(own=mine >= LIMIT_PER_PERSON))
        value = await asyncio.to_thread(WAITING.dump, Waiting(tuple(drafts)))
        return [
            ("SET", self._key(place.conversation_id, person_id), value, "PX", DAY_MS),
            ("ZADD", self._index, self._now_ms(), member),
            ("PEXPIRE", self._index, DAY_MS),
            *self._people.remember(person_id, "draft", place.conversation_id),
        ]

    def drop(self, conversation_id: str, person_id: str) -> list[Command]:
        """Return the commands that end the waiting."""
        return [
            ("DEL", self._key(conversation_id, person_id)),
            ("ZREM", self._index, f"{conversation_id}/{person_id}"),
            self._people.gone(person_id, "draft", conversation_id),
        ]

    async def forget(self, person_id: str, conversation_id: str) -> bool:
        """Drop what waits for a person in a conversation."""
        replies = await self._store.transaction(*self.drop(conversation_id, person_id))
        return bool(replies[0])

    async def _members(self) -> list[str]:
        _, members = await self._store.batch(
            ("ZREMRANGEBYSCORE", self._index, "-inf", self._now_ms() - DAY_MS), ("ZRANGE", self._index, 0, -1)
        )
        return texts(members)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def _key(self, conversation_id: str, person_id: str) -> str:
        return self._store.key("draft", conversation_id, person_id)
