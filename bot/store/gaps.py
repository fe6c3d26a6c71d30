"""Questions that the documents did not answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from bot.evidence import Answer, Citation
from bot.messages import Audience
from bot.plain_text import without_controls
from bot.requests import Request
from bot.store.client import Command, Store
from bot.store.keys import KeyKind
from bot.store.person_index import PersonIndex
from bot.store.records import Record
from bot.store.timeline import Timeline

MAX_QUESTION_CHARS = 2000
INDEX = "gaps"
RECORD = "gap"

GAPS_KEYS = (
    KeyKind(
        "gap:*",
        "string",
        "LOCUS_RETENTION_DAYS",
        "5,000, some 5 kB each",
        "a question the documents did not answer, and the closest ones; not who asked",
    ),
    KeyKind("gaps", "zset", "LOCUS_RETENTION_DAYS", "5,000", "unanswered questions by time"),
)


@dataclass(frozen=True, slots=True)
class UnansweredQuestion:
    """A question without an answer; who asked stands in the person's index only, so that they can have it deleted.

    Attributes:
        request_id: The request that asked it; its handle.
        question: As asked.
        at: Seconds since 1970, UTC.
        chat: Name of the adapter.
        channel_id: Handle of the channel.
        audience: Who could read it there.
        scopes: What was searched.
        confidence: As in `Evidence`.
        closest: The nearest documents, best first.
    """

    request_id: str
    question: str
    at: float
    chat: str
    channel_id: str
    audience: Audience
    scopes: tuple[str, ...]
    confidence: float
    closest: tuple[Citation, ...]


QUESTIONS = Record(UnansweredQuestion)


class Unanswered:
    """Keeps unanswered questions.

    Args:
        store: Where.
        days: Lifetime of a question.
        limit: Number of questions; the oldest go.
        clock: Seconds since 1970.
    """

    def __init__(self, store: Store, *, days: float, limit: int = 5000, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._people = PersonIndex(store, days=days, clock=clock)
        self._timeline = Timeline(
            store, index=INDEX, name=RECORD, records=QUESTIONS, days=days, limit=limit, clock=clock
        )

    async def keep(self, request: Request, answer: Answer, scopes: Sequence[str]) -> list[Command]:
        """Return the commands that keep a question; none when it was answered."""
        if answer.answered:
            return []
        place = request.message.place
        question = UnansweredQuestion(
            request_id=request.request_id,
            question=without_controls(answer.question[:MAX_QUESTION_CHARS]),
            at=self._clock(),
            chat=place.chat,
            channel_id=place.channel_id,
            audience=place.audience,
            scopes=tuple(scopes),
            confidence=answer.confidence,
            closest=answer.citations,
        )
        return [
            *await self._timeline.keep(request.request_id, question),
            *self._people.remember(request.message.sender.person_id, "gap", request.request_id),
        ]

    def forget(self, request_id: str) -> list[Command]:
        """Return the commands that delete a question."""
        return self._timeline.forget(request_id)

    async def list(self, since: float | None = None) -> list[UnansweredQuestion]:
        """Return the questions, newest first; `since` in seconds since 1970."""
        async with aclosing(self._timeline.newest(since)) as questions:
            return [question async for question in questions]
