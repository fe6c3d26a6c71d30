"""Bytes of tokens to pieces of text: however they are cut, the text is the same and no stop string shows."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.output_parser import OutputParser
from bot.engine.writer import TextWriter
from bot.generation import Text, Thought


def written(pieces: list[bytes], stop: tuple[str, ...] = ()) -> tuple[str, bool]:
    """The text of some tokens, and whether a stop string ended it."""
    writer = TextWriter(OutputParser(None), stop)
    events: list[Text | Thought] = []
    for piece in pieces:
        events += writer.write(piece)
        if writer.stopped:
            break
    more, calls = writer.finish()
    assert [] == calls
    return "".join(event.text for event in [*events, *more]), writer.stopped


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The data in pieces."""
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[first:second] for first, second in itertools.pairwise(marks)]


@given(st.text("aé漢🧬 b", max_size=20), st.lists(st.integers(0, 100), max_size=20))
def test_characters_cut_between_tokens_come_whole(text: str, places: list[int]) -> None:
    """A character of several bytes may come in several tokens."""
    assert (text.strip(), False) == (written(cut(text.encode(), places))[0].strip(), False)


@given(st.text("ab<", max_size=20), st.lists(st.integers(0, 100), max_size=20))
def test_the_text_ends_before_the_first_stop_string(text: str, places: list[int]) -> None:
    """However the tokens are cut, the text is what stands before the stop string that begins first."""
    stops = ("<b", "aa<")
    found = [at for stop in stops if (at := text.find(stop)) >= 0]
    expected = text[: min(found)] if found else text

    assert (expected, bool(found)) == written(cut(text.encode(), places), stops)


def test_what_may_become_a_stop_string_is_held_back() -> None:
    """A piece is told when it is certain, and at the end when it was none after all."""
    writer = TextWriter(OutputParser(None), ("</answer>",))

    assert [Text("yes")] == writer.write(b"yes</an")
    assert [] == writer.write(b"sw")
    assert ([Text("</answ")], []) == writer.finish()


def test_nothing_is_written_behind_a_stop_string() -> None:
    """Later tokens of the same batch are passed over."""
    writer = TextWriter(OutputParser(None), ("#",))
    writer.write(b"a#b")

    assert ([], True) == (writer.write(b"c"), writer.stopped)
    assert ([], []) == writer.finish()


def test_an_empty_stop_string_stops_nothing() -> None:
    """It would otherwise end every text before it began."""
    assert ("abc", False) == written([b"abc"], ("",))


@pytest.mark.parametrize(
    ("data", "marks"),
    [
        (b"\xff\xfe", 2),
        (b"\xe6\xbc", 1),
        (b"\xed\xa0\x80", 1),
        (b"\xf7\xbf\xbf\xbf", 1),
        (b"\xe6\xe6\xe6", 3),
        (b"\x80\x80", 2),
    ],
    ids=["no lead", "cut off", "surrogate", "beyond Unicode", "leads only", "no lead at all"],
)
def test_bytes_that_are_no_text_become_a_mark_each(data: bytes, marks: int) -> None:
    """A random model may write any bytes; one mark for each sequence, as llama.cpp's grammars count them."""
    pieces = [b"a", *(data[at : at + 1] for at in range(len(data))), b"b"]

    assert ("a" + marks * "\N{REPLACEMENT CHARACTER}" + "b", False) == written(pieces)


@given(st.binary(max_size=30), st.lists(st.integers(0, 100), max_size=20))
def test_any_bytes_give_the_same_text_however_they_are_cut(data: bytes, places: list[int]) -> None:
    """Tokens end anywhere."""
    assert written([data]) == written(cut(data, places))


def test_thoughts_are_no_text() -> None:
    """What stands between the marks of thinking is told as thoughts."""
    writer = TextWriter(OutputParser(None), ())
    events = [event for piece in (b"<thi", b"nk>hm", b"m</think>", b"Yes") for event in writer.write(piece)]
    more, _ = writer.finish()

    assert ("hmm", "Yes") == (
        "".join(event.text for event in [*events, *more] if isinstance(event, Thought)),
        "".join(event.text for event in [*events, *more] if isinstance(event, Text)),
    )
