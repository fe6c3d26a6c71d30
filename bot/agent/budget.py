"""What one question may cost: calls of the model, tokens and seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bot.ports import ModelCall

MIN_TOKENS = 16  # fewer make no answer


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one question.

    Attributes:
        model_calls: Calls of the model, rewriting and summary included; at least 1.
        tokens: Tokens read and written by all calls together.
        seconds: From the question to the end of the answer.
    """

    model_calls: int = 4
    tokens: int = 20_000
    seconds: float = 300.0


class Budget:
    """What is left of the limits; spent is what the record of calls says."""

    def __init__(self, limits: Limits, begun: float, calls: Sequence[ModelCall]) -> None:
        """Watch a record.

        Args:
            limits: What may be spent.
            begun: `time.monotonic()` when the question was asked.
            calls: Calls so far; read anew each time, so it may grow.
        """
        self._limits = limits
        self._begun = begun
        self._calls = calls

    @property
    def calls_left(self) -> int:
        """Calls of the model that may still be made."""
        return max(0, self._limits.model_calls - len(self._calls))

    @property
    def tokens_left(self) -> int:
        """Tokens that may still be read and written."""
        usages = [call.finished.usage for call in self._calls if call.finished is not None]
        return max(0, self._limits.tokens - sum(usage.prompt_tokens + usage.new_tokens for usage in usages))

    @property
    def seconds_left(self) -> float:
        """Seconds until the answer must stand."""
        return max(0.0, self._begun + self._limits.seconds - time.monotonic())

    @property
    def spent(self) -> bool:
        """True when no further call can bring an answer."""
        return self.calls_left == 0 or self.tokens_left < MIN_TOKENS or self.seconds_left <= 0
