"""Opinions on answers: thumbs with an optional comment, kept with what they are about."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from bot.chat import Vote
from bot.evidence import Citation
from bot.given import GivenAnswer
from bot.messages import Audience, digest
from bot.plain_text import without_controls
from bot.store.client import Command, Store, Watch, text
from bot.store.given_answers import given_key
from bot.store.keys import KeyKind
from bot.store.person_index import PersonIndex
from bot.store.records import Record
from bot.store.tally import Tally
from bot.store.timeline import Timeline

MAX_COMMENT_CHARS = 2000
INDEX = "opinions"
RECORD = "feedback"

FEEDBACK_KEYS = (
    KeyKind(
        "feedback:*",
        "string",
        "LOCUS_RETENTION_DAYS",
        "LOCUS_FEEDBACK_KEPT, some 10 kB each",
        "an opinion, with question, answer and citations",
    ),
    KeyKind("opinions", "zset", "LOCUS_RETENTION_DAYS", "LOCUS_FEEDBACK_KEPT", "opinions by time"),
)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one person thinks of one answer.

    Attributes:
        handle: The same for every opinion of this person on this answer.
        vote: Thumb up or down.
        comment: In the person's words, or "".
        at: Seconds since 1970, UTC.
        request_id: The request that was answered; the reference people see.
        answer_id: Handle of the answer's card, or "".
        chat: Name of the adapter.
        channel_id: Handle of the channel.
        audience: Who could read it there.
        person_id: Handle of the person who judges.
        question: As asked.
        answer: Text of the answer.
        answered: False where the answer was that the documents do not say.
        citations: Of the answer, ordered by n.
        scopes: What was searched.
    """

    handle: str
    vote: Vote
    comment: str
    at: float
    request_id: str
    answer_id: str
    chat: str
    channel_id: str
    audience: Audience
    person_id: str
    question: str
    answer: str
    answered: bool
    citations: tuple[Citation, ...]
    scopes: tuple[str, ...]


OPINIONS = Record(Opinion)


class Feedback:
    """Keeps opinions.

    Args:
        store: Where.
        days: Lifetime of an opinion.
        limit: Number of opinions; the oldest go.
        clock: Seconds since 1970.
        tally: Counts opinions by day.
    """

    def __init__(
        self,
        store: Store,
        *,
        days: float,
        limit: int,
        clock: Callable[[], float] = time.time,
        tally: Tally | None = None,
    ) -> None:
        self._tally = tally or Tally(store, clock=clock)
        self._store = store
        self._clock = clock
        self._people = PersonIndex(store, days=days, clock=clock)
        self._timeline = Timeline(
            store, index=INDEX, name=RECORD, records=OPINIONS, days=days, limit=limit, clock=clock
        )

    async def vote(self, given: GivenAnswer, person_id: str, vote: Vote, comment: str = "") -> None:
        """Keep an opinion; a second one of the same person on the same answer replaces the first.

        Nothing is kept when the answer has been deleted since it was looked up: its question would come back with it.
        """
        opinion = Opinion(
            handle=_handle(given, person_id),
            vote=vote,
            comment=without_controls(comment[:MAX_COMMENT_CHARS]),
            at=self._clock(),
            request_id=given.request_id,
            answer_id=given.answer.answer_id,
            chat=given.place.chat,
            channel_id=given.place.channel_id,
            audience=given.place.audience,
            person_id=person_id,
            question=given.question,
            answer=given.answer.text,
            answered=given.answer.answered,
            citations=given.answer.citations,
            scopes=given.scopes,
        )
        commands = [
            *await self._timeline.keep(opinion.handle, opinion),
            # It holds the question of the one who asked, too: either may have it deleted.
            *self._people.remember(person_id, "feedback", opinion.handle),
            *self._people.remember(given.person_id, "feedback", opinion.handle),
        ]
        key, earlier_key = given_key(self._store, given.handle), self._store.key(RECORD, opinion.handle)

        async def body(watch: Watch) -> None:
            exists, found = await watch.read(("EXISTS", key), ("GET", earlier_key))
            if exists:
                earlier = OPINIONS.find(text(found))
                back = self._tally.voted(given, earlier.vote, by=-1) if earlier is not None else []
                await watch.commit(*commands, *back, *self._tally.voted(given, vote))

        await self._store.attempt(body, key, earlier_key)

    async def withdraw(self, given: GivenAnswer, person_id: str, vote: Vote) -> bool:
        """Delete a person's opinion on an answer if it is this one; False where it is not."""
        handle = _handle(given, person_id)

        async def body(watch: Watch) -> bool:
            opinion = OPINIONS.find(text((await watch.read(("GET", self._store.key(RECORD, handle))))[0]))
            if opinion is None or opinion.vote != vote:
                return False
            people = {person_id, given.person_id}
            await watch.commit(
                *self.forget(handle),
                *(self._people.gone(person, "feedback", handle) for person in people),
                *self._tally.voted(given, vote, by=-1),
            )
            return True

        return await self._store.attempt(body, self._store.key(RECORD, handle))

    def forget(self, handle: str) -> list[Command]:
        """Return the commands that delete an opinion."""
        return self._timeline.forget(handle)

    async def find(self, handle: str) -> Opinion | None:
        """Return an opinion, or None."""
        return await self._timeline.find(handle)

    async def list(self, *, vote: Vote | None = None, since: float | None = None, limit: int) -> list[Opinion]:
        """Return at most `limit` opinions, newest first; arguments as in `each`."""
        found: list[Opinion] = []
        async with aclosing(self.each(vote=vote, since=since)) as opinions:
            async for opinion in opinions:
                if len(found) == limit:
                    break
                found.append(opinion)
        return found

    async def each(self, *, vote: Vote | None = None, since: float | None = None) -> AsyncGenerator[Opinion]:
        """Yield opinions, newest first, without holding all of them; close it when leaving early.

        Args:
            vote: Only these.
            since: Seconds since 1970; older ones are left out.
        """
        async with aclosing(self._timeline.newest(since)) as opinions:
            async for opinion in opinions:
                if vote in (None, opinion.vote):
                    yield opinion


def _handle(given: GivenAnswer, person_id: str) -> str:
    return digest("opinion", given.handle, person_id)
