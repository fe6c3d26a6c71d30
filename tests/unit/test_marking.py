"""Cited words are found in the text they were cited from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.library import Piece
from bot.web.answer_text import pieces_of, stretches
from bot.web.marking import Marked, mark

LARGE = "The BXD family is large."
MADE = "BXD strains were made by crossing C57BL/6J with DBA/2J."
KEPT = "They are kept in Memphis."
PASSAGE = f"{LARGE} {MADE} {KEPT}"


def cited(marked: Marked) -> list[str]:
    """Return what is marked."""
    return [span.text for spans in marked.texts for span in spans if span.cited]


@pytest.mark.parametrize(
    ("quote", "expected"),
    [
        (MADE, [MADE]),
        ("bxd  strains were made by crossing C57BL/6J", ["BXD strains were made by crossing C57BL/6J"]),
        (f"{LARGE} {KEPT}", [LARGE, KEPT]),
        (f"{LARGE} BXD strains were made by", [f"{LARGE} BXD strains were made by"]),
        ("Memphis.", ["Memphis."]),
        ("Rats are kept in Prague and elsewhere.", []),
        ("", []),
    ],
)
def test_the_cited_sentences_are_marked(quote: str, expected: list[str]) -> None:
    """White space, capitals and what stands between words make no difference; a few common words are no sentence."""
    assert expected == cited(mark([PASSAGE], quote))


def test_words_that_stand_elsewhere_are_told() -> None:
    """A quote of two passages of one document is marked where it can be, and the rest is given back."""
    marked = mark(
        [PASSAGE], "The BXD family is large. There are 140 strains of it (as of today). They are kept in Memphis."
    )

    assert ["The BXD family is large.", "They are kept in Memphis."] == cited(marked)
    assert ("There are 140 strains of it (as of today).",) == marked.missing


def test_a_list_that_a_sentence_announces_is_marked_with_it() -> None:
    """The answer joins its entries by semicolons."""
    text = "The family has three parents:\n- C57BL/6J\n- DBA/2J\n- A/J\nRats have others."
    found, missing = stretches(pieces_of(text), "The family has three parents: C57BL/6J; DBA/2J; A/J.")
    marked = [span.text for stretch in found for line in stretch.lines for span in line if span.cited]

    assert (["The family has three parents:", "C57BL/6J", "DBA/2J", "A/J"], ()) == (marked, missing)
    assert ["prose", "item", "prose"] == [stretch.kind for stretch in found]


def test_neighbouring_sentences_are_one_marked_stretch() -> None:
    """The blank between them is marked too, so that a print has no holes."""
    sentences = ("One is enough for all.", "Two are more than that.")
    found, _ = stretches([Piece(sentence) for sentence in sentences], " ".join(sentences))

    assert [[(" ".join(sentences), True)]] == [
        [(span.text, span.cited) for span in line] for stretch in found for line in stretch.lines
    ]


texts = st.text(alphabet="abAB .;-\n<>&é", max_size=80)


@given(st.lists(texts, max_size=4), texts)
def test_no_text_is_lost_or_added(all_texts: list[str], quote: str) -> None:
    """Spans put together are the text, for any text and any quote."""
    marked = mark(all_texts, quote)

    assert all_texts == ["".join(span.text for span in spans) for spans in marked.texts]


def test_a_text_that_repeats_one_word_takes_no_time() -> None:
    """The work is bounded, so that no document can hold up the pages."""
    marked = mark(["a " * 20_000], "a b " * 2_000)

    assert not marked.found
