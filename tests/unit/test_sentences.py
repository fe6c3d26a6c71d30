"""Cutting prose into sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.sentences import split_sentences


@pytest.mark.parametrize(
    "text",
    [
        "Mice were injected i.p. with 1.8 g/kg ethanol.",
        "The strains (Taylor et al. 1999) differ at approx. 4.8 million SNPs.",
        "Dr. K. Schughart bred the mice.",
        "See Fig. 2 and Chr. 4 for the peak.",
        "GN vs. WebQTL",
        "Expression in C57BL/6J vs. DBA/2J at No. 12.",
    ],
)
def test_abbreviations_do_not_end_a_sentence(text: str) -> None:
    """Abbreviations of papers and initials keep a sentence whole."""
    assert [text] == split_sentences(text)


def test_sentences_are_cut_at_full_stops_questions_and_quotes() -> None:
    """Ordinary ends are found, brackets and quotes stay with their sentence."""
    expected = ["Is LRS a score?", "Yes, it is.", '"LOD = LRS / 4.61."', "BXD1 is a strain."]

    assert expected == split_sentences(" ".join(expected))


@given(st.text(alphabet=st.sampled_from(list("aB1. ?!()\"'x")), max_size=80))
def test_no_text_is_lost(text: str) -> None:
    """The sentences joined hold all characters of the text except white space."""
    assert "".join(text.split()) == "".join("".join(split_sentences(text)).split())
