"""What a model wrote, cleaned and compared with what it cites."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.agent.citations import check_statements, citation_grammar, split_statements, supported
from bot.agent.model_text import TextStream, clean_model_text
from bot.evidence import Home, Passage, Sentence


def passage(number: int, *sentences: str, url: str | None = None) -> Passage:
    """A passage of some sentences."""
    cut = tuple(Sentence(text, 0.9, True, position) for position, text in enumerate(sentences))
    home = Home(f"doc{number}.md", f"Document {number}", url)
    return Passage(str(number), " ".join(sentences), "", (home,), 0.9, cut)


PASSAGES = (
    passage(1, "BXD strains come from C57BL/6J and DBA/2J.", "The cohort has 2,000 mice."),
    passage(2, "LOD is LRS over 4.61.", "Permutations are not needed for this test."),
)


def test_supported_statements_are_kept_and_renumbered() -> None:
    """Numbers count from 1 in the order of their use, and each stands for its document and nearest sentence."""
    written = "The LOD is the LRS over 4.61 [2]. Strains come from C57BL/6J and DBA/2J [1] [7]."
    checked = check_statements(written, PASSAGES, unsupported="drop")

    assert "The LOD is the LRS over 4.61 [1]. Strains come from C57BL/6J and DBA/2J [2]." == checked.text
    assert [
        (1, "doc2.md", "LOD is LRS over 4.61."),
        (2, "doc1.md", "BXD strains come from C57BL/6J and DBA/2J."),
    ] == [(one.n, one.source, one.quote) for one in checked.citations]


@pytest.mark.parametrize(
    "invented",
    [
        "Unicorns sing loudly at night [1].",
        "The LOD is LRS over 9.99 [2].",
        "BXD strains come from C57BL/6J and BALB/c [1].",
        "BXD strains do not come from C57BL/6J and DBA/2J [1].",
        "Permutations are needed for this test [2].",
        "The LOD is the LRS over 4.61 [1].",
        "The LOD is the LRS over 4.61 [9].",
        "The cohort has 2,001 mice [1].",
    ],
)
def test_unsupported_statements_are_dropped_or_marked(invented: str) -> None:
    """Strange words, numbers, names, a turned denial, the wrong passage and none: each is no support."""
    written = f"The cohort has 2000 mice [1]. {invented}"
    dropped = check_statements(written, PASSAGES, unsupported="drop")
    marked = check_statements(written, PASSAGES, unsupported="mark")
    bare = invented.split(" [")[0]

    assert "The cohort has 2000 mice [1]." == dropped.text
    assert f"The cohort has 2000 mice [1]. {bare} (not in the sources)." == marked.text
    assert (1, 1) == (marked.supported, marked.unsupported)
    assert dropped.citations == marked.citations


def test_nothing_supported_leaves_no_citation() -> None:
    """The caller makes a refusal of it."""
    checked = check_statements("Unicorns sing [1]. So they say.", PASSAGES, unsupported="mark")

    assert (0, 2, ()) == (checked.supported, checked.unsupported, checked.citations)


def test_a_sentence_without_a_number_belongs_to_the_next_number() -> None:
    """People cite at the end of what they take from one place; the number is then written at each sentence."""
    written = "The cohort has 2,000 mice. The strains come from C57BL/6J and DBA/2J. [1] Unicorns sing."
    checked = check_statements(written, PASSAGES, unsupported="drop")

    assert "The cohort has 2,000 mice [1]. The strains come from C57BL/6J and DBA/2J [1]." == checked.text


def test_sentences_end_where_they_end() -> None:
    """Abbreviations, initials and decimal numbers end no sentence; numbers behind the full stop stay with it."""
    text = "In C. elegans, e.g. Fig. 3, it is 4.61. [1] [2] The next one.\n- An item [3]"

    assert ["In C. elegans, e.g. Fig. 3, it is 4.61 [1] [2].", "The next one.", "- An item [3]"] == split_statements(
        text
    )


def test_title_and_heading_support_a_statement() -> None:
    """What a passage is about often stands in its title only."""
    home = Home("a.md", "Heritability of body weight", None)

    assert supported("The heritability of body weight is 0.4", Passage("1", "It is 0.4.", "", (home,), 0.9))


def test_the_grammar_names_the_given_numbers_only() -> None:
    """Three passages, three numbers."""
    assert citation_grammar(3).text.endswith('number ::= "1" | "2" | "3"\n')


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("see https://evil.example/x now", "see  now"),
        ("![x](https://evil.example/p.png)", ""),
        ("[click](javascript:alert)", ""),
        ("a [link][1] here", "a (link)[1] here"),
        ("[1]: //evil.example/x", "[1]: "),
        ("<img src=x onerror=y>", "img src=x onerror=y"),
        ("www.evil.example and data.evil.com and evil.ru", " and  and "),
        ("ｈｔｔｐｓ：／／evil.example", ""),
        ("evil。com/x", ""),
        ("h\u200bttps://evil.example/x", "h "),
        ("\x1b[31mred\ud800", " red "),
        ("<!channel> <@U123> @room ＠here a@b", "!channel U123 room here ab"),
        ("p < 0.05, 3<5, LRS >= 4 in C57BL/6J (bxd.md)", "p < 0.05, 3<5, LRS >= 4 in C57BL/6J (bxd.md)"),
        ("E.g. t.test, GN:600, chr1:33.2, e.g. mice.In", "E.g. t.test, GN:600, chr1:33.2, e.g. mice.In"),
    ],
)
def test_model_text_carries_no_link_image_mention_or_control(text: str, cleaned: str) -> None:
    """Only the renderer writes links, and nobody is pinged; what scientists write stays."""
    assert cleaned == clean_model_text(text)


def test_hosts_of_the_passages_may_be_named() -> None:
    """An answer about GeneNetwork may say its name; a path behind it makes a link of it."""
    named = passage(1, "x", url="https://genenetwork.org/a")
    written = "Data are on genenetwork.org [1]. X is on genenetwork.org/x?y [1]."

    assert "Data are on genenetwork.org (not in the sources). X is on (not in the sources)." == (
        check_statements(written, [named], unsupported="mark").text
    )


_HOSTILE = st.text(st.sampled_from(list("a1[] ,;.<>@/:h\n\x1b\u200bwcom()!`")), max_size=50)


@given(_HOSTILE, st.lists(st.integers(0, 50), max_size=6))
def test_a_text_cut_anywhere_shows_the_same(text: str, cuts: list[int]) -> None:
    """Nothing gets through by arriving in pieces, and cleaning twice changes nothing."""
    stream = TextStream()
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    shown = "".join(stream.feed(text[a:b]) for a, b in itertools.pairwise(bounds)) + stream.finish()

    assert clean_model_text(text) == shown
    assert shown == clean_model_text(shown)


def test_numbers_are_shown_in_the_order_of_their_use() -> None:
    """A stream renumbers as it goes; numbers of nothing are left out."""
    shown = {3: 1, 1: 2}
    stream = TextStream(shown.get)

    assert "A [1]. B [2] [1] ." == "".join([stream.feed("A [3"), stream.feed("]. B [1, 3] [9"), stream.feed("].")]) + (
        stream.finish()
    )


@given(st.text(max_size=200))
def test_any_text_is_cleaned_and_checked(text: str) -> None:
    """No text of a model breaks the check, and numbers in it are those of its citations."""
    checked = check_statements(text, PASSAGES, unsupported="mark")
    numbers = {int(number) for number in re.findall(r"\[(\d+)\]", checked.text)}

    assert numbers <= {one.n for one in checked.citations}
