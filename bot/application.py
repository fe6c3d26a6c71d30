"""The application: retrieve, then answer. Every chat and command goes through `Application`."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from bot.agent.cards import AnswerCard, CardStore, cited_passages
from bot.agent.replay import Replay, replay_card
from bot.errors import BotError, BusyError, InvalidRequestError, NotFoundError
from bot.evidence import Answer, CitedPassage, Evidence
from bot.messages import Turn, digest
from bot.plain_text import without_controls
from bot.ports import PUBLIC_SCOPE, Answerer, Asked, IndexFacts, IndexStatus, LanguageModel, Retriever
from bot.texts import empty_index, empty_question, model_unavailable, unknown_answer

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
        """
        self._retriever = retriever
        self._index = index
        self._answerer = answerer
        self._fallback = fallback
        self._top_k = top_k
        self._cards = cards
        self._model = model
        self._shape = shape

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
        await self._check(question)
        return await self._retriever.search(question, scopes=scopes, history=history, top_k=top_k or self._top_k)

    async def _check(self, question: str) -> None:
        if not any(char.isalnum() for char in without_controls(question)):
            raise InvalidRequestError(empty_question())
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
    ) -> AsyncGenerator[str | Answer]:
        """Yield pieces of text as they are written and, last, the `Answer`; raises as `search`.

        Args:
            question: As the person wrote it.
            history: Earlier turns, oldest first.
            scopes: What the asking conversation may see.
            user: Whose turn this counts as where people wait for the model; never shown to it.
            conversation: Key under which the prompt stays cached for the next question; never shown to the model.
        """
        begin = time.perf_counter()
        await self._check(question)
        asked = Asked(question, tuple(history), tuple(scopes), user, conversation, question)
        asked = await self._answerer.rewrite(asked)
        rewritten = time.perf_counter()
        evidence = await self._retriever.search(
            asked.search_for, scopes=asked.scopes, history=asked.history, top_k=self._top_k
        )
        answer: Answer | None = None
        note = ""
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
        total = (time.perf_counter() - begin) * 1000
        # The note also keeps what the model did not write out of the answer cache.
        answer = replace(answer, note=answer.note or note)
        timings = {**evidence.timings_ms, **answer.timings_ms, "total": total}
        if asked.calls:
            timings["rewrite"] = (rewritten - begin) * 1000
        logger.info(
            "answered",
            extra={"mode": answer.mode, "answered": answer.answered, "duration_ms": round(total, 1)},
        )
        yield replace(answer, timings_ms={name: round(value, 2) for name, value in timings.items()})

    async def cited_passages(self, answer: Answer) -> tuple[CitedPassage, ...]:
        """Return the passage behind each citation of an answer just given; none where its card was not kept."""
        if self._cards is None or not answer.answer_id:
            return ()
        try:
            return cited_passages(await asyncio.to_thread(self._cards.load, answer.answer_id))
        except BotError as error:
            logger.warning("the passages of an answer cannot be shown: %s", error)
            return ()

    async def signature(self) -> str:
        """Return a handle of all that shapes an answer besides its question and scopes.

        Two answers to one question may be exchanged only if their signatures are the same.
        """
        # The revision is what makes answers given before void: it grows with each sync that changes a document.
        revision = await self._index.revision()
        model = self._model.facts if self._model is not None else None
        names = [model.name, model.sha256, model.context, model.details.get("fallback", "")] if model else []
        return digest("signature", json.dumps([revision, names, self._shape]))

    async def facts(self) -> IndexFacts:
        """Return what is indexed, for people."""
        return await self._index.facts()

    @property
    def cards(self) -> CardStore | None:
        """Where the cards of answers are kept, or None."""
        return self._cards

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
