"""A request on its way through the engine, and what the engine is doing."""

from __future__ import annotations

from dataclasses import dataclass

from bot.engine.batch import Tokens
from bot.engine.cache import CachedSequence
from bot.engine.sampler import Sampler, TokenGrammar
from bot.engine.writer import TextWriter
from bot.errors import BotError
from bot.generation import GenerationEvent, Sampling

JobEvent = GenerationEvent | BotError


@dataclass(slots=True, eq=False)
class Job:
    """A request in the engine.

    Attributes:
        number: The caller's name for it.
        user: Whose turn it counts as.
        conversation: Key of its cached prompt, or "".
        prompt: Tokens; at least one.
        sampling: Without None.
        grammar: What the text must look like.
        writer: Makes text of the tokens.
        deadline: Monotonic seconds at which it ends.
        dropped_turns: Turns left out of the prompt, told at the end.
    """

    number: int
    user: str
    conversation: str
    prompt: Tokens
    sampling: Sampling
    grammar: TokenGrammar | None
    writer: TextWriter
    deadline: float
    dropped_turns: int = 0
    sequence: CachedSequence | None = None
    sampler: Sampler | None = None
    admitted: float = 0.0
    cached: int = 0
    new_tokens: int = 0
    next_token: int = 0
    logits_at: int = -1
    told_ahead: int = -1

    @property
    def missing(self) -> int:
        """Tokens of the prompt that are not computed yet."""
        return max(0, len(self.prompt) - (self.sequence.computed if self.sequence else 0))


@dataclass(frozen=True, slots=True)
class Load:
    """What the loop is doing; for tests, the doctor and metrics."""

    running: int = 0
    waiting: int = 0
    cells_used: int = 0
    cells: int = 0
    kept: int = 0
    decodes: int = 0
