"""How many tokens of prompts go into one decode, so that answers under way keep flowing."""

from __future__ import annotations

TARGET_S = 0.5  # of prompt reading in one decode while others write or wait
LEAST = 64  # tokens; smaller pieces cost as much as larger ones on a CPU
_FIRST_GUESS = 300.0  # tokens/s; corrected by the first decodes
_WEIGHT = 0.3  # of a new measurement


class Pace:
    """Learns how fast prompts are read here."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self.tokens_per_s = _FIRST_GUESS

    def budget(self, *, alone: bool) -> int:
        """Prompt tokens of the next decode: a full batch when one prompt is read and nobody writes."""
        if alone:
            return self._batch
        return max(LEAST, min(self._batch, int(self.tokens_per_s * TARGET_S)))

    def learn(self, prompt_tokens: int, written: int, seconds: float) -> None:
        """Take in a decode; those with hardly any prompt tokens say nothing about reading."""
        if prompt_tokens >= LEAST and prompt_tokens > 4 * written and seconds > 0:
            self.tokens_per_s += _WEIGHT * (prompt_tokens / seconds - self.tokens_per_s)
