"""The application: retrieve, then answer. Every chat and command goes through `Application`."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from bot.errors import BotError, BusyError, InvalidRequestError, NotFoundError
from bot.evidence import Answer, Evidence
from bot.messages import Turn
from bot.plain_text import without_controls
from bot.ports import PUBLIC_SCOPE, Answerer, IndexStatus, Retriever
from bot.texts import empty_index, empty_question, model_unavailable

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
    ) -> None:
        """Assemble the parts.

        Args:
            retriever: Finds passages.
            index: Tells whether anything is indexed.
            answerer: Answers; with a language model where one is set.
            fallback: Answers where `answerer` fails: by quoting.
            top_k: Passages an answer is made from.
        """
        self._retriever = retriever
        self._index = index
        self._answerer = answerer
        self._fallback = fallback
        self._top_k = top_k

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
        if not any(char.isalnum() for char in without_controls(question)):
            raise InvalidRequestError(empty_question())
        if not await self._index.has_documents():
            raise NotFoundError(empty_index())
        return await self._retriever.search(question, scopes=scopes, history=history, top_k=top_k or self._top_k)

    async def ask(
        self, question: str, *, history: Sequence[Turn] = (), scopes: Sequence[str] = (PUBLIC_SCOPE,)
    ) -> Answer:
        """Return the finished answer; raises as `search`."""
        async with aclosing(self.stream(question, history=history, scopes=scopes)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Answer):
                    return piece
        raise RuntimeError("the answerer ended without an answer")

    async def stream(
        self, question: str, *, history: Sequence[Turn] = (), scopes: Sequence[str] = (PUBLIC_SCOPE,)
    ) -> AsyncGenerator[str | Answer]:
        """Yield pieces of text as they are written and, last, the `Answer`; raises as `search`."""
        begin = time.perf_counter()
        evidence = await self.search(question, history=history, scopes=scopes)
        answer: Answer | None = None
        try:
            async with aclosing(self._answerer.stream(question, evidence, history)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Answer):
                        answer = piece
                    else:
                        yield piece
        except (BotError, OSError) as error:
            if isinstance(error, BusyError) or self._answerer is self._fallback:
                raise
            logger.warning("the model failed and quotes were given instead: %s", error)
            yield "\n" + model_unavailable(str(error)) + "\n\n"
        if answer is None:
            async with aclosing(self._fallback.stream(question, evidence, history)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Answer):
                        answer = piece
                    else:
                        yield piece
        if answer is None:
            raise RuntimeError("the answerer ended without an answer")
        total = (time.perf_counter() - begin) * 1000
        timings = {**evidence.timings_ms, **answer.timings_ms, "total": total}
        logger.info(
            "answered",
            extra={"mode": answer.mode, "answered": answer.answered, "duration_ms": round(total, 1)},
        )
        yield replace(answer, timings_ms={name: round(value, 2) for name, value in timings.items()})
