"""Makes the answer to one question of a chat: what it may see, what was said before, whether it was answered before."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from bot.access import Access
from bot.agent.follow_ups import stands_alone
from bot.application import Application
from bot.errors import BotError, RefusedError
from bot.evidence import Answer, CitedPassage, Progress
from bot.given import GivenAnswer, new_handle
from bot.messages import Turn
from bot.metrics import UNMEASURED, Metrics
from bot.ports import PUBLIC_SCOPE
from bot.replies import Reply
from bot.requests import Request
from bot.store.answer_cache import AnswerCache, CachedAnswer
from bot.store.client import Command
from bot.store.conversations import Conversations, Recalled
from bot.store.gaps import Unanswered
from bot.store.given_answers import GivenAnswers
from bot.store.tally import Tally
from bot.texts import cached_answer, reading_documents, span_in_words
from bot.tracing import span
from bot.visible import Drafts

AGAIN = "again"  # asks the last question anew


class NotAllowedError(BotError):
    """The person may not ask here; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered beyond a request."""

    conversations: Conversations
    cache: AnswerCache
    given: GivenAnswers
    unanswered: Unanswered
    tally: Tally


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question with all that was read for it.

    Attributes:
        request: Whose.
        question: What is answered: the message, or the question before it.
        history: Earlier turns, oldest first.
        scopes: What its place may see.
        recalled_from: Scopes of what the answers in its history rest on.
        signature: Of index, model and settings, see `Application.signature`.
        cached: The answer that was given before, if it may be given again.
        keep: True when the answer may be given again later.
        revision: Number of the index's revision it is answered from.
    """

    request: Request
    question: str
    history: tuple[Turn, ...]
    scopes: tuple[str, ...]
    recalled_from: frozenset[str]
    signature: str
    cached: CachedAnswer | None
    keep: bool
    revision: int


class AnswerWriter:
    """Prepares and writes answers.

    Args:
        application: Answers.
        access: Decides what a place may see.
        memory: Conversations, cache, answers by handle, gaps.
        metrics: Told of answers, and of looks into the cache.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        application: Application,
        access: Access,
        memory: Memory,
        *,
        metrics: Metrics = UNMEASURED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._metrics = metrics
        self._application = application
        self._access = access
        self._memory = memory
        self._clock = clock

    def reading(self) -> str:
        """Return what is said while an answer is made."""
        return reading_documents(self._application.documents)

    async def prepare(self, request: Request) -> Prepared:
        """Read what an answer needs.

        Raises:
            NotAllowedError: If the person may not ask in that place.
            UnavailableError: If Redis is away.
        """
        with span("prepare") as preparing:
            prepared = await self._prepared(request)
            preparing.note(cached=prepared.cached is not None, turns=len(prepared.history))
        return prepared

    async def _prepared(self, request: Request) -> Prepared:
        message = request.message
        (scopes, recalled), signature = await asyncio.gather(self._visible(request), self._application.signature())
        revision = self._application.revision
        question, history, fresh = message.text, recalled.turns, message.fresh
        if question.strip().rstrip(".!").lower() == AGAIN and history:
            last = max(place for place, turn in enumerate(history) if turn.role == "user")
            question, history, fresh = history[last].content, history[:last], True
        keep = stands_alone(question, history)
        cached = None
        if keep and not fresh:
            cached = await self._memory.cache.find(question, scopes=scopes, signature=signature)
            self._metrics.looked_up(hit=cached is not None)
        return Prepared(request, question, history, scopes, recalled.rests_on, signature, cached, keep, revision)

    async def _visible(self, request: Request) -> tuple[tuple[str, ...], Recalled]:
        """Return the scopes that may be searched, and what was said before that rests on nothing else."""
        scopes, message = await self._scopes(request), request.message
        before = message.again_of
        return scopes, await self._memory.conversations.load(message.place, scopes=scopes, before=before)

    async def _scopes(self, request: Request) -> tuple[str, ...]:
        message = request.message
        try:
            return await self._access.scopes(message.place, message.sender, at=request.accepted_at)
        except RefusedError as error:
            # Not to be confused with a chat that refuses a post: this one can be told.
            raise NotAllowedError(str(error)) from error

    async def write(
        self, prepared: Prepared, edit: Callable[[Reply], Awaitable[None]], interval_s: float
    ) -> tuple[GivenAnswer, list[Command]]:
        """Make the answer, showing it as it grows.

        Args:
            prepared: The question.
            edit: Shows a draft.
            interval_s: Shortest time between two drafts.

        Returns:
            The answer, and commands of the transaction that finishes its request.

        Raises:
            BusyError: If the model's queue is full.
            BotError: If it cannot be answered; the sentence is for the person.
        """
        cached = prepared.cached
        if cached is not None:
            age = span_in_words(self._clock() - cached.cached_at)
            answer = dataclasses.replace(cached.answer, note=cached_answer(age))
            given = self._given(prepared, answer, cached.passages, _scopes_of(answer, cached.passages))
            return given, self._memory.tally.cached()
        answer = await self._generate(prepared, edit, interval_s)
        self._metrics.answered(answer)
        passages = await self._application.cited_passages(answer)
        keep: list[Command] = []
        # An answer with a note came about in a way that the next one need not: the model was away, say.
        # A conversation is its channel's: nothing of it may be told in others by way of the cache.
        if prepared.keep and not prepared.history and answer.answered and not answer.note:
            keep = self._memory.cache.keep(
                prepared.question,
                scopes=prepared.scopes,
                signature=prepared.signature,
                answer=answer,
                passages=passages,
                person_id=prepared.request.message.sender.person_id,
            )
        rests_on = _scopes_of(answer, passages) if answer.answered else await self._application.cited_scopes(answer)
        return self._given(prepared, answer, passages, rests_on), keep

    async def _generate(
        self, prepared: Prepared, edit: Callable[[Reply], Awaitable[None]], interval_s: float
    ) -> Answer:
        message = prepared.request.message
        answer: Answer | None = None
        async with (
            Drafts(edit, interval_s) as drafts,
            aclosing(
                self._application.stream(
                    prepared.question,
                    history=prepared.history,
                    scopes=prepared.scopes,
                    user=message.sender.person_id,
                    conversation=message.place.conversation_id,
                )
            ) as pieces,
        ):
            async for piece in pieces:
                if isinstance(piece, Answer):
                    answer = piece
                elif isinstance(piece, Progress):
                    drafts.tell(piece.sentence)
                else:
                    drafts.add(piece)
        if answer is None:
            raise RuntimeError("the application ended without an answer")
        return storable_answer(answer)

    def _given(
        self,
        prepared: Prepared,
        answer: Answer,
        passages: tuple[CitedPassage, ...],
        rests_on: frozenset[str] | None,
    ) -> GivenAnswer:
        request = prepared.request
        if rests_on is not None:
            rests_on |= prepared.recalled_from
        return GivenAnswer(
            new_handle(),
            request.request_id,
            request.message.place,
            request.message.sender.person_id,
            prepared.question,
            answer,
            passages,
            prepared.scopes,
            self._clock(),
            None if rests_on is None else tuple(sorted(rests_on)),
            request.message.again_of,
            prepared.revision,
        )

    async def may_show(self, given: GivenAnswer) -> bool:
        """False when its channel became wider while an answer was written, see `Access.may_show`."""
        return await self._access.may_show(given)

    def keep_handle(self, given: GivenAnswer) -> list[Command]:
        """Return what makes an answer's handle work; its buttons work as soon as it is visible."""
        return self._memory.given.keep(given)

    async def keep(self, request: Request, given: GivenAnswer) -> list[Command]:
        """Return what is kept of an answer in the transaction that finishes its request."""
        commands = self._memory.conversations.append(
            request, given.question, given.answer.text, scopes=given.scopes, rests_on=given.rests_on
        )
        if not given.answer.answered and given.answer.mode != "live":
            commands += await self._memory.unanswered.keep(request, given.answer, given.scopes)
        return commands + self._memory.tally.given(given, accepted_at=request.accepted_at)

    def failed(self) -> list[Command]:
        """Return what is kept of a question without an answer in the transaction that finishes its request."""
        return self._memory.tally.failed()


def _scopes_of(answer: Answer, passages: Sequence[CitedPassage]) -> frozenset[str] | None:
    """Return the scopes of what an answer cites, or None where that is not known of all of it."""
    if answer.mode == "live":
        return frozenset({PUBLIC_SCOPE})  # GeneNetwork's data are for everybody
    known = {passage.citation.n: passage.scope for passage in passages if passage.scope}
    if not answer.citations or not {citation.n for citation in answer.citations} <= known.keys():
        return None
    return frozenset(known.values())


def storable_answer(answer: Answer) -> Answer:
    """Return an answer without lone surrogates, which models write now and then and no text in UTF-8 can hold."""
    return dataclasses.replace(
        answer,
        text=_encodable(answer.text),
        citations=tuple(
            dataclasses.replace(one, title=_encodable(one.title), quote=_encodable(one.quote))
            for one in answer.citations
        ),
        note=_encodable(answer.note),
    )


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
