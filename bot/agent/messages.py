"""LangChain's messages and the engine's values, translated both ways."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import cast

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    BaseMessageChunk,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages import ChatMessage as RoleMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata, add_ai_message_chunks
from langchain_core.messages.tool import tool_call_chunk
from typing_extensions import override

from bot.errors import InvalidRequestError
from bot.generation import (
    ChatMessage,
    ChatRole,
    Finished,
    GenerationEvent,
    Restarted,
    Text,
    Thought,
    ToolCall,
    Usage,
    Waiting,
)

MODEL_PROVIDER = "locus"

# The name under which LangChain makes a reasoning block of it (`content_blocks`) and keeps it out of `text`.
REASONING = "reasoning_content"

_ROLES: dict[str, ChatRole] = {"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}

# Blocks of an assistant's message that say again what `tool_calls` says, or hold thoughts, which no prompt repeats.
_SKIPPED_OF_ASSISTANT = frozenset(
    {"tool_use", "tool_call", "tool_call_chunk", "input_json_delta", "reasoning", "thinking", "redacted_thinking"}
)


class AnswerChunk(AIMessageChunk):
    """A piece of an answer that knows how to be added up when the model began anew.

    A chunk with `additional_kwargs["restarted"]` voids the text and the thoughts before it, and
    `additional_kwargs["ahead"]` (requests served before this one) is news, not part of the sum. The sum is a plain
    `AIMessageChunk`; a plain chunk on the left leaves the addition to this class as well (`__radd__`).
    """

    @classmethod
    @override
    def lc_id(cls) -> list[str]:
        return AIMessageChunk.lc_id()

    @override
    def __add__(self, other: object) -> BaseMessageChunk:  # type: ignore[override]
        added = other if isinstance(other, (list, tuple)) else [other]
        if all(isinstance(chunk, AIMessageChunk) for chunk in added):
            return add_chunks([self, *added])
        return super().__add__(other)

    def __radd__(self, other: object) -> BaseMessageChunk:
        """Add to a plain chunk."""
        if isinstance(other, AIMessageChunk):
            return add_chunks([other, self])
        return NotImplemented


def add_chunks(chunks: Sequence[AIMessageChunk]) -> AIMessageChunk:
    """Return the sum of chunks in order, without what was void when the model began anew.

    Args:
        chunks: At least one.
    """
    begin = max((at for at, chunk in enumerate(chunks) if at and chunk.additional_kwargs.get("restarted")), default=0)
    return add_ai_message_chunks(*(_summand(chunk, void=at < begin) for at, chunk in enumerate(chunks)))


def _summand(chunk: AIMessageChunk, *, void: bool) -> AIMessageChunk:
    dropped = {"ahead", REASONING} if void else {"ahead"}
    if type(chunk) is AIMessageChunk and not void and not dropped & chunk.additional_kwargs.keys():
        return chunk
    return AIMessageChunk(
        content=type(chunk.content)() if void else chunk.content,
        additional_kwargs={name: value for name, value in chunk.additional_kwargs.items() if name not in dropped},
        response_metadata=chunk.response_metadata,
        usage_metadata=chunk.usage_metadata,
        tool_call_chunks=chunk.tool_call_chunks,
        id=chunk.id,
        chunk_position=chunk.chunk_position,
    )


def chunks_of_event(event: GenerationEvent, model_name: str) -> Iterator[AnswerChunk]:
    """Yield the chunks that say what the event says; the one that says how it ended is marked as the last."""
    match event:
        case Text(text):
            yield AnswerChunk(content=text)
        case Thought(text):
            yield AnswerChunk(content="", additional_kwargs={REASONING: text})
        case Waiting(ahead):
            yield AnswerChunk(content="", additional_kwargs={"ahead": ahead})
        case Restarted():
            yield AnswerChunk(content="", additional_kwargs={"restarted": True})
        case Finished():
            yield from _last_chunks(event, model_name)


def _last_chunks(event: Finished, model_name: str) -> Iterator[AnswerChunk]:
    if event.tool_calls:
        yield AnswerChunk(
            content="",
            tool_call_chunks=[
                tool_call_chunk(
                    name=call.name,
                    args=json.dumps(call.arguments, ensure_ascii=False),
                    id=call.call_id,
                    index=index,
                )
                for index, call in enumerate(event.tool_calls)
            ],
        )
    yield AnswerChunk(
        content="",
        usage_metadata=_usage_metadata(event.usage),
        response_metadata={
            "model_name": model_name,
            "model_provider": MODEL_PROVIDER,
            "finish_reason": event.reason,
            "dropped_turns": event.dropped_turns,
            "sampling": asdict(event.sampling),
        },
        chunk_position="last",
    )


def _usage_metadata(usage: Usage) -> UsageMetadata:
    return UsageMetadata(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.new_tokens,
        total_tokens=usage.prompt_tokens + usage.new_tokens,
        input_token_details=InputTokenDetails(cache_read=usage.cached_tokens),
    )


def chat_messages(messages: Sequence[BaseMessage]) -> tuple[ChatMessage, ...]:
    """Translate LangChain's messages, oldest first.

    Thoughts of earlier answers and names of people are left out: no prompt repeats them. The result of a tool that
    failed (status "error") begins with "Error:".

    Raises:
        InvalidRequestError: If there is no message, or one is of a kind or holds a part that the model cannot read.
    """
    if not messages:
        raise InvalidRequestError("There is nothing to answer; give the model at least one message.")
    tool_names: dict[str, str] = {}
    translated: list[ChatMessage] = []
    for message in messages:
        calls = _tool_calls(message)
        tool_names.update((call.call_id, call.name) for call in calls)
        role = _role(message)
        if isinstance(message, ToolMessage):
            content = _text(message, role)
            if message.status == "error" and not content.lstrip().lower().startswith("error"):
                content = f"Error: {content}"
            name = message.name or tool_names.get(message.tool_call_id, "")
            translated.append(ChatMessage(role, content, tool_call_id=message.tool_call_id, tool_name=name))
        else:
            translated.append(ChatMessage(role, _text(message, role), calls))
    return tuple(translated)


def _role(message: BaseMessage) -> ChatRole:
    role: ChatRole | None = None
    match message:
        case SystemMessage():
            role = "system"
        case HumanMessage():
            role = "user"
        case AIMessage():
            role = "assistant"
        case ToolMessage():
            role = "tool"
        case RoleMessage():
            role = _ROLES.get(message.role)
    if role is None:
        raise InvalidRequestError(f"The model cannot read messages of the kind {message.type}; leave them out.")
    return role


def _tool_calls(message: BaseMessage) -> tuple[ToolCall, ...]:
    if not isinstance(message, AIMessage):
        return ()
    return tuple(ToolCall(call["id"] or "", call["name"], call["args"]) for call in message.tool_calls)


def _text(message: BaseMessage, role: ChatRole) -> str:
    if isinstance(message.content, str):
        return message.content
    parts: list[str] = []
    for part in cast("list[str | Mapping[str, object]]", message.content):
        if isinstance(part, str):
            parts.append(part)
        elif part.get("type") == "text":
            parts.append(str(part.get("text", "")))
        elif role != "assistant" or part.get("type") not in _SKIPPED_OF_ASSISTANT:
            kind = part.get("type", "unknown")
            raise InvalidRequestError(f'The model reads text only; leave out the part of the kind "{kind}".')
    return "".join(parts)
