"""What is stored of one person: given to them as JSON, or deleted."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from typing import Protocol

from pydantic import JsonValue

from bot.store.agreements import Agreements
from bot.store.answer_cache import AnswerCache
from bot.store.conversations import Conversations
from bot.store.drafts import Drafts
from bot.store.given_answers import GivenAnswers
from bot.store.inbox import Inbox
from bot.store.person_export import MAX_EXPORT_CHARS, PersonExport
from bot.store.person_index import PersonIndex, PersonKind
from bot.store.person_requests import PersonRequests
from bot.store.sent_files import SentFiles
from bot.teaching import TaughtFiles

logger = logging.getLogger(__name__)

ROUNDS = 10  # of deleting, for a person who goes on asking meanwhile
HANDLES_AT_ONCE = 100


class Cards(Protocol):
    """Answer cards in files; see `bot.agent.cards.CardStore`."""

    def delete_of(self, user: str) -> int:
        """Delete the cards of answers to this person and return how many those were. Blocking."""
        ...


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was deleted, by kind.

    Attributes:
        questions: That were open.
        conversations: In which the person asked something.
        answers: As given, with their questions.
        cached: Answers kept to be given again.
        feedback: Opinions of the person, and on answers to the person.
        gaps: Questions kept because the documents did not answer them.
        given_up: Questions that had failed.
        cards: Files with what an answer was made from.
        files: That were sent and not taught: as read, or how to fetch them.
        agreements: To be told when the documents answer a question.
    """

    questions: int = 0
    conversations: int = 0
    answers: int = 0
    cached: int = 0
    feedback: int = 0
    gaps: int = 0
    given_up: int = 0
    cards: int = 0
    files: int = 0
    agreements: int = 0

    @property
    def total(self) -> int:
        """All together."""
        return sum(getattr(self, field.name) for field in fields(self))

    def __add__(self, other: Forgotten) -> Forgotten:
        """Return the sums by kind."""
        return Forgotten(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


class People:
    """Gives and deletes what is stored of a person.

    Args:
        inbox: Open and given-up questions.
        conversations: What was said.
        cache: Answers kept to be given again.
        given: Answers as given.
        cards: Answer cards, where this process has them.
        taught: Tells which files people taught, where this process has the index; these belong to channels and stay.
        patience_s: How long `forget` waits for workers to let go of questions they are answering.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        inbox: Inbox,
        conversations: Conversations,
        cache: AnswerCache,
        given: GivenAnswers,
        cards: Cards | None = None,
        *,
        taught: TaughtFiles | None = None,
        patience_s: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = inbox.store
        self._requests = PersonRequests(inbox, patience_s=patience_s)
        self._export = PersonExport(inbox, conversations, cache, given, taught, clock=clock)
        self._conversations = conversations
        self._cache = cache
        self._given = given
        self._cards = cards
        self._drafts = Drafts(inbox.store)
        self._sent = SentFiles(inbox.store)
        self._agreements = Agreements(inbox.store, days=1, clock=clock)
        self._index = PersonIndex(inbox.store, days=1, clock=clock)

    async def export(self, person_id: str, *, but: str = "", max_chars: int = MAX_EXPORT_CHARS) -> dict[str, JsonValue]:
        """Return what is stored of a person; see `PersonExport.collect`."""
        return await self._export.collect(person_id, but=but, max_chars=max_chars)

    async def forget(self, person_id: str, *, but: str = "") -> Forgotten:
        """Delete what is stored of a person; called again after an interruption it finishes.

        Open questions are withdrawn first. From then on no answer to them can be stored, because the transaction that
        would store it compares the request's revision. What was finished before stands in the person's index, which is
        read after. All of it is repeated until nothing is found, so that what was asked meanwhile goes too.

        Args:
            person_id: Whose.
            but: The request that asks for it; it still has to be answered.
        """
        total = Forgotten()
        for _ in range(ROUNDS):
            found = await self._forget_once(person_id, but)
            total += found
            if not found.total:
                break
        logger.info("a person was forgotten", extra={"person": person_id, "things": total.total})
        return total

    async def _forget_once(self, person_id: str, but: str) -> Forgotten:
        questions = await self._requests.withdraw(person_id, but=but)
        return Forgotten(
            questions=questions,
            given_up=await self._requests.forget_dead(person_id),
            conversations=await self._forget_each(person_id, "conversation", self._conversations.forget),
            cached=await self._forget_each(person_id, "cached", self._cache.forget),
            answers=await self._forget_each(person_id, "given", self._given.forget),
            feedback=await self._forget_each(person_id, "feedback", self._forget_feedback),
            gaps=await self._forget_each(person_id, "gap", self._forget_gap),
            cards=await asyncio.to_thread(self._cards.delete_of, person_id) if self._cards is not None else 0,
            files=await self._forget_each(person_id, "draft", self._drafts.forget)
            + await self._forget_each(person_id, "sent", self._sent.forget),
            agreements=await self._forget_each(person_id, "agreement", self._agreements.forget),
        )

    async def _forget_each(
        self, person_id: str, kind: PersonKind, forget: Callable[[str, str], Awaitable[bool]]
    ) -> int:
        """Delete all things of a kind; each leaves the index in the very transaction that deletes it."""
        count = 0
        while handles := await self._index.handles(person_id, kind, HANDLES_AT_ONCE):
            for handle in handles:
                count += await forget(person_id, handle)
        return count

    async def _forget_feedback(self, person_id: str, handle: str) -> bool:
        return await self._delete(person_id, "feedback", handle)

    async def _forget_gap(self, person_id: str, handle: str) -> bool:
        return await self._delete(person_id, "gap", handle)

    async def _delete(self, person_id: str, kind: PersonKind, handle: str) -> bool:
        also = [("DEL", self._store.key("finding", handle))] if kind == "gap" else []
        replies = await self._store.transaction(
            ("DEL", self._store.key(kind, handle)), self._index.gone(person_id, kind, handle), *also
        )
        return bool(replies[0])
