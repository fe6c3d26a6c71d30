"""A language model for one question: what is sent and what comes back is written down, and watched while it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Literal

from bot.generation import Finished, GenerationEvent, GenerationRequest, ModelFacts, Restarted, Text
from bot.ports import LanguageModel, ModelCall

Purpose = Literal["rewrite", "summary", "answer"]


def _nobody(_event: GenerationEvent) -> None:
    """Watches nothing."""


class RecordedModel:
    """Implements `bot.ports.LanguageModel` over another one, which it neither owns nor closes."""

    def __init__(
        self,
        model: LanguageModel,
        record: list[ModelCall],
        purpose: Purpose,
        watch: Callable[[GenerationEvent], None] = _nobody,
    ) -> None:
        """Wrap `model`.

        Args:
            model: Writes.
            record: Where each call is added when it ends, also when it breaks off.
            purpose: What the calls are for.
            watch: Told every event before it is passed on.
        """
        self._model = model
        self._record = record
        self._purpose = purpose
        self._watch = watch

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model."""
        return self._model.facts

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent]:
        """See `bot.ports.LanguageModel.generate`."""
        written: list[str] = []
        finished: Finished | None = None
        try:
            async with aclosing(self._model.generate(request)) as events:
                async for event in events:
                    if isinstance(event, Text):
                        written.append(event.text)
                    elif isinstance(event, Restarted):
                        written.clear()
                    elif isinstance(event, Finished):
                        finished = event
                    self._watch(event)
                    yield event
        finally:
            self._record.append(ModelCall(self._purpose, request, "".join(written), finished))

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See `bot.ports.LanguageModel.count_tokens`."""
        return await self._model.count_tokens(texts)

    async def close(self) -> None:
        """Do nothing: the model belongs to its owner."""


async def write(model: LanguageModel, request: GenerationRequest, purpose: Purpose) -> ModelCall:
    """Let the model write one text to its end; raises as `LanguageModel.generate`."""
    record: list[ModelCall] = []
    async with aclosing(RecordedModel(model, record, purpose).generate(request)) as events:
        async for _ in events:
            pass
    return record[0]
