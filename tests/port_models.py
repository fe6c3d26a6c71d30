"""A small language model behind the port that follows a script: what it replies is a function of the request."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence

from pydantic import JsonValue

from bot.generation import (
    DEFAULT_SAMPLING,
    Finished,
    GenerationEvent,
    GenerationRequest,
    ModelFacts,
    Text,
    ToolCall,
    ToolSpec,
    Usage,
)

Reply = Callable[[GenerationRequest], Iterable[GenerationEvent | Exception]]

_QUOTED = re.compile(r"'([^']+)'")
_CAPITALISED = re.compile(r"\b[A-Z]\w+")
_NUMBER = re.compile(r"-?\d+")


class PortModel:
    """Yields the events of its reply, raises the exceptions among them, and bears the loop it lives in in mind.

    Attributes:
        requests: What was asked, oldest first.
        loops: The loop each generation ran in.
        open: Generations that were begun and not yet closed.
    """

    def __init__(self, reply: Reply, *, pause_s: float = 0.0) -> None:
        self._reply = reply
        self._pause_s = pause_s
        self.requests: list[GenerationRequest] = []
        self.loops: list[asyncio.AbstractEventLoop] = []
        self.open = 0

    @property
    def facts(self) -> ModelFacts:
        """A made-up model."""
        return ModelFacts("scripted", "ab" * 32, 4096)

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent]:
        """Follow the script, letting other tasks run between the events."""
        self.requests.append(request)
        self.loops.append(asyncio.get_running_loop())
        self.open += 1
        try:
            for event in self._reply(request):
                await asyncio.sleep(self._pause_s)
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            # A step of the loop, as closing a real model needs.
            await asyncio.sleep(0)
            self.open -= 1

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """A token is a word."""
        self.loops.append(asyncio.get_running_loop())
        return [len(text.split()) for text in texts]

    async def close(self) -> None:
        """Nothing to free."""


def saying(*events: GenerationEvent | Exception | str) -> Reply:
    """Reply with these events, a string being a piece of text; `Finished` is added where there is none."""

    def reply(_: GenerationRequest) -> Iterable[GenerationEvent | Exception]:
        for event in events:
            yield Text(event) if isinstance(event, str) else event
        if not any(isinstance(event, (Finished, Exception)) for event in events):
            yield finished()

    return reply


def talking(_: GenerationRequest) -> Iterable[GenerationEvent]:
    """Reply without end."""
    while True:
        yield Text("word ")


def finished(reason: str = "stop", *calls: ToolCall) -> Finished:
    """The end of a generation of 7 prompt tokens, 3 of them cached, and 5 new ones."""
    assert reason in ("stop", "length", "tool_calls", "deadline")
    return Finished(reason, calls, Usage(7, 3, 5), 2, DEFAULT_SAMPLING)  # type: ignore[arg-type]


def obliging(request: GenerationRequest) -> Iterable[GenerationEvent]:
    """Reply as a capable model would: calls the tool that fits, fills in forms, else talks.

    Numbers and quoted words of the last message become arguments.
    """
    question = request.messages[-1]
    free = request.tool_choice == "auto" and question.role != "tool"
    if request.tools and (free or request.tool_choice not in ("auto", "none")):
        named = [tool for tool in request.tools if tool.name == request.tool_choice]
        tool = (named or list(request.tools))[0]
        call = ToolCall("call_1", tool.name, arguments(tool, question.content))
        yield finished("tool_calls", call)
        return
    if request.grammar is not None:
        schema = json.loads(request.grammar.text)
        properties = schema.get("properties") or {name: {} for name in _QUOTED.findall(question.content)}
        text = json.dumps(filled(properties, question.content), ensure_ascii=False)
        for at in range(0, len(text), 7):
            yield Text(text[at : at + 7])
    else:
        yield Text("Hello,")
        yield Text(" how are you?")
    yield finished()


def arguments(tool: ToolSpec, text: str) -> dict[str, JsonValue]:
    """Arguments for the tool, taken from the text."""
    properties = tool.parameters.get("properties", {})
    assert isinstance(properties, dict)
    return filled(properties, text)


def filled(properties: Mapping[str, JsonValue], text: str) -> dict[str, JsonValue]:
    """A value for each property: whole numbers and strings, taken from the text."""
    numbers = [int(number) for number in _NUMBER.findall(text)] or [1]
    words = _QUOTED.findall(text) or _CAPITALISED.findall(text) or ["cats"]
    return {
        name: numbers[0] if isinstance(schema, dict) and schema.get("type") == "integer" else words[0]
        for name, schema in properties.items()
    }
