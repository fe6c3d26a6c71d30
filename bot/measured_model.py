"""A language model whose generations are counted."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from bot.errors import BotError
from bot.generation import Finished, GenerationEvent, GenerationRequest, ModelFacts, Restarted, Text, Thought
from bot.metrics import Metrics
from bot.ports import LanguageModel


class MeasuredModel:
    """Passes everything on to another model; implements `bot.ports.LanguageModel`.

    Args:
        model: What writes; closed by its owner, as by `close`.
        metrics: Told of each generation, and of each that failed.
        clock: Seconds, steadily growing.
    """

    def __init__(
        self, model: LanguageModel, metrics: Metrics, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._model = model
        self._metrics = metrics
        self._clock = clock

    @property
    def facts(self) -> ModelFacts:
        return self._model.facts

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent]:
        """Yield the events of one generation; raises as the model."""
        first: float | None = None
        try:
            async with aclosing(self._model.generate(request)) as events:
                async for event in events:
                    if isinstance(event, Restarted):
                        first = None
                    elif first is None and isinstance(event, Text | Thought):
                        first = self._clock()
                    elif isinstance(event, Finished):
                        now = self._clock()
                        self._metrics.generated(event.usage, writing_s=now - (now if first is None else first))
                    yield event
        except BotError as error:
            self._metrics.failed("model", type(error).__name__)
            raise

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return await self._model.count_tokens(texts)

    async def close(self) -> None:
        await self._model.close()
