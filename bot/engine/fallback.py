"""Two models behind one port: where the first is away, the second writes."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from bot.errors import BusyError, UnavailableError
from bot.generation import GenerationEvent, GenerationRequest, ModelFacts, Restarted, Text, Thought
from bot.ports import LanguageModel

logger = logging.getLogger(__name__)


class FallbackModel:
    """Implements `bot.ports.LanguageModel` with a model to ask first and one for when that is down or overrun.

    Errors that another model would not mend (a wrong setting, a request that cannot be served) are passed on.

    Args:
        primary: Asked first.
        secondary: Asked when the primary raises `UnavailableError` or `BusyError`.
        clock: Seconds that only grow; the secondary gets what the primary left of the deadline.
    """

    def __init__(
        self, primary: LanguageModel, secondary: LanguageModel, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._primary = primary
        self._secondary = secondary
        self._clock = clock

    @property
    def facts(self) -> ModelFacts:
        """Those of the primary, with the smaller of both contexts: a prompt must fit whichever model answers."""
        first, second = self._primary.facts, self._secondary.facts
        return replace(
            first, context=min(first.context, second.context), details={**first.details, "fallback": second.name}
        )

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent]:
        """See `bot.ports.LanguageModel.generate`; `Restarted` comes between the models' pieces where both wrote some.

        Raises:
            BusyError: If both models are overrun, or the second is.
            InvalidRequestError: If the request fits neither.
            UnavailableError: If both models are down, or the deadline leaves the second no time.
        """
        begin = self._clock()
        written = False
        failure: UnavailableError | BusyError
        try:
            async with aclosing(self._primary.generate(request)) as events:
                async for event in events:
                    written = written or isinstance(event, Text | Thought)
                    yield event
                return
        except (UnavailableError, BusyError) as error:
            failure = error
        left_s = request.deadline_s - (self._clock() - begin)
        if left_s <= 0:
            raise failure
        names = self._primary.facts.name, type(failure).__name__, self._secondary.facts.name
        logger.info("%s cannot answer (%s): %s does", *names)
        if written:
            yield Restarted()
        async with aclosing(self._secondary.generate(replace(request, deadline_s=left_s))) as events:
            async for event in events:
                yield event

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text as the primary counts them, or as the secondary does where that is down."""
        try:
            return await self._primary.count_tokens(texts)
        except (UnavailableError, BusyError):
            return await self._secondary.count_tokens(texts)

    async def close(self) -> None:
        """Close both models, the second also where the first fails to close."""
        try:
            await self._primary.close()
        finally:
            await self._secondary.close()
