"""What is written to an OpenAI-compatible server: the body of a request, and prompts made shorter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from bot.engine.control_tokens import neutralise, neutralise_json
from bot.engine.remote_server import RemoteServer, ServerKind
from bot.errors import InvalidRequestError
from bot.generation import DEFAULT_SAMPLING, ChatMessage, GenerationRequest, Grammar, Sampling, ToolSpec

_STRUCTURED_OUTPUTS = (0, 11)  # vLLM release from which `structured_outputs` replaces `guided_grammar`
_SEEDS = 2**31  # a range all servers take; llama-server reads 2**32 - 1 as "choose one"


def sampling_used(sampling: Sampling, server: RemoteServer) -> Sampling:
    """Return the sampling without None; filters that the server's API does not have are off."""
    values = {
        name: getattr(DEFAULT_SAMPLING, name)
        for name in ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
        if getattr(sampling, name) is None
    }
    full = replace(sampling, seed=sampling.seed % _SEEDS, **values)
    if server.kind in {ServerKind.LLAMA_SERVER, ServerKind.VLLM}:
        return full
    return replace(full, top_k=0, min_p=0.0, repetition_penalty=1.0)


def request_body(
    request: GenerationRequest,
    messages: Sequence[ChatMessage],
    server: RemoteServer,
) -> bytes:
    """Return the JSON of a chat completion that streams.

    Control tokens in the messages are broken up, for these servers read them there as well. A grammar is left out where
    the server has none of its kind, and where tools may be called: servers then refuse it, or it forbids the call. The
    text must be checked afterwards in any case.

    Args:
        request: What is asked.
        messages: Its messages, perhaps without the oldest turns.
        server: Whom it goes to; it gets no field it does not know.

    Raises:
        InvalidRequestError: If the grammar is no JSON schema though it says so, or a named tool does not exist.
    """
    used = sampling_used(request.sampling, server)
    body: dict[str, JsonValue] = {
        "model": server.model,
        "messages": [_message(message) for message in messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": used.temperature,
        "top_p": used.top_p,
        "seed": used.seed,
        "max_tokens": used.max_tokens,
    }
    if used.stop:
        body["stop"] = list(used.stop)
    body |= _own_fields(used, request, server)
    if request.tools and request.tool_choice != "none":
        body |= _tools(request.tools, request.tool_choice, server)
    elif request.grammar:
        body |= _grammar(request.grammar, server)
    # Lone surrogates, which are not text, become question marks here.
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def without_oldest_turn(messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
    """Return the messages without their oldest turn, or unchanged where nothing may go.

    A turn reaches from one message of a user to the next, so that a tool's result never stands without its call. A
    leading system message and the last turn stay.
    """
    head = 1 if messages and messages[0].role == "system" else 0
    turns = [index for index in range(head, len(messages)) if messages[index].role == "user"]
    # What stands before the first question of a user, such as a greeting, is the oldest turn.
    starts = [index for index in turns if index > head]
    return (*messages[:head], *messages[starts[0] :]) if starts else tuple(messages)


def _message(message: ChatMessage) -> dict[str, JsonValue]:
    written: dict[str, JsonValue] = {"role": message.role, "content": neutralise(message.content)}
    if message.role == "tool":
        written |= {"tool_call_id": message.tool_call_id, "name": message.tool_name}
    if message.tool_calls:
        written["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": json.dumps(neutralise_json(dict(call.arguments)), ensure_ascii=False),
                },
            }
            for call in message.tool_calls
        ]
    return written


def _own_fields(used: Sampling, request: GenerationRequest, server: RemoteServer) -> dict[str, JsonValue]:
    """Fields beyond the OpenAI API."""
    match server.kind:
        case ServerKind.LLAMA_SERVER:
            return {
                "top_k": used.top_k,
                "min_p": used.min_p,
                "repeat_penalty": used.repetition_penalty,
                "chat_template_kwargs": {"enable_thinking": request.thinking},
            }
        case ServerKind.VLLM:
            return {
                "top_k": used.top_k or -1,  # early releases know no 0
                "min_p": used.min_p,
                "repetition_penalty": used.repetition_penalty,
                "chat_template_kwargs": {"enable_thinking": request.thinking},
            }
        case ServerKind.OLLAMA:
            # Any other value is refused for models that cannot think; those that can do so unasked.
            return {} if request.thinking else {"reasoning_effort": "none"}
        case ServerKind.OTHER:
            return {}


def _tools(tools: Sequence[ToolSpec], choice: str, server: RemoteServer) -> dict[str, JsonValue]:
    written: JsonValue = choice
    if choice not in {"auto", "required"}:
        tools = [tool for tool in tools if tool.name == choice]
        if not tools:
            raise InvalidRequestError(f"There is no tool {choice!r} to choose: name one of the given tools.")
        # llama-server takes an object for "auto"; with one tool to choose from, "required" says the same.
        named: JsonValue = {"type": "function", "function": {"name": choice}}
        written = "required" if server.kind is ServerKind.LLAMA_SERVER else named
    return {
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                },
            }
            for tool in tools
        ],
        "tool_choice": written,
    }


def _grammar(grammar: Grammar, server: RemoteServer) -> dict[str, JsonValue]:
    if grammar.kind == "json_schema":
        try:
            schema: JsonValue = json.loads(grammar.text)
        except (ValueError, RecursionError) as error:
            raise InvalidRequestError(f"The JSON schema for the answer is no JSON: {error}.") from error
        return {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": schema},
            }
        }
    match server.kind:
        case ServerKind.LLAMA_SERVER:
            return {"grammar": grammar.text}
        case ServerKind.VLLM if server.version and server.version < _STRUCTURED_OUTPUTS:
            return {"guided_grammar": grammar.text}
        case ServerKind.VLLM:
            return {"structured_outputs": {"grammar": grammar.text}}
        case ServerKind.OLLAMA | ServerKind.OTHER:
            return {}
