"""A language model whose generations are counted and traced."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from bot.errors import BotError
from bot.generation import Finished, GenerationEvent, GenerationRequest, ModelFacts, Restarted, Text, Thought
from bot.metrics import Metrics
from bot.ports import LanguageModel
from bot.tracing import since


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
        begun_s = time.time()
        try:
            async with aclosing(self._model.generate(request)) as events:
                async for event in events:
                    if isinstance(event, Restarted):
                        first = None
                    elif first is None and isinstance(event, Text | Thought):
                        first = self._clock()
                    elif isinstance(event, Finished):
                        now = self._clock()
                        first = now if first is None else first
                        self._metrics.generated(event.usage, writing_s=now - first)
                        since(
                            "generate",
                            begun_s,
                            writing_s=round(now - first, 3),
                            tokens_read=event.usage.prompt_tokens,
                            tokens_cached=event.usage.cached_tokens,
                            tokens_written=event.usage.new_tokens,
                        )
                    yield event
        except BotError as error:
            self._metrics.failed("model", type(error).__name__)
            since("generate", begun_s, failed=type(error).__name__)
            raise

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return await self._model.count_tokens(texts)

    async def close(self) -> None:
        await self._model.close()
