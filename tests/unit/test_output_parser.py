"""Thoughts, text and calls told apart in a stream, however it is cut."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.output_parser import THINKING_MARKS, OutputParser
from bot.engine.tool_formats import HERMES, LLAMA, MISTRAL, MISTRAL_NAMED, PHI, ToolFormat
from bot.errors import InvalidRequestError
from bot.generation import Text, Thought, ToolSpec

FORMATS = (HERMES, LLAMA, MISTRAL, MISTRAL_NAMED, PHI)
TOOLS = (ToolSpec("look", "Looks.", {"type": "object", "properties": {"a": {"type": "string"}}}),)
CALLS = {
    "hermes": '<tool_call>\n{"name": "look", "arguments": {"a": "<think>"}}\n</tool_call>',
    "llama": '{"name": "look", "parameters": {"a": "<think>"}}',
    "mistral": '[TOOL_CALLS][{"name": "look", "arguments": {"a": "<think>"}}]',
    "mistral-named": '[TOOL_CALLS]look[ARGS]{"a": "<think>"}',
    "phi": '<|tool_call|>[{"name": "look", "arguments": {"a": "<think>"}}]<|/tool_call|>',
}
Result = tuple[str, str, list[tuple[str, object]]]


def parsed(pieces: Sequence[str], tool_format: ToolFormat | None = HERMES, *, starts_thinking: bool = False) -> Result:
    """The text, the thoughts and the calls of a stream; a refused call shows as its message."""
    parser = OutputParser(tool_format, TOOLS, starts_thinking=starts_thinking)
    events = [event for piece in pieces for event in parser.feed(piece)]
    try:
        last, made = parser.finish()
        calls: list[tuple[str, object]] = [(call.name, dict(call.arguments)) for call in made]
    except InvalidRequestError as error:
        last, calls = [], [("refused", str(error))]
    events += last
    text = "".join(event.text for event in events if isinstance(event, Text))
    return text, "".join(event.text for event in events if isinstance(event, Thought)), calls


@pytest.mark.parametrize(("opening", "closing"), THINKING_MARKS)
def test_thoughts_are_kept_out_of_the_answer(opening: str, closing: str) -> None:
    """The marks of every family of reasoning models are known."""
    assert ("It is 3.", "\nHm.\n", []) == parsed([f"{opening}\nHm.\n{closing}\n\nIt is 3."])


def test_a_block_that_the_prompt_opened_is_thought_from_the_first_word() -> None:
    """Without an opening mark everything up to the closing one is thought."""
    assert ("It is 3.", "Hm.", []) == parsed(["Hm.</think>It is 3."], starts_thinking=True)


def test_a_block_that_is_never_closed_is_thought_to_the_end() -> None:
    """An answer cut off while thinking shows nothing."""
    assert ("", "Hm. <", []) == parsed(["<think>Hm. <"])


def test_channels_of_gpt_oss_leave_only_the_answer() -> None:
    """Its marks of turns and channels are no text."""
    text = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>It is 3.<|return|>"
    assert ("It is 3.", "Hm.", []) == parsed([text])


def test_texts_on_both_sides_of_a_block_are_paragraphs() -> None:
    """A thought in the middle does not glue words together."""
    assert ("One.\n\nTwo.", "Hm.", []) == parsed(["One. <think>Hm.</think> Two."])


@pytest.mark.parametrize("tool_format", FORMATS, ids=lambda one: one.family)
def test_a_call_is_no_text(tool_format: ToolFormat) -> None:
    """After thoughts and, where calls are marked, after text, the call is read and not shown."""
    before = "" if tool_format is LLAMA else "I look.\n\n"
    expected = (before.strip(), "Hm.", [("look", {"a": "<think>"})])
    assert expected == parsed([f"<think>Hm.</think>\n{before}{CALLS[tool_format.family]}"], tool_format)


def test_a_call_in_a_thought_is_a_thought() -> None:
    """A model that considers a call has not made it."""
    assert ("No.", CALLS["hermes"], []) == parsed([f"{CALLS['hermes']}</think>No."], starts_thinking=True)


def test_without_tools_a_call_is_text() -> None:
    """A mark of calls means nothing to a request without tools."""
    parser = OutputParser(HERMES, ())
    events = parser.feed("See <tool_call>.")
    assert ([Text("See <tool_call>.")], ([], [])) == (events, parser.finish())


def test_a_json_answer_of_llama_is_text() -> None:
    """An object that names no tool is an answer."""
    assert ('{"name": "BXD", "size": 1}', "", []) == parsed(['{"name": "BXD", "size": 1}'], LLAMA)
    assert ('{"title": 1}', "", []) == parsed(['{"title": 1}'], LLAMA)


def test_a_broken_call_is_refused_at_the_end() -> None:
    """What began as a call and cannot be read is an error for the model, and no text."""
    text, _, calls = parsed(['Wait. <tool_call>{"name": "look", "argu'])
    assert "" == text.removeprefix("Wait.")
    assert "refused" == calls[0][0]


def test_text_is_passed_on_as_soon_as_it_is_certain() -> None:
    """Only what may begin a mark, and white space before one, waits."""
    parser = OutputParser(HERMES, TOOLS)
    assert [Text("It is 3")] == parser.feed("It is 3 ")
    assert [] == parser.feed("<")
    assert [Text(" <b> and")] == parser.feed("b> and <tool_")
    assert [Text(" <tool_x")] == parser.feed("x")
    assert ([], []) == parser.finish()


def test_the_phase_tells_where_the_text_stands() -> None:
    """The engine learns when a thinking block has ended."""
    parser = OutputParser(HERMES, TOOLS, starts_thinking=True)
    phases = []
    for piece in ("Hm.", "</think>", "\n\n", "It", "<tool_call>"):
        parser.feed(piece)
        phases.append(parser.phase)
    assert ["thinking", "open", "open", "answering", "calling"] == phases


def test_lone_surrogates_are_left_out() -> None:
    """Half characters cannot be sent anywhere."""
    assert ("ab", "", []) == parsed(["a\ud800b"])


MARKS = [mark for pair in THINKING_MARKS for mark in pair]
fragments = st.one_of(
    st.sampled_from([*MARKS, "<tool_call>", "[TOOL_CALLS]", "<|start|>assistant", "<|channel|>final<|message|>"]),
    st.sampled_from([*MARKS, *CALLS.values()]).flatmap(
        lambda text: st.integers(0, len(text)).map(lambda cut: text[:cut])
    ),
    st.sampled_from(list(CALLS.values())),
    st.text(alphabet='ab <>[]{"|/\n', max_size=6),
)


@given(
    st.lists(fragments, max_size=6).map("".join),
    st.lists(st.integers(0, 200), max_size=12),
    st.sampled_from([None, *FORMATS]),
    st.booleans(),
)
def test_the_cuts_of_the_stream_make_no_difference(
    text: str, cuts: list[int], tool_format: ToolFormat | None, starts_thinking: bool
) -> None:
    """One piece, some pieces or single characters give the same text, thoughts and calls."""
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in itertools.pairwise(places)]
    whole = parsed([text], tool_format, starts_thinking=starts_thinking)
    assert whole == parsed(pieces, tool_format, starts_thinking=starts_thinking)
    assert whole == parsed(list(text), tool_format, starts_thinking=starts_thinking)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="<[{"), max_size=40))
def test_a_text_without_marks_comes_out_as_it_is(text: str) -> None:
    """Only white space at the beginning is left out."""
    assert (text.lstrip(), "", []) == parsed(list(text))
