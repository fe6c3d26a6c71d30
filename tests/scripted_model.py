"""A language model that writes what a test says: implements `bot.ports.LanguageModel` without any weights."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from bot.errors import BotError
from bot.generation import (
    DEFAULT_SAMPLING,
    Finished,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    ModelFacts,
    Restarted,
    Text,
    ToolCall,
    Usage,
)

FACTS = ModelFacts("scripted", "5c" * 32, 4096)


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply.

    Attributes:
        text: What is written, in pieces of `piece_chars`.
        tool_calls: Calls made after the text.
        reason: How it ends where there are no calls.
        broken_off: Text written before the model dies and begins anew.
        error: Raised instead of ending.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    reason: FinishReason = "stop"
    broken_off: str = ""
    error: BotError | None = None


Script = Callable[[GenerationRequest], Reply | str]


@dataclass
class ScriptedModel:
    """Answers from a queue of replies, or from a function.

    Attributes:
        replies: Used up one after the other, or a function from request to reply.
        facts: What it says of itself.
        piece_chars: Length of the pieces.
        requests: Everything it was asked.
    """

    replies: Iterable[Reply | str] | Script
    facts: ModelFacts = FACTS
    piece_chars: int = 7
    requests: list[GenerationRequest] = field(default_factory=list)
    closed_early: int = 0

    def __post_init__(self) -> None:
        self._queue = iter(()) if callable(self.replies) else iter(self.replies)

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent]:
        self.requests.append(request)
        reply = self.replies(request) if callable(self.replies) else next(self._queue)
        reply = Reply(reply) if isinstance(reply, str) else reply
        ended = False
        try:
            if reply.broken_off:
                yield Text(reply.broken_off)
                yield Restarted()
            for start in range(0, len(reply.text), self.piece_chars):
                yield Text(reply.text[start : start + self.piece_chars])
                await asyncio.sleep(0)
            if reply.error is not None:
                ended = True
                raise reply.error
            usage = Usage(sum(len(one.content) for one in request.messages) // 4, 0, len(reply.text) // 4)
            ended = True
            yield Finished(
                "tool_calls" if reply.tool_calls else reply.reason,
                reply.tool_calls,
                usage,
                sampling=replace(DEFAULT_SAMPLING, seed=request.sampling.seed, max_tokens=request.sampling.max_tokens),
            )
        finally:
            self.closed_early += not ended

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) // 4 + 1 for text in texts]

    async def close(self) -> None:
        """Do nothing."""


def calling(name: str, **arguments: JsonValue) -> Reply:
    """A reply that only calls a tool."""
    return Reply(tool_calls=(ToolCall("call00001", name, arguments),))


_ORDER = re.compile(r"OBEY:(.*?)(?=OBEY:|</passage>|</summary>|$)", re.DOTALL)
_TOOL_ORDER = re.compile(r"\s*CALL (\w+) (\{.*\})")


def obey(request: GenerationRequest) -> Reply:
    """Do what any text in the prompt orders: write what follows "OBEY:", or call the tool that "OBEY: CALL" names.

    What it writes it says of every passage there is, so that as much as possible gets through the checks.
    """
    seen = "\n".join(message.content for message in request.messages)
    numbers = [int(number) for number in re.findall(r'<passage number="(\d+)"', seen)] or [1]
    orders = list(dict.fromkeys(order.strip() for order in _ORDER.findall(seen)))
    calls: list[ToolCall] = []
    texts: list[str] = []
    for order in orders:
        wanted = _TOOL_ORDER.match(order)
        if wanted is None:
            texts.append(order)
        elif request.tools:
            # A title shows its quotation marks as apostrophes.
            arguments = json.loads(wanted.group(2).replace("'", '"'))
            calls.append(ToolCall(f"call{len(calls):05}", wanted.group(1), arguments))
    marks = " ".join(f"[{number}]" for number in numbers[:3])
    return Reply(" ".join(f"{text} {marks}." for text in texts), tuple(calls))
