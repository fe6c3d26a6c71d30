"""Reading text as a geneticist does."""

from __future__ import annotations

import pytest

from knowledge.terms import TermMatcher, extract_terms


@pytest.mark.parametrize(
    ("written", "term"),
    [
        ("HC_M2_0606_P", "hcm20606p"),
        ("hc-m2-0606-p", "hcm20606p"),
        ("Hc_m2_0606_p", "hcm20606p"),
        ("GN602", "gn602"),
        ("gn 602", "602"),
        ("BXD_10001", "bxd10001"),
        ("BXDPublish_17985", "bxdpublish17985"),
        ("1436869_at", "1436869at"),
        ("rs31443144", "rs31443144"),
        ("D2Mit5", "d2mit5"),
        ("C57BL/6J", "c57bl6j"),
        ("SHH", "shh"),
        ("Shh", "shh"),
        ("BXD-1", "bxd1"),
        ("BXD 1", "bxd1"),
        ("BXD01", "bxd1"),
        ("QTLs", "qtl"),
        ("naïve", "naive"),
        ("log‑2", "log2"),  # a non-breaking hyphen
    ],
)
def test_spellings_of_one_thing_are_one_exact_term(written: str, term: str) -> None:
    """Case, dashes, underscores, accents and plurals of symbols do not matter."""
    assert term in extract_terms(written).exact


def test_bxd1_is_not_bxd10() -> None:
    """A strain's number is part of its name."""
    assert "bxd1" not in extract_terms("BXD10 and BXD100").exact


@pytest.mark.parametrize("symbol", ["Fos", "Kras", "Ins", "Sting", "Ides", "Rs1"])
def test_symbols_are_never_stemmed_away(symbol: str) -> None:
    """A gene symbol that looks like an inflected word is kept whole among the exact terms."""
    assert symbol.lower() in extract_terms(f"the gene {symbol} is").exact


def test_inflected_words_share_a_stem() -> None:
    """The words "permuted" and "permutations" meet in their stem."""
    assert set(extract_terms("permuted").stems) & set(extract_terms("permutations").stems)


@pytest.mark.parametrize("written", ["chr4:100.5", "Chr 4 at 100.5 Mb", "chromosome 4: 100 Mb", "Chr4:100-100.9 Mb"])
def test_positions_meet_in_chromosome_and_megabase(written: str) -> None:
    """A position is a term of its own, whatever its spelling."""
    assert "chr4:100mb" in extract_terms(written).exact


def test_a_range_of_positions_covers_its_megabases() -> None:
    """A region is found by every whole megabase in it."""
    terms = extract_terms("chr1:170-173 Mb").exact

    assert {f"chr1:{megabase}mb" for megabase in range(170, 174)} <= set(terms)


def test_contractions_leave_no_debris() -> None:
    """The words "I'd" and "we've" add neither "id" nor "weve"."""
    terms = extract_terms("I'd say we've BXD79's data").exact

    assert not {"id", "weve", "ve", "d"} & set(terms)
    assert "bxd79" in terms


def test_matcher_finds_exactly_what_extraction_finds() -> None:
    """The bit mask over a text says the same as listing the text's terms."""
    terms = extract_terms("Where is Shh in BXD 1 and HC_M2_0606_P near chr4:100.5 Mb, permuted?")
    matcher = TermMatcher(dict.fromkeys(terms.exact), dict.fromkeys(terms.stems))
    for text in ("SHH permutations", "bxd1", "hc_m2_0606_p", "Chr 4 at 100 Mb", "nothing of that"):
        found = extract_terms(text)
        expected = {term for term in terms.exact if term in found.exact}
        actual = {term for term, bit in matcher.exact.items() if matcher.match(text) >> bit & 1}

        assert expected == actual
