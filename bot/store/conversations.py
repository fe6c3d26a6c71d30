"""Conversations: what was asked and answered in a place, as far as a follow-up may need it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.messages import Place, Role, Turn
from bot.requests import Request
from bot.store.client import Command, Store, Watch, texts
from bot.store.keys import KeyKind
from bot.store.person_index import DAY_MS, PersonIndex
from bot.store.records import Record

MAX_TURNS = 200  # of a conversation; an even number, so that questions stay with their answers
MAX_CHARS = 8000  # of a turn
CHARS_PER_TOKEN = 4  # of English text, about
LATEST = 32  # turns read first; few budgets hold more

CONVERSATION_KEYS = (
    KeyKind(
        "conversation:*",
        "list",
        "LOCUS_CONVERSATION_DAYS after the last message",
        f"{MAX_TURNS} turns of up to {MAX_CHARS:,} characters",
        "questions and answers of a conversation, oldest first",
    ),
)


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A turn, and whose it is.

    Attributes:
        role: Who speaks.
        text: What was said, cut if it was very long.
        request_id: The request it belongs to; a question and its answer have the same.
        person_id: Who asked; of an answer too.
        at: Seconds since 1970, UTC.
        scopes: What was searched for the answer; who may not see all of it sees nothing of the turn.
        rests_on: See `bot.given.GivenAnswer`.
    """

    role: Role
    text: str
    request_id: str
    person_id: str
    at: float
    scopes: tuple[str, ...] = ()
    rests_on: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Recalled:
    """What was said before.

    Attributes:
        turns: Oldest first, beginning with a question.
        rests_on: Scopes of what the answers among them rest on.
    """

    turns: tuple[Turn, ...] = ()
    rests_on: frozenset[str] = frozenset()


TURNS = Record(StoredTurn)


class Conversations:
    """The conversations of all places.

    Args:
        store: Where.
        days: How long a conversation is kept after its last message.
        tokens: How much of one is loaded, about.
        clock: Seconds since 1970.
    """

    def __init__(self, store: Store, *, days: float, tokens: int, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._lifetime_ms = max(1, int(days * DAY_MS))
        self._budget_chars = tokens * CHARS_PER_TOKEN
        self._clock = clock
        self._people = PersonIndex(store, days=days, clock=clock)

    async def load(self, place: Place, *, scopes: Sequence[str], before: str = "") -> Recalled:
        """Return the latest turns that fit the budget.

        Args:
            place: Where.
            scopes: What may be seen there now; turns that rest on anything else are left out.
            before: A request: what was said from it on is left out, and everything where it is not remembered any
                more. "" for none.
        """
        key = self._key(place.conversation_id)
        turns: list[StoredTurn] = []  # newest first
        left, passed = self._budget_chars, not before
        for begin, end in ((-LATEST, -1), (-MAX_TURNS, -LATEST - 1)):
            stored = texts(await self._store.call("LRANGE", key, begin, end))
            for turn in filter(None, map(TURNS.find, reversed(stored))):
                if turn.request_id == before:
                    passed = True
                    continue
                if not passed or not set(turn.scopes) <= set(scopes):
                    continue
                left -= len(turn.text)
                if left < 0:
                    break
                turns.append(turn)
            if left < 0 or len(stored) < LATEST:
                break
        while turns and turns[-1].role != "user":
            turns.pop()
        rests_on = (turn.scopes if turn.rests_on is None else turn.rests_on for turn in turns)
        return Recalled(tuple(Turn(turn.role, turn.text) for turn in reversed(turns)), frozenset().union(*rests_on))

    def append(
        self,
        request: Request,
        question: str,
        answer: str,
        *,
        scopes: Sequence[str],
        rests_on: Sequence[str] | None = None,
    ) -> list[Command]:
        """Return the commands that add a question and its answer; scopes as of `StoredTurn`."""
        place, person_id = request.message.place, request.message.sender.person_id
        key, now = self._key(place.conversation_id), self._clock()
        said: tuple[tuple[Role, str], ...] = (("user", question), ("assistant", answer))
        rests = None if rests_on is None else tuple(rests_on)
        turns = (
            StoredTurn(role, storable(text), request.request_id, person_id, now, tuple(scopes), rests)
            for role, text in said
        )
        return [
            ("RPUSH", key, *(TURNS.dump(turn) for turn in turns)),
            ("LTRIM", key, -MAX_TURNS, -1),
            ("PEXPIRE", key, self._lifetime_ms),
            *self._people.remember(person_id, "conversation", place.conversation_id),
        ]

    def tell(self, place: Place, question: str, told: str, *, reference: str) -> list[Command]:
        """Return the commands that begin a conversation with what the bot said of its own accord.

        Args:
            place: Where; usually the thread below what was said.
            question: What it answers, as the first turn of a conversation is a question.
            told: What was said.
            reference: Handle of what was said.
        """
        key, now = self._key(place.conversation_id), self._clock()
        said: tuple[tuple[Role, str], ...] = (("user", question), ("assistant", told))
        turns = (StoredTurn(role, storable(text), reference, "", now) for role, text in said)
        return [
            ("RPUSH", key, *(TURNS.dump(turn) for turn in turns)),
            ("LTRIM", key, -MAX_TURNS, -1),
            ("PEXPIRE", key, self._lifetime_ms),
        ]

    def restart(self, place: Place) -> list[Command]:
        """Return the commands that begin the conversation anew."""
        return [("DEL", self._key(place.conversation_id))]

    async def turns_of(self, person_id: str, conversation_id: str) -> list[StoredTurn]:
        """Return what a person asked in a conversation, with the answers, oldest first."""
        stored = texts(await self._store.call("LRANGE", self._key(conversation_id), 0, -1))
        turns = (TURNS.find(value) for value in stored)
        return [turn for turn in turns if turn is not None and turn.person_id == person_id]

    async def forget(self, person_id: str, conversation_id: str) -> bool:
        """Delete what a person asked in a conversation, and the answers; other people's turns stay."""
        key = self._key(conversation_id)

        async def body(watch: Watch) -> bool:
            stored = texts((await watch.read(("LRANGE", key, 0, -1)))[0])
            # What cannot be read helps nobody, and may be theirs.
            theirs = [value for value in stored if (turn := TURNS.find(value)) is None or turn.person_id == person_id]
            await watch.commit(
                *(("LREM", key, 0, value) for value in dict.fromkeys(theirs)),
                self._people.gone(person_id, "conversation", conversation_id),
            )
            return bool(theirs)

        return await self._store.attempt(body, key)

    def _key(self, conversation_id: str) -> str:
        return self._store.key("conversation", conversation_id)


def storable(text: str, limit: int = MAX_CHARS) -> str:
    """Return a text cut to `limit` characters, without lone surrogates, which no JSON text can hold."""
    cut = text if len(text) <= limit else text[: limit - 2] + " …"
    return cut.encode("utf-8", "replace").decode()
