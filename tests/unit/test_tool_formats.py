"""Tool calls of the model families: grammars that let nothing else through, and reading what was written."""

from __future__ import annotations

import ctypes
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import llama_cpp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_cpp.llama_grammar import LlamaGrammar
from pydantic import JsonValue

from bot.engine.json_schema import problem
from bot.engine.schema_grammar import schema_grammar
from bot.engine.tool_formats import HERMES, LLAMA, MISTRAL, MISTRAL_NAMED, PHI, ToolFormat, family_of
from bot.errors import InvalidRequestError
from bot.generation import ToolCall, ToolSpec
from tests.gguf_models import write_random_gguf

TEMPLATES = Path(__file__).parents[1] / "payloads" / "templates"
FORMATS = (HERMES, LLAMA, MISTRAL, MISTRAL_NAMED, PHI)
FIND = ToolSpec(
    "find_trait",
    "Finds traits.",
    {
        "type": "object",
        "properties": {
            "query": {"type": "string"},
            "species": {"type": "string", "enum": ["mouse", 'r"at\\']},
            "limit": {"type": "integer", "minimum": 1, "maximum": 10},
            "lod": {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]},
            "places": {"type": "array", "items": {"$ref": "#/$defs/place"}, "minItems": 1, "maxItems": 3},
        },
        "required": ["query", "places"],
        "additionalProperties": False,
        "$defs": {
            "place": {
                "type": "object",
                "properties": {"chromosome": {"type": "string", "maxLength": 2}, "mb": {"type": "number"}},
                "required": ["chromosome"],
            }
        },
    },
)
ANYTHING = ToolSpec("note-it", "Notes.", {"type": "object", "additionalProperties": True})
NOTHING = ToolSpec("list_groups", "Lists.", {})
FIRST_BYTE_TOKEN = 3  # of the random model, whose tokens begin with three special ones and the 256 bytes
TOOLS = (FIND, ANYTHING, NOTHING)
CALLS = (
    ToolCall("", "find_trait", {"query": 'a "b" \\ é\n', "places": [{"chromosome": "X"}]}),
    ToolCall("", "list_groups", {}),
)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> llama_cpp.Llama:
    path = write_random_gguf(tmp_path_factory.mktemp("model") / "random.gguf")
    return llama_cpp.Llama(str(path), n_ctx=4096, n_threads=1, verbose=False)


def written(llama: llama_cpp.Llama, grammar: str, seed: int) -> str:
    """What the random model writes under a grammar, to its end."""
    answer = llama.create_completion(
        "x",
        max_tokens=3900,
        temperature=1.5,
        top_k=0,
        top_p=1.0,
        min_p=0.0,
        seed=seed,
        grammar=LlamaGrammar.from_string(grammar, verbose=False),
    )
    assert isinstance(answer, dict)
    assert "stop" == answer["choices"][0]["finish_reason"]
    return str(answer["choices"][0]["text"])


def pairs(calls: Sequence[ToolCall]) -> list[tuple[str, Mapping[str, JsonValue]]]:
    return [(call.name, call.arguments) for call in calls]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("qwen2.5", HERMES),
        ("qwen3", HERMES),
        ("llama3.1", LLAMA),
        ("mistral-nemo", MISTRAL),
        ("gemma2", HERMES),
        ("phi4-mini", PHI),
        ("deepseek-r1", HERMES),
    ],
)
def test_the_format_is_told_from_the_template(template: str, expected: ToolFormat) -> None:
    """Each family's template leads to its own way of calling."""
    assert expected == family_of((TEMPLATES / f"{template}.jinja").read_text())


def test_newer_mistral_templates_put_the_name_first_and_unknown_ones_are_hermes() -> None:
    """A mark of the newer form decides, and a missing template takes the widest spread form."""
    assert MISTRAL_NAMED == family_of("{{ '[TOOL_CALLS]' + name + '[ARGS]' }}")
    assert HERMES == family_of(None, "llama")


@pytest.mark.parametrize("tool_format", FORMATS, ids=lambda one: one.family)
@pytest.mark.parametrize("seed", range(6))
def test_what_a_grammar_allows_always_parses(llama: llama_cpp.Llama, tool_format: ToolFormat, seed: int) -> None:
    """A random model at a high temperature writes calls that are read and keep to the schemas."""
    text = written(llama, tool_format.grammar(TOOLS), seed)
    assert 1 <= len(tool_format.parse(text, TOOLS)) <= 4


@pytest.mark.parametrize("tool_format", FORMATS, ids=lambda one: one.family)
def test_a_chosen_tool_is_the_only_one_a_grammar_allows(llama: llama_cpp.Llama, tool_format: ToolFormat) -> None:
    """With the name of a tool as the choice no other is called."""
    text = written(llama, tool_format.grammar(TOOLS, choice="note-it"), 1)
    assert {"note-it"} == {call.name for call in tool_format.parse(text, TOOLS)}


@pytest.mark.parametrize("seed", range(4))
def test_a_schema_alone_is_a_grammar_of_its_values(llama: llama_cpp.Llama, seed: int) -> None:
    """Structured answers use the same conversion."""
    value = json.loads(written(llama, schema_grammar(FIND.parameters), seed))
    assert None is problem(value, FIND.parameters)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"next": {"$ref": "#"}}},
        {"type": ["string", "null"], "maxLength": 3},
        {"const": {"a": [1, "ü\n"]}},
        {"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "integer", "minimum": 0}]},
        {"type": "array", "maxItems": 0},
        {"allOf": [{"$ref": "#/$defs/a"}, {"properties": {"b": {"type": "null"}}, "required": ["b"]}],
         "$defs": {"a": {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}}},
        {"properties": {"a": {"type": "boolean"}, "b": {"type": "boolean"}, "c": {"type": "boolean"}}},
        {"type": "object", "additionalProperties": {"type": "integer", "minimum": -2, "maximum": 2}},
        {},
    ],
)  # fmt: skip
def test_unusual_schemas_become_grammars(llama: llama_cpp.Llama, schema: dict[str, JsonValue]) -> None:
    """References to itself, unions, constants, tuples and free keys are followed."""
    for seed in range(3):
        assert None is problem(json.loads(written(llama, schema_grammar(schema), seed)), schema)


def test_a_schema_that_cannot_be_followed_is_refused() -> None:
    """Unknown types and dangling references end in a sentence."""
    with pytest.raises(InvalidRequestError, match="type 'date'"):
        schema_grammar({"type": "date"})
    with pytest.raises(InvalidRequestError, match="#/\\$defs/x"):
        schema_grammar({"$ref": "#/$defs/x"})
    with pytest.raises(InvalidRequestError, match="no tool 'other' to choose: use one of find_trait"):
        HERMES.grammar(TOOLS, choice="other")


class GrammarSampler:
    """llama.cpp's grammar of a format, lazy or from the beginning, fed with text."""

    def __init__(self, llama: llama_cpp.Llama, tool_format: ToolFormat, *, lazy: bool = True) -> None:
        vocabulary = llama_cpp.llama_model_get_vocab(llama._model.model)
        grammar = tool_format.grammar(TOOLS).encode()
        if lazy:
            pattern = (ctypes.c_char_p * 1)(tool_format.trigger_pattern(TOOLS).encode())
            self._sampler = llama_cpp.llama_sampler_init_grammar_lazy_patterns(
                vocabulary, grammar, b"root", pattern, 1, (llama_cpp.llama_token * 0)(), 0
            )
        else:
            self._sampler = llama_cpp.llama_sampler_init_grammar(vocabulary, grammar, b"root")
        assert self._sampler

    def write(self, text: str) -> None:
        for byte in text.encode():
            llama_cpp.llama_sampler_accept(self._sampler, FIRST_BYTE_TOKEN + byte)

    def allows(self, char: str) -> bool:
        one = llama_cpp.llama_token_data(FIRST_BYTE_TOKEN + ord(char), 1.0, 0.0)
        candidates = llama_cpp.llama_token_data_array(ctypes.pointer(one), 1, -1, False)
        llama_cpp.llama_sampler_apply(self._sampler, ctypes.byref(candidates))
        return bool(one.logit != float("-inf"))

    def close(self) -> None:
        llama_cpp.llama_sampler_free(self._sampler)


@pytest.mark.parametrize("tool_format", FORMATS, ids=lambda one: one.family)
def test_a_lazy_grammar_sets_in_with_the_call_and_not_before(llama: llama_cpp.Llama, tool_format: ToolFormat) -> None:
    """Text is free; once a call has begun, only a call is possible; after it nothing else."""
    call = tool_format.render(CALLS[:1])
    begun = call.index("find_trait") if tool_format is MISTRAL_NAMED else call.index("find_trait") + len("find_trait")
    before = "" if tool_format is LLAMA else 'Let me see: {"name": 1}\n'
    grammar = GrammarSampler(llama, tool_format)
    try:
        grammar.write(before)
        assert grammar.allows("%")
        grammar.write(call[:begun])
        assert not grammar.allows("%")
        grammar.write(call[begun:])
        assert not grammar.allows("%")
    finally:
        grammar.close()


@pytest.mark.parametrize("tool_format", FORMATS, ids=lambda one: one.family)
def test_a_lazy_grammar_leaves_answers_alone(llama: llama_cpp.Llama, tool_format: ToolFormat) -> None:
    """Braces, other marks and JSON of its own do not start a call."""
    grammar = GrammarSampler(llama, tool_format)
    try:
        grammar.write('{"name": "Alice"} <tool> [1] <tool_call!> [TOOL] {"type": 3} <|tool|>')
        assert grammar.allows("%")
    finally:
        grammar.close()


@pytest.mark.parametrize("tool_format", FORMATS, ids=lambda one: one.family)
@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_what_triggers_a_lazy_grammar_is_allowed_by_it(
    llama: llama_cpp.Llama, tool_format: ToolFormat, data: st.DataObject
) -> None:
    """llama.cpp ends the process where the two differ, so every text that triggers is a beginning of the grammar."""
    pattern = re.compile(tool_format.trigger_pattern(TOOLS).removesuffix("$") + r"\Z")
    match = pattern.search(data.draw(st.from_regex(pattern)))
    assert match is not None
    grammar = GrammarSampler(llama, tool_format, lazy=False)
    try:
        for char in match.group(1):
            assert grammar.allows(char)
            grammar.write(char)
    finally:
        grammar.close()


@pytest.mark.parametrize("tool_format", FORMATS, ids=lambda one: one.family)
def test_calls_are_read_as_they_are_rendered(tool_format: ToolFormat) -> None:
    """What history shows a model is what is read from it."""
    calls = tool_format.parse(tool_format.render(CALLS), TOOLS)
    assert pairs(CALLS) == pairs(calls)
    assert [9, 9] == [len(call.call_id) for call in calls]
    assert calls[0].call_id != calls[1].call_id


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(FORMATS),
)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_arguments_survive_rendering_and_reading(value: JsonValue, tool_format: ToolFormat) -> None:
    """Marks, quotes and line breaks within arguments are no end of the call."""
    arguments: dict[str, JsonValue] = {"value": value, "marks": tool_format.opening + tool_format.closing + '"}]'}
    call = ToolCall("", "note-it", arguments)
    assert [("note-it", arguments)] == pairs(tool_format.parse(tool_format.render([call]), TOOLS))


@pytest.mark.parametrize(
    ("tool_format", "text"),
    [
        (HERMES, '<tool_call>{"name":"list_groups","arguments":{}}'),
        (HERMES, '<tool_call>\n{"name": "list_groups"}\n</tool_call> and more'),
        (HERMES, '<tool_call>{"type": "function", "function": {"name": "list_groups", "arguments": "{}"}}</tool_call>'),
        (HERMES, '```json\n{"name": "list_groups", "parameters": {}}\n```'),
        (LLAMA, '<|python_tag|>{"type": "function", "name": "list_groups", "parameters": {}}'),
        (LLAMA, '{"name": "list_groups", "arguments": null}'),
        (MISTRAL, '[TOOL_CALLS] [{"name": "list_groups", "arguments": {}, "id": "abcdefghi"}]'),
        (MISTRAL, "[TOOL_CALLS]list_groups[ARGS]{}"),
        (MISTRAL_NAMED, "[TOOL_CALLS]list_groups[CALL_ID]abc[ARGS]{}"),
        (MISTRAL_NAMED, "[TOOL_CALLS]list_groups{}"),
        (PHI, '<|tool_call|>{"name": "list_groups", "arguments": {}}<|/tool_call|>'),
    ],
)
def test_common_variants_are_read(tool_format: ToolFormat, text: str) -> None:
    """Without a grammar models leave out or vary what does not matter."""
    assert [("list_groups", {})] == pairs(tool_format.parse(text, TOOLS))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            '{"name": "delete", "arguments": {}}',
            "no tool 'delete': call one of find_trait, note-it, list_groups.",
        ),
        ('{"name": "find_trait", "arguments": {"places": []}}', 'the argument "query" is missing'),
        (
            '{"name": "find_trait", "arguments": {"query": 1, "places": []}}',
            'the argument "query" must be of type string',
        ),
        (
            '{"name": "find_trait", "arguments": {"query": "a", "places": []}}',
            'the argument "places" must have 1 items or more',
        ),
        (
            '{"name": "find_trait", "arguments": {"query": "a", "places": [{"mb": 1}]}}',
            'the argument "places[0].chromosome" is missing',
        ),
        (
            '{"name": "find_trait", "arguments": {"query": "a", "places": [{"chromosome": "1"}], "limit": 11}}',
            'the argument "limit" must be at most 10',
        ),
        (
            '{"name": "find_trait", "arguments": {"query": "a", "places": [{"chromosome": "1"}], "x": 1}}',
            'the argument "x" must not be there',
        ),
        (
            '{"name": "find_trait", "arguments": {"query": "a", "places": [{"chromosome": "1"}], "species": "cat"}}',
            'the argument "species" must be one of "mouse"',
        ),
        (
            '{"name": "find_trait", "arguments": {"query": "a", "places": [{"chromosome": "1"}], "lod": true}}',
            'the argument "lod" must be of type number',
        ),
        ('{"name": "find_trait", "arguments": [1]}', "The arguments of find_trait are no JSON object"),
        ('{"name": "find_trait", "arguments": {"query": "a', "broken or cut off"),
        ('{"name": "note-it", "arguments": {"a": NaN}}', "broken or cut off"),
        ("[" * 100_000, "broken or cut off"),
        ('{"tool": "find_trait"}', "no tool call that can be read"),
        ("[1, 2]", "no tool call that can be read"),
        ("Hello", "no tool call that can be read"),
        ("", "no tool call that can be read"),
    ],
)
def test_a_wrong_call_is_refused_in_a_sentence_for_the_model(call: str, message: str) -> None:
    """The message says what to correct."""
    with pytest.raises(InvalidRequestError) as refusal:
        HERMES.parse(f"<tool_call>\n{call}\n</tool_call>", TOOLS)
    assert message in str(refusal.value)


def test_lone_surrogates_are_left_out_of_arguments() -> None:
    """Half a character, written as an escape, is dropped; a whole one stays."""
    text = '<tool_call>{"name": "note-it", "arguments": {"a\\ud800": ["b\\udc00", "\\ud83d\\ude00"]}}</tool_call>'
    assert [("note-it", {"a": ["b", "😀"]})] == pairs(HERMES.parse(text, TOOLS))


def test_a_json_answer_is_no_bare_call() -> None:
    """Where calls have no mark, an object with a name may be the answer itself."""
    assert not LLAMA.is_call('{"name": "Alice", "age": 3}', TOOLS)
    assert LLAMA.is_call('{"name": "list_groups"', TOOLS)
    assert LLAMA.is_call('{"name": "unknown", "parameters": {}}', TOOLS)
    assert LLAMA.is_call("<|python_tag|>print(1)", TOOLS)


@pytest.mark.parametrize("tool_format", FORMATS, ids=lambda one: one.family)
def test_a_description_names_every_tool_and_shows_the_form(tool_format: ToolFormat) -> None:
    """A model whose template knows no tools reads what it may call and how."""
    described = tool_format.describe(TOOLS)
    assert [] == [tool.name for tool in TOOLS if json.dumps(tool.name) not in described]
    assert tool_format.example() in described


@pytest.mark.parametrize("layout", [HERMES, LLAMA, MISTRAL_NAMED])
def test_calls_before_one_that_was_cut_off_stand(layout: ToolFormat) -> None:
    """At the length limit only the last call is lost."""
    count = ToolSpec("count", "Counts.", {"type": "object", "properties": {"group": {"type": "string"}}})
    whole = layout.render([ToolCall("", "count", {"group": "BXD"})])

    assert ["count"] == [call.name for call in layout.parse(f"{whole}\n{whole[: len(whole) * 2 // 3]}", [count])]
