"""What comes from a model, its file, its process or its server, fed with whatever."""

from __future__ import annotations

import asyncio
import io
import json
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from bot.agent.citations import split_statements
from bot.engine import frames
from bot.engine.control_tokens import neutralise, neutralise_json
from bot.engine.gguf_header import Header, read_header
from bot.engine.json_schema import Schema, problem
from bot.engine.model_file import model_card
from bot.engine.output_parser import OutputParser
from bot.engine.remote_stream import StreamReader, clean_json, read_events
from bot.engine.schema_grammar import schema_grammar
from bot.engine.tool_formats import HERMES, LLAMA, MISTRAL, MISTRAL_NAMED, PHI
from bot.errors import BotError, InvalidRequestError, SettingsError, UnavailableError
from bot.generation import Sampling, ToolSpec
from tests.fuzzing import DEEP, broken, damage, in_time, json_of, odd_scalars, outcome, pieces_of, repeated
from tests.gguf_models import write_random_gguf

TOOLS = (ToolSpec("look", "Looks.", {"type": "object", "properties": {"a": {"type": "string"}}}),)
MARKS = (
    *(
        "<think>",
        "</think>",
        "<tool_call>",
        "</tool_call>",
        "[TOOL_CALLS]",
        "[ARGS]",
        "<|tool_call|>",
        "<|/tool_call|>",
        "<|channel|>",
    ),
    *(
        '{"name": "look", "arguments": {"a": "b"}}',
        "{",
        "}",
        "[",
        "]",
        '"',
        "\\",
        "\n",
        "a ",
        "[1]",
        ". ",
        "\ud800",
        "<|im_end|>",
        "</s>",
    ),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small model file."""
    return write_random_gguf(tmp_path_factory.mktemp("model") / "random.gguf").read_bytes()


@given(st.binary(max_size=200))
@example(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"a" + struct.pack("<IIQ", 9, 9, 20_000_000))
@example(b"GGUF" + struct.pack("<IQQ", 3, 2**63, 2**63))
def test_any_bytes_are_a_header_or_none(data: bytes) -> None:
    """EOFError and ValueError are what its reader knows."""
    for one in (data, b"GGUF" + data, b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + data):
        with in_time():
            found = outcome(lambda one=one: read_header(io.BytesIO(one)), EOFError, ValueError) if one else None  # type: ignore[misc]
        assert found is None or isinstance(found, Header | EOFError | ValueError)


@settings(max_examples=150)
@given(harm=damage())
def test_a_damaged_model_file_is_read_or_refused(
    harm: tuple[list[tuple[int, int]], int], model: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The sentence names the file; changes are made where the header is."""
    changes, end = harm
    path: Path = tmp_path_factory.mktemp("damaged") / "model.gguf"
    path.write_bytes(broken(model, [(place % 3000, byte) for place, byte in changes], end))
    found = outcome(lambda: model_card(path), SettingsError, BotError)

    assert not isinstance(found, BotError) or "model.gguf" in str(found)


@given(st.binary(max_size=100))
def test_any_frame_is_one_or_the_process_is_given_up(data: bytes) -> None:
    """Nothing in it is ever code."""
    found = outcome(lambda: frames.decode(data), UnavailableError)

    assert isinstance(found, dict | UnavailableError)


@pytest.mark.parametrize("text", ["[" * DEEP, '{"a":' * DEEP, "9" * 5000])
def test_a_frame_that_python_cannot_follow_is_given_up(text: str) -> None:
    """It nests deeper than any reader follows, or holds a number of thousands of digits."""
    with pytest.raises(UnavailableError):
        frames.decode(text.encode())


@given(
    json_of(
        ["messages", "role", "text", "tools", "grammar", "sampling", "tool_choice", "seed", "reason", "calls", "usage"]
    )
)
def test_any_request_and_event_is_one_or_refused(value: JsonValue) -> None:
    """A ValueError is what the processes know; nothing else comes of JSON."""
    outcome(lambda: frames.unpack_request(value), ValueError, RecursionError)
    for name in (
        "Text",
        "Thought",
        "Waiting",
        "Restarted",
        "Finished",
        "BusyError",
        "BotError",
        "errors",
        "annotations",
        "__doc__",
    ):
        found = outcome(lambda name=name: frames.unpack_event([name, value]), ValueError)  # type: ignore[misc]
        assert not isinstance(found, type)


@given(pieces_of(MARKS), st.sampled_from([HERMES, LLAMA, MISTRAL, MISTRAL_NAMED, PHI, None]), st.booleans())
def test_any_text_of_a_model_is_parsed(text: str, tool_format: object, thinks: bool) -> None:
    """Calls have the names of tools, or the text is refused."""
    parser = OutputParser(tool_format, TOOLS, starts_thinking=thinks)  # type: ignore[arg-type]
    parser.feed(text)
    found = outcome(parser.finish, InvalidRequestError)

    assert isinstance(found, InvalidRequestError) or {"look"} >= {call.name for call in found[1]}  # type: ignore[index]


@settings(max_examples=25)
@given(repeated(MARKS), st.sampled_from([HERMES, LLAMA, MISTRAL, MISTRAL_NAMED, PHI, None]))
def test_text_of_a_model_that_repeats_is_parsed_in_time(text: str, tool_format: object) -> None:
    """In pieces of a few letters, as tokens come."""
    text = text[:8000]  # no model writes more
    with in_time():
        parser = OutputParser(tool_format, TOOLS)  # type: ignore[arg-type]
        for place in range(0, len(text), 4):
            parser.feed(text[place : place + 4])
        outcome(parser.finish, InvalidRequestError)
        split_statements(text)
        neutralise(text, ["<|im_end|>"])


@given(json_of(["a", "type"]), pieces_of(MARKS))
def test_any_text_is_made_harmless(value: JsonValue, text: str) -> None:
    """Twice is as once, and JSON keeps its form."""
    once = neutralise(text, ["<|im_end|>", ""])

    assert once == neutralise(once, ["<|im_end|>", ""])
    assert type(neutralise_json(value)) is type(value)
    assert type(clean_json(value)) is type(value)


SCHEMA = """type properties required items prefixItems enum const anyOf oneOf allOf $ref $defs minItems maxItems
    minLength maxLength minimum maximum additionalProperties a""".split()
SCHEMA_VALUES = odd_scalars | st.sampled_from(
    ["object", "array", "string", "integer", "number", "boolean", "null", "#/$defs/a", "#", "#/a"]
)


@settings(max_examples=300)
@given(json_of(SCHEMA, SCHEMA_VALUES, leaves=12), json_of(["a"], leaves=6))
def test_any_schema_is_a_grammar_or_refused(schema: JsonValue, value: JsonValue) -> None:
    """Tools' schemas are our own or of those who write tools; a wrong one is a sentence, and no endless loop."""
    whole: Schema = schema if isinstance(schema, dict) else {"properties": {"a": schema}}
    grammar = outcome(lambda: schema_grammar(whole), InvalidRequestError)
    wrong = outcome(lambda: problem(value, whole), InvalidRequestError)

    assert isinstance(grammar, str | InvalidRequestError)
    assert isinstance(wrong, str | InvalidRequestError | None)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}, {"type": "string"}]},
        {"allOf": [{"$ref": "#"}]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/$defs/a"}}},
    ],
)
def test_a_schema_that_is_only_itself_is_refused(schema: Schema) -> None:
    """Neither Python nor llama.cpp come to an end of it."""
    with pytest.raises(InvalidRequestError, match="itself without end"):
        schema_grammar(schema)
    with pytest.raises(InvalidRequestError, match="itself without end"):
        problem(1, schema)


def test_a_schema_that_is_itself_behind_a_sign_is_followed() -> None:
    """A list of lists of lists, as deep as a value is."""
    schema: Schema = {"anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "null"}]}

    assert "root" in schema_grammar(schema)
    assert [None, "the value must be"] == [problem([[None]], schema), str(problem(1, schema))[:17]]


STREAM = """choices delta content tool_calls index id function name arguments finish_reason usage error code message
    prompt_tokens completion_tokens reasoning prompt_tokens_details cached_tokens""".split()


@given(
    st.lists(json_of(STREAM, leaves=12) | st.binary(max_size=20).map(lambda data: data.decode("latin-1")), max_size=5)
)
def test_any_stream_of_a_server_is_read_or_broken(chunks: list[JsonValue]) -> None:
    """Also calls whose pieces do not fit, and usage that is none."""
    reader = StreamReader("http://127.0.0.1:1", "model")
    for chunk in chunks:
        call = {"choices": [{"delta": {"tool_calls": [chunk], "content": "x"}, "finish_reason": None}]}
        for one in (chunk, call, {"choices": [chunk]}):
            data = one.encode("utf-8", "replace") if isinstance(one, str) else json.dumps(one).encode()
            outcome(lambda data=data: reader.feed(data), BotError)  # type: ignore[misc]
    outcome(lambda: reader.ending(Sampling(), 0), BotError)
    outcome(lambda: reader.ending(Sampling(), 0, deadline=True), BotError)


@given(
    st.lists(
        st.binary(max_size=30) | st.sampled_from([b"data: x\n", b"\n", b"\r\n", b"data:", b"error: ", b": c\n"]),
        max_size=12,
    )
)
def test_any_bytes_of_a_server_are_events(chunks: list[bytes]) -> None:
    """However they are cut, the events are the same."""

    async def events(pieces: list[bytes]) -> list[bytes]:
        async def sent() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        return [event async for event in read_events("http://a", sent())]

    whole = b"".join(chunks)

    assert asyncio.run(events([whole])) == asyncio.run(events(chunks))
