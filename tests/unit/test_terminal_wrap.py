"""Breaking a growing text at words, in a terminal of any width."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from adapters.terminal.render import WordWrap

TEXTS = st.text(st.sampled_from("ab [1]\n語,é "), max_size=120)


def wrapped(pieces: list[str], width: int) -> str:
    """What is printed of a text that comes in pieces."""
    wrap = WordWrap(lambda: width)
    return "".join([*map(wrap.add, pieces), wrap.end()])


@given(TEXTS, st.lists(st.integers(0, 120), max_size=6), st.integers(2, 40))
def test_pieces_give_what_the_whole_gives(text: str, cuts: list[int], width: int) -> None:
    """Where a text is cut does not show."""
    ends = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[begin:end] for begin, end in itertools.pairwise(ends)]

    assert wrapped([text], width) == wrapped(pieces, width)


@given(TEXTS, st.integers(12, 40))
def test_lines_fit_and_nothing_is_lost(text: str, width: int) -> None:
    """Only a word that is longer than a line stands in a longer one, and no letter goes missing."""
    shown = wrapped([text], width)
    too_long = [line for line in shown.split("\n") if cell_len(line) > width and len(line.split()) > 1]

    assert [] == too_long
    assert "".join(text.split()) == "".join(shown.split())


def test_a_word_is_held_back_until_it_is_complete() -> None:
    """A word never begins at the end of a line and goes on in the next."""
    wrap = WordWrap(lambda: 10)

    assert ["one", " two", "", "\nthreefour"] == [wrap.add("one tw"), wrap.add("o three"), wrap.add("four"), wrap.end()]


def test_chinese_and_japanese_grow_at_once() -> None:
    """Characters of two cells are shown as they come and break anywhere."""
    wrap = WordWrap(lambda: 6)

    assert ["日本", "語\nの文"] == [wrap.add("日本"), wrap.add("語の文")]


def test_the_width_may_change_on_the_way() -> None:
    """A terminal that was made narrower is obeyed from the next word on."""
    widths = [20]
    wrap = WordWrap(lambda: widths[0])
    begun = wrap.add("one two ")
    widths[0] = 8

    assert ("one two", "\nthree\nfour") == (begun, wrap.add("three four") + wrap.end())
