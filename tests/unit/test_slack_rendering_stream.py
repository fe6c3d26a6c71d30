"""Text that is appended piece by piece is as safe as a whole one, wherever it is cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from adapters.slack.rendering_stream import StreamText
from tests.hostile_texts import JOINER, faults_of_markdown, hostile_texts

KINDS = {
    *("paragraph_open", "paragraph_close", "inline", "text", "softbreak", "heading_open", "heading_close"),
    *("bullet_list_open", "bullet_list_close", "ordered_list_open", "ordered_list_close", "list_item_open"),
    "list_item_close",
}


def streamed(*pieces: str) -> str:
    stream = StreamText()
    return "".join([*map(stream.feed, pieces), stream.finish()])


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in itertools.pairwise(ends)]


@settings(max_examples=300, deadline=None)
@given(hostile_texts, st.lists(st.integers(0, 500), max_size=8))
def test_a_stream_is_the_same_wherever_it_is_cut(text: str, places: list[int]) -> None:
    """Pieces put together give what the whole gives at once."""
    assert streamed(text) == streamed(*cut(text, places))


@settings(max_examples=300, deadline=None)
@given(hostile_texts, st.integers(0, 500))
def test_every_beginning_of_a_stream_is_safe(text: str, end: int) -> None:
    """What is visible at any moment calls nobody, links nothing and is text, lists and headings only."""
    stream = StreamText()
    visible = stream.feed(text[:end])
    whole = visible + stream.feed(text[end:]) + stream.finish()

    for shown in (visible, whole):
        tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(shown)
        kinds = {token.type for token in tokens} | {child.type for token in tokens for child in token.children or ()}
        assert [] == faults_of_markdown(shown, set())
        assert kinds <= KINDS


@pytest.mark.parametrize("place", range(len("<!channel>") + 1))
def test_a_mention_cut_in_two_calls_nobody(place: int) -> None:
    """Also where each half alone would be harmless."""
    text = "<!channel>"

    assert f"&lt;{JOINER}!channel&gt;" == streamed(text[:place], text[place:])


def test_words_are_shown_as_soon_as_they_are_complete() -> None:
    """Only the last word is held back."""
    stream = StreamText()

    assert ["The", " BXD", "", " strains.", ""] == [
        stream.feed(piece) for piece in ("The B", "XD ", "stra", "ins. ", "")
    ]


def test_lists_headings_and_numbers_stay() -> None:
    """What begins a line keeps its meaning; emphasis and code are shown as signs that look alike."""
    written = "# Strains\n\n- BXD [1]\n* HXB\n1) one\nplain **bold** `code`"
    expected = f"### Strains\n\n- BXD [1]{JOINER}\n- HXB\n1. one\nplain ∗∗bold∗∗ ˋcodeˋ"

    assert expected == streamed(written)


def test_words_without_end_are_not_held_back_for_ever() -> None:
    """A word of thousands of letters comes in pieces, the same for every cut."""
    text = "x" * 5000

    assert 4000 < len(StreamText().feed(text))
    assert streamed(text) == streamed(*text)
