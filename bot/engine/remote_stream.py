"""What comes back from an OpenAI-compatible server: server-sent events, put together to events of a generation."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, JsonValue, ValidationError

from bot.engine.remote_errors import broken, error_for
from bot.errors import BotError
from bot.generation import Finished, Sampling, Text, Thought, ToolCall, Usage
from bot.plain_text import without_controls

MAX_LINE_BYTES = 1 << 20
MAX_BYTES = 1 << 26  # some 400 bytes carry one token
MAX_TOOL_CALLS = 64


async def read_events(url: str, chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    """Yield the data of each server-sent event, one line each as all these servers send it; comments are left out.

    Raises:
        UnavailableError: If a line or the whole is longer than any honest answer.
    """
    buffer = bytearray()
    total = 0
    async for chunk in chunks:
        total += len(chunk)
        buffer += chunk
        if total > MAX_BYTES:
            raise broken(url, f"sent more than {MAX_BYTES >> 20} MiB for one answer")
        *lines, rest = buffer.split(b"\n")
        buffer = rest
        if len(buffer) > MAX_LINE_BYTES:
            raise broken(url, f"sent a line of more than {MAX_LINE_BYTES >> 20} MiB")
        for line in lines:
            name, _, data = bytes(line).rstrip(b"\r").partition(b":")
            if name == b"data":
                yield data.strip()
            elif name == b"error":  # early llama-server
                yield b'{"error":' + data + b"}"


def clean_json(value: JsonValue) -> JsonValue:
    """Return a JSON value whose strings hold no control characters and no lone surrogates."""
    if isinstance(value, str):
        return without_controls(value)
    if isinstance(value, list):
        return [clean_json(one) for one in value]
    if isinstance(value, dict):
        return {without_controls(name): clean_json(one) for name, one in value.items()}
    return value


class _Function(BaseModel):
    name: str | None = None
    arguments: str | dict[str, JsonValue] | None = None


class _CallDelta(BaseModel):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(BaseModel):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_CallDelta] | None = None


class _Choice(BaseModel):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _PromptDetails(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None


class _Chunk(BaseModel):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: JsonValue = None


@dataclass(slots=True)
class _WrittenCall:
    """A tool call whose arguments arrive in pieces."""

    call_id: str
    name: str
    arguments: str


class StreamReader:
    """Puts the chunks of one answer together.

    Args:
        url: The API's address, for errors.
        model: Name of the model, for errors.

    Attributes:
        pieces: Chunks with something of the model in them so far.
    """

    def __init__(self, url: str, model: str) -> None:
        self._url = url
        self._model = model
        self._reason: str | None = None
        self._calls: dict[int, _WrittenCall] = {}
        self._usage: Usage | None = None
        self.pieces = 0
        self._thinking = _InlineThinking()

    @property
    def complete(self) -> bool:
        """True once the server has said why the text ended."""
        return self._reason is not None

    def feed(self, data: bytes) -> list[Text | Thought]:
        """Take the data of one event and return the pieces in it.

        Raises:
            BotError: If the server reports an error, as `error_for` translates it.
            UnavailableError: If it is no chunk of a chat completion.
        """
        try:
            chunk = _Chunk.model_validate(clean_json(json.loads(data)))
        except (ValueError, RecursionError, ValidationError) as error:
            raise broken(self._url, "sent something that is no chat completion") from error
        if chunk.error is not None:
            raise self._reported(chunk.error)
        if chunk.usage:
            details = chunk.usage.prompt_tokens_details
            self._usage = Usage(
                max(0, chunk.usage.prompt_tokens or 0),
                max(0, (details.cached_tokens if details else None) or 0),
                max(0, chunk.usage.completion_tokens or 0),
            )
        if not chunk.choices:
            return []
        choice = chunk.choices[0]
        self._reason = choice.finish_reason or self._reason
        delta = choice.delta or _Delta()
        pieces: list[Text | Thought] = []
        # Some servers send both names with the same text while the name changes.
        thought = delta.reasoning_content or delta.reasoning
        if thought:
            pieces.append(Thought(thought))
        if delta.content:
            pieces += self._thinking.feed(delta.content)
        for call in delta.tool_calls or []:
            self._add(call)
        self.pieces += bool(thought or delta.content or delta.tool_calls)
        return pieces

    def ending(
        self, sampling: Sampling, dropped_turns: int, *, deadline: bool = False
    ) -> list[Text | Thought | Finished]:
        """Return what was held back and the last event.

        Args:
            sampling: The one used.
            dropped_turns: Messages left out of the prompt.
            deadline: Whether time was up; calls that may be half written are then left out.

        Raises:
            UnavailableError: If the arguments of a tool call are no JSON object.
        """
        held = self._thinking.finish()
        # A server that tells no usage sent, as these servers do, about one token per piece.
        usage = self._usage or Usage(new_tokens=self.pieces)
        if deadline:
            return [*held, Finished("deadline", (), usage, dropped_turns, sampling)]
        if self._reason == "length":
            return [*held, Finished("length", (), usage, dropped_turns, sampling)]
        calls = tuple(self._tool_call(number, call) for number, call in sorted(self._calls.items()))
        return [*held, Finished("tool_calls" if calls else "stop", calls, usage, dropped_turns, sampling)]

    def _reported(self, said: JsonValue) -> BotError:
        code = said.get("code") if isinstance(said, dict) else None
        status = code if isinstance(code, int) and 400 <= code < 600 else 500
        return error_for(self._url, self._model, status, {}, json.dumps({"error": said}).encode())

    def _add(self, delta: _CallDelta) -> None:
        function = delta.function or _Function()
        index = len(self._calls) if delta.index is None else delta.index
        known = self._calls.get(index)
        if known and delta.id and known.call_id and delta.id != known.call_id:
            # Ollama has numbered every call 0.
            index, known = max(self._calls) + 1, None
        if known is None:
            if len(self._calls) >= MAX_TOOL_CALLS:
                raise broken(self._url, f"wrote more than {MAX_TOOL_CALLS} tool calls at once")
            known = self._calls[index] = _WrittenCall("", "", "")
        known.call_id = known.call_id or delta.id or ""
        known.name = known.name or function.name or ""
        if isinstance(function.arguments, dict):
            known.arguments = json.dumps(function.arguments)
        elif function.arguments:
            known.arguments += function.arguments

    def _tool_call(self, number: int, call: _WrittenCall) -> ToolCall:
        try:
            arguments = clean_json(json.loads(call.arguments or "{}"))
        except (ValueError, RecursionError) as error:
            raise broken(self._url, "wrote a tool call whose arguments are no JSON") from error
        if not isinstance(arguments, dict) or not call.name:
            raise broken(self._url, "wrote a tool call without a name or whose arguments are no object")
        return ToolCall(call.call_id or f"call_{number}", call.name, arguments)


class _InlineThinking:
    """Takes a thinking block out of a text that begins with one, for servers that leave it there."""

    _OPEN = "<think>"
    _CLOSE = "</think>"

    def __init__(self) -> None:
        self._state: Literal["start", "thinking", "after", "text"] = "start"
        self._held = ""

    def feed(self, piece: str) -> list[Text | Thought]:
        """Return what is certain by now."""
        if self._state == "text":
            return [Text(piece)]
        if self._state == "after":  # what separates the block from the text is neither
            piece = piece.lstrip()
            return self._as_text(piece) if piece else []
        self._held += piece
        if self._state == "start":
            begin = self._held.lstrip()
            if begin.startswith(self._OPEN):
                self._state, self._held = "thinking", begin.removeprefix(self._OPEN)
            elif self._OPEN.startswith(begin):
                return []
            else:
                return self._as_text(self._held)
        thought, closed, after = self._held.partition(self._CLOSE)
        if closed:
            self._state, self._held = "after", ""
            return [*([Thought(thought)] if thought else []), *self.feed(after)]
        keep = next((n for n in range(len(self._CLOSE) - 1, 0, -1) if self._held.endswith(self._CLOSE[:n])), 0)
        ready, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return [Thought(ready)] if ready else []

    def finish(self) -> list[Text | Thought]:
        """Return what was held back when the text ends here."""
        held, self._held = self._held, ""
        if not held:
            return []
        return [Thought(held)] if self._state == "thinking" else [Text(held)]

    def _as_text(self, text: str) -> list[Text | Thought]:
        self._state, self._held = "text", ""
        return [Text(text)] if text else []
