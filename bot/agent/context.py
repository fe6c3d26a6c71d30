"""What belongs to one question while the agent answers it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from bot.agent.budget import Budget
from bot.agent.cards import ToolUse
from bot.evidence import Answer, Passage
from bot.generation import Sampling
from bot.ports import Asked, LanguageModel, ModelCall, Retriever


@dataclass(slots=True)
class QuestionContext:
    """The state of one question; tools and middleware get it from LangChain's runtime.

    Attributes:
        asked: The question and what it may see.
        model: Writes.
        retriever: Finds further passages.
        calls: Calls of the model so far; grows.
        budget: What may still be spent, told from `calls`.
        sampling: How tokens are chosen.
        thinking: Whether a reasoning model may think.
        passages: Passages given so far, in the order of their numbers from 1; tools add to them.
        room: Tokens that results of tools may still fill.
        searches: Searches made by tools so far.
        live_calls: Calls of GeneNetwork made by tools so far.
        live_answers: What they brought.
        tool_uses: Calls of tools, with what they said.
        lock: Held while passages are added: calls of one round run side by side.
    """

    asked: Asked
    model: LanguageModel
    retriever: Retriever
    calls: list[ModelCall]
    budget: Budget
    sampling: Sampling
    thinking: bool
    passages: list[Passage]
    room: int
    searches: int = 0
    live_calls: int = 0
    live_answers: list[Answer] = field(default_factory=list)
    tool_uses: list[ToolUse] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
