"""What is asked of a language model and what comes back: frozen values, the same for the local engine and a remote one.

One generation is a stream of events. `Waiting` may come first, several times; then `Thought` and `Text` as they are
written; `Finished` is always last. `Restarted` says that the model died and began anew: what came before is void.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

ChatRole = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "deadline"]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool the model may call.

    Attributes:
        name: Letters, digits, "_" and "-".
        description: What it does, for the model.
        parameters: JSON schema of its arguments, an object.
    """

    name: str
    description: str
    parameters: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model wrote; `arguments` is a JSON object."""

    call_id: str
    name: str
    arguments: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a prompt.

    Attributes:
        role: Who speaks; "tool" carries the result of a call.
        content: Plain text; control tokens in it are broken up before the model reads it.
        tool_calls: Calls an assistant message made.
        tool_call_id: On a "tool" message, the call it answers.
        tool_name: On a "tool" message, the name of the tool.
    """

    role: ChatRole
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    tool_name: str = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen; None means the default of the model's file, else that of `DEFAULT_SAMPLING`.

    The filters apply in this order: repetition penalty, top-k, top-p, min-p, temperature, then a random choice.

    Attributes:
        temperature: Randomness, 0 to 2; 0 is greedy: always the likeliest token.
        top_k: Only the k likeliest tokens stay; 0 keeps all.
        top_p: Only the likeliest tokens that together have this probability stay, 0 to 1; 1 keeps all.
        min_p: Tokens below this share of the likeliest one's probability go, 0 to 1; 0 keeps all.
        repetition_penalty: Logits of tokens seen among the last 64 are divided by this; 1 is off.
        seed: Of the random numbers; the same seed and prompt give the same text.
        max_tokens: Longest text, thoughts included.
        stop: Strings that end the text and are left out of it.
    """

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    seed: int = 0
    max_tokens: int = 400
    stop: tuple[str, ...] = ()


# llama.cpp's own defaults (common/common.h) but for the temperature: answers from documents are no place for variety.
DEFAULT_SAMPLING = Sampling(temperature=0.2, top_k=40, top_p=0.95, min_p=0.05, repetition_penalty=1.0)


@dataclass(frozen=True, slots=True)
class Grammar:
    """What the text must look like.

    Attributes:
        kind: "gbnf" (llama.cpp's grammar notation, rule `root`) or "json_schema".
        text: The grammar, or the schema as JSON.
    """

    kind: Literal["gbnf", "json_schema"]
    text: str


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One text to be written.

    Attributes:
        messages: Oldest first; the last one is what is answered and is never dropped, nor is a leading system message.
        sampling: How tokens are chosen.
        user: Whose turn this counts as; turns go round over users.
        conversation: Key under which the prompt stays cached for the next turn, or "" for none.
        tools: Tools the model may call.
        tool_choice: "auto", "none", "required", or the name of the one tool to call.
        grammar: What the text must look like; applies after a thinking block.
        thinking: Whether a reasoning model may think first; its thoughts are never part of the text.
        deadline_s: Seconds from asking, waiting included, after which the text ends where it is.
    """

    messages: tuple[ChatMessage, ...]
    sampling: Sampling = Sampling()
    user: str = ""
    conversation: str = ""
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = "auto"
    grammar: Grammar | None = None
    thinking: bool = False
    deadline_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one generation; `cached_tokens` of the prompt were not computed again."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    new_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """The request waits; `ahead` requests are served before it."""

    ahead: int


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of a thinking block; never shown as an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Restarted:
    """The model began anew; pieces before this are void."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a generation.

    Attributes:
        reason: Why it ended: by itself, at `max_tokens`, with tool calls, or at the deadline.
        tool_calls: The calls it made.
        usage: What it cost.
        dropped_turns: Earlier messages left out because the context was too small.
        sampling: The sampling used, without None.
    """

    reason: FinishReason
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    dropped_turns: int = 0
    sampling: Sampling = DEFAULT_SAMPLING


GenerationEvent = Waiting | Text | Thought | Restarted | Finished


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of the model that answers.

    Attributes:
        name: Its own name.
        sha256: Hash of its file, or "" for a remote model.
        context: Tokens of prompt and answer together, of one request.
        details: Further facts for cards and logs, such as quantization and layers on the GPU.
    """

    name: str
    sha256: str
    context: int
    details: Mapping[str, str] = field(default_factory=dict)
