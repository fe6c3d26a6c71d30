"""The application: retrieve, then answer. Every chat and command goes through `Application`."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from bot.agent.cards import AnswerCard, CardStore, cited_passages, cited_scopes
from bot.agent.judging import Judged, judge
from bot.agent.replay import Replay, replay_card
from bot.errors import BotError, BusyError, InvalidRequestError, NotFoundError, UnavailableError
from bot.evidence import Answer, CitedPassage, Evidence, Progress
from bot.library import Library
from bot.live.answering import LiveAnswers
from bot.live.describing import with_documents
from bot.live.lookups import Lookup
from bot.messages import Turn, digest
from bot.plain_text import without_controls
from bot.ports import PUBLIC_SCOPE, Answerer, Asked, Embeds, IndexFacts, IndexStatus, LanguageModel, Retriever
from bot.teaching import Teacher
from bot.texts import empty_index, empty_question, live_unavailable, model_unavailable, unknown_answer
from bot.tracing import since, span

logger = logging.getLogger(__name__)


class Application:
    """Answers questions from one index; made by `bot.bootstrap.open_application`."""

    def __init__(
        self,
        retriever: Retriever,
        index: IndexStatus,
        answerer: Answerer,
        fallback: Answerer,
        *,
        top_k: int,
        cards: CardStore | None = None,
        model: LanguageModel | None = None,
        shape: str = "",
        teacher: Teacher | None = None,
        live: LiveAnswers | None = None,
        library: Library | None = None,
        threshold: float | None = None,
        embeds: Embeds | None = None,
    ) -> None:
        """Assemble the parts.

        Args:
            retriever: Finds passages.
            index: Tells whether anything is indexed.
            answerer: Answers; with a language model where one is set.
            fallback: Answers where `answerer` fails: by quoting.
            top_k: Passages an answer is made from.
            cards: Where the answerers keep their cards.
            model: The model that `replay` asks; closed by its owner.
            shape: The settings that shape an answer, see `bot.answer_shape`.
            teacher: Puts files of chats into the index, where that can be written.
            live: Answers from GeneNetwork itself, closed by its owner; None where that is off.
            library: Opens whole documents.
            threshold: Confidence, 0 to 1, below which `ask_again` finds no answer; None where nothing is asked again.
            embeds: Turns questions into vectors, for grouping them.
        """
        self._retriever = retriever
        self._index = index
        self._answerer = answerer
        self._fallback = fallback
        self._top_k = top_k
        self._cards = cards
        self._model = model
        self._shape = shape
        self.teacher = teacher
        self.library = library
        self.embeds = embeds
        self._threshold = threshold
        self._live = live
        self._counted_at = -1  # the revision in which documents were counted last
        self._documents = 0

    async def search(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        scopes: Sequence[str] = (PUBLIC_SCOPE,),
        top_k: int | None = None,
    ) -> Evidence:
        """Return the passages for a question.

        Raises:
            InvalidRequestError: If the question holds no letters or digits.
            NotFoundError: If nothing has been indexed.
            StorageError: If the index is damaged.
        """
        _check(question)
        await self._check_index()
        return await self._retriever.search(question, scopes=scopes, history=history, top_k=top_k or self._top_k)

    @property
    def asks_again(self) -> bool:
        """True where `ask_again` can be used."""
        return self._threshold is not None

    async def ask_again(self, question: str, *, history: Sequence[Turn] = (), scopes: Sequence[str]) -> Judged:
        """Return what the documents say to a question now, without a model and without keeping anything.

        Args:
            question: As the person wrote it.
            history: Earlier turns, oldest first.
            scopes: What may be searched.

        Raises:
            As `search`.
        """
        if self._threshold is None:
            raise RuntimeError("an application without a threshold asks nothing again")
        evidence = await self.search(question, history=history, scopes=scopes)
        return judge(question, evidence, scopes, threshold=self._threshold)

    async def _check_index(self) -> None:
        if not await self._index.has_documents():
            raise NotFoundError(empty_index())

    async def ask(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        scopes: Sequence[str] = (PUBLIC_SCOPE,),
        user: str = "",
        conversation: str = "",
    ) -> Answer:
        """Return the finished answer; arguments as `stream`, raises as `search`."""
        async with aclosing(
            self.stream(question, history=history, scopes=scopes, user=user, conversation=conversation)
        ) as pieces:
            async for piece in pieces:
                if isinstance(piece, Answer):
                    return piece
        raise RuntimeError("the answerer ended without an answer")

    async def stream(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        scopes: Sequence[str] = (PUBLIC_SCOPE,),
        user: str = "",
        conversation: str = "",
    ) -> AsyncGenerator[str | Progress | Answer]:
        """Yield pieces of text as they are written and, last, the `Answer`; raises as `search`.

        What looks something up in GeneNetwork is answered from there, also where nothing is indexed. Where GeneNetwork
        is away, the documents answer if they can.

        Args:
            question: As the person wrote it.
            history: Earlier turns, oldest first.
            scopes: What the asking conversation may see.
            user: Whose turn this counts as where people wait for the model; never shown to it.
            conversation: Key under which the prompt stays cached for the next question; never shown to the model.
        """
        begin = time.perf_counter()
        _check(question)
        asked = Asked(question, tuple(history), tuple(scopes), user, conversation, question)
        lookup = self._lookup(question, history)
        away = ""
        if lookup is None:
            await self._check_index()
            with span("rewrite") as rewriting:
                asked = await self._answerer.rewrite(asked)
                rewriting.note(calls=len(asked.calls))
            if asked.search_for not in {"", question}:
                lookup = self._lookup(asked.search_for, history)
        if lookup is not None and self._live is not None:
            looked_up = time.time()
            try:
                async with aclosing(self._live.stream(lookup, question)) as found:
                    async for one in found:
                        if isinstance(one, Answer):
                            since("live", looked_up, found=one.answered)
                            one = _timed(await with_documents(one, lookup, self._retriever), begin)
                        yield one
            except (UnavailableError, BusyError) as error:
                away = str(error)
                since("live", looked_up, failed=type(error).__name__)
                if not await self._index.has_documents():
                    yield Answer(question, away, "live", False, (), 0.0)
                    return
            else:
                return
        rewritten = time.perf_counter()
        evidence = await self._retriever.search(
            asked.search_for, scopes=asked.scopes, history=asked.history, top_k=self._top_k
        )
        answer: Answer | None = None
        note = ""
        written = time.time()
        try:
            async with aclosing(self._answerer.stream(asked, evidence)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Answer):
                        answer = piece
                    else:
                        yield piece
        except (BotError, OSError) as error:
            if isinstance(error, BusyError) or self._answerer is self._fallback:
                raise
            logger.warning("the model failed and quotes were given instead: %s", error)
            note = model_unavailable(str(error))
            yield "\n" + note + "\n\n"
        if answer is None:
            async with aclosing(self._fallback.stream(asked, evidence)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Answer):
                        answer = piece
                    else:
                        yield piece
        if answer is None:
            raise RuntimeError("the answerer ended without an answer")
        since("write", written, mode=answer.mode, answered=answer.answered)
        total = (time.perf_counter() - begin) * 1000
        # The note also keeps what the model did not write out of the answer cache.
        answer = replace(answer, note=answer.note or note)
        if away:
            answer = (
                replace(answer, note=live_unavailable(away))
                if answer.answered
                else Answer(question, away, "live", False, (), 0.0)
            )
        timings = {**evidence.timings_ms, **answer.timings_ms, "total": total}
        if asked.calls:
            timings["rewrite"] = (rewritten - begin) * 1000
        logger.info(
            "answered",
            extra={"mode": answer.mode, "answered": answer.answered, "duration_ms": round(total, 1)},
        )
        yield replace(answer, timings_ms={name: round(value, 2) for name, value in timings.items()})

    def _lookup(self, question: str, history: Sequence[Turn]) -> Lookup | None:
        return self._live.recognise(question, history) if self._live is not None else None

    async def cited_passages(self, answer: Answer) -> tuple[CitedPassage, ...]:
        """Return the passage behind each citation of an answer just given; none where its card was not kept."""
        if answer.mode == "live":
            return tuple(CitedPassage(one, "", one.quote, PUBLIC_SCOPE) for one in answer.citations)
        card = await self._card(answer)
        return () if card is None else cited_passages(card)

    async def cited_scopes(self, answer: Answer) -> frozenset[str] | None:
        """Return the scopes of the documents that an answer just given names, or None where they are not known."""
        card = await self._card(answer)
        return None if card is None else cited_scopes(card)

    async def _card(self, answer: Answer) -> AnswerCard | None:
        if self._cards is None or not answer.answer_id:
            return None
        try:
            return await asyncio.to_thread(self._cards.load, answer.answer_id)
        except BotError as error:
            logger.warning("what an answer was made from cannot be read: %s", error)
            return None

    async def signature(self) -> str:
        """Return a handle of all that shapes an answer besides its question and scopes.

        Two answers to one question may be exchanged only if their signatures are the same.
        """
        # The revision is what makes answers given before void: it grows with each sync that changes a document.
        revision = await self._index.revision()
        if revision != self._counted_at:
            await self.count_documents()
        model = self._model.facts if self._model is not None else None
        names = [model.name, model.sha256, model.context, model.details.get("fallback", "")] if model else []
        return digest("signature", json.dumps([revision, names, self._shape]))

    async def facts(self) -> IndexFacts:
        """Return what is indexed, for people."""
        return await self._index.facts()

    async def count_documents(self) -> None:
        """Look how many documents there are; a question does so too where the index has changed."""
        facts = await self._index.facts()
        self._counted_at = facts.revision
        self._documents = sum(one.documents for one in facts.sources if one.scope == PUBLIC_SCOPE)

    @property
    def revision(self) -> int:
        """Number of the index's revision, as `signature` or `count_documents` saw it last; 0 before."""
        return max(0, self._counted_at)

    @property
    def documents(self) -> int:
        """Public documents, as far as they were counted; 0 before."""
        return self._documents

    @property
    def cards(self) -> CardStore | None:
        """Where the cards of answers are kept, or None."""
        return self._cards

    @property
    def model(self) -> LanguageModel | None:
        """What writes the answers; None where documents are quoted."""
        return self._model

    @property
    def model_name(self) -> str:
        """Name of the model that writes, or "" where answers quote the documents."""
        return self._model.facts.name if self._model is not None else ""

    async def replay(self, answer_id: str, *, anyway: bool = False) -> Replay:
        """Produce a kept answer's text again.

        Args:
            answer_id: The card's handle.
            anyway: Whether another model than the card's may be asked.

        Raises:
            NotFoundError: If there is no such card.
            RefusedError: If the model is another one.
            SettingsError: If a model wrote the answer and none is set.
            StorageError: If the card is damaged.
        """
        if self._cards is None:
            raise NotFoundError(unknown_answer(answer_id))
        card: AnswerCard = await asyncio.to_thread(self._cards.load, answer_id)
        return await replay_card(card, self._model, anyway=anyway)


def _check(question: str) -> None:
    if not any(char.isalnum() for char in without_controls(question)):
        raise InvalidRequestError(empty_question())


def _timed(answer: Answer, begin: float) -> Answer:
    total = (time.perf_counter() - begin) * 1000
    logger.info("answered", extra={"mode": answer.mode, "answered": answer.answered, "duration_ms": round(total, 1)})
    return replace(answer, timings_ms={**answer.timings_ms, "total": round(total, 2)})
