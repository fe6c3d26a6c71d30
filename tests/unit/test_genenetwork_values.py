"""Fields, units, links and errors of GeneNetwork's client."""

from __future__ import annotations

import math

import httpx
import pytest

from bot.live.units import lod_from_lrs
from knowledge.genenetwork.cards import plain_text, sample_size
from knowledge.genenetwork.errors import ServiceDownError, translated
from knowledge.genenetwork.fields import as_iso_date, as_number, as_text, as_texts, as_whole
from knowledge.genenetwork.links import Links
from knowledge.genenetwork.retry import pause_before
from knowledge.genenetwork.units import kind_of

LINKS = Links("https://genenetwork.org")


@pytest.mark.parametrize(("lrs", "lod"), [(0, 0), (4.61, 1.0), (12.7711275309832, 2.7733), (13.4974911471087, 2.9309)])
def test_lod_is_lrs_by_two_natural_logarithms_of_ten(lrs: float, lod: float) -> None:
    """GeneNetwork's rounded factor of 4.61 agrees within a thousandth."""
    assert lod == pytest.approx(lod_from_lrs(lrs), abs=2e-3)
    assert lrs / 4.61 == pytest.approx(lod_from_lrs(lrs), rel=2e-3)


@pytest.mark.parametrize("lrs", [-0.1, math.nan])
def test_there_is_no_lod_of_what_is_no_lrs(lrs: float) -> None:
    """Negative or not a number."""
    with pytest.raises(ValueError, match="an LRS"):
        lod_from_lrs(lrs)


@pytest.mark.parametrize(
    ("type_name", "kind"),
    [
        ("Phenotypes", "phenotype"),
        ("Genotypes", "genotype"),
        ("Hippocampus mRNA", "mrna"),
        ("Liver Proteome", "protein"),
        ("Hippocampus miRNA", "other"),
        ("Liver DNA Methylation", "other"),
        ("Muscle Metabolome", "other"),
        ("Spinal cord scRNA-seq", "mrna"),
        ("", "other"),
    ],
)
def test_types_of_the_menu_are_kinds_of_data(type_name: str, kind: str) -> None:
    """Molecular types are called after their tissue."""
    assert kind == kind_of(type_name)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("None", ""),
        (7, "7"),
        (7.0, "7"),
        (True, ""),
        (" a\n b ", "a b"),
        ({"prefLabel": "P", "label": "L"}, "L"),
        ({"@value": {"value": 3}}, "3"),
        ({"id": "x"}, ""),
        (["a", None, {"label": "b"}], "a; b"),
        ([[[[[["deep"]]]]]], ""),
        ("\ud800", ""),
    ],
)
def test_text_of_anything(value: object, text: str) -> None:
    """One line of what people may read."""
    assert text == as_text(value)


def test_numbers_of_anything() -> None:
    """Text counts, NaN and truth values do not."""
    assert [1.5, 2.0, None, None, None, None] == [as_number(one) for one in ("1.5", 2, "x", math.nan, True, [1])]
    assert [2, None, 3] == [as_whole(one) for one in ("2.0", 2.5, 3)]
    assert ("a", "b") == as_texts(["a", "", "b"])
    assert ("a",) == as_texts("a")


@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("Mon, 27 Aug 2018 00:00:00 GMT", "2018-08-27"),
        ("2004-02-01", "2004-02-01"),
        ("2021-11-02T10:00:00", "2021-11-02"),
        ("2021-11-02 10:00:00", "2021-11-02"),
        ("0000-00-00", ""),
        ("soon", ""),
        (None, ""),
        ([], ""),
    ],
)
def test_dates_of_all_releases(value: object, date: str) -> None:
    """Curators' dates are shown as ISO dates."""
    assert date == as_iso_date(value)


def test_links_encode_names() -> None:
    """They can hold slashes, blanks and plus signs."""
    assert "https://genenetwork.org/show_trait?trait_id=a%2Fb+c%2B&dataset=X%26Y" == LINKS.trait("X&Y", "a/b c+")
    assert "https://genenetwork.org/datasets/a%2Fb%20c" == LINKS.dataset("a/b c")
    assert "https://genenetwork.org/phenotypes/BXD/10007" == LINKS.phenotype("BXD", "10007")
    assert "https://genenetwork.org/gsearch?type=phenotype&terms=diabetes+species%3Arat" == LINKS.search(
        "phenotype", "diabetes species:rat"
    )
    assert "https://genenetwork.org/genewiki/Shh" == LINKS.gene("Shh")
    assert "InbredSetName=BXD" in LINKS.group("mouse", "BXD")


def test_descriptions_lose_markup_and_scripts() -> None:
    """HTML of curators becomes one line."""
    assert "A & b c" == plain_text("<p>A &amp; <b>b</b></p><script>x()</script><style>p{}</style>\nc")
    assert "plain" == plain_text("plain")
    assert (71, 54, None) == (
        sample_size("A set of 71 BXD strains and 2 parents"),
        sample_size("54 strains"),
        sample_size("many strains in 2006"),
    )


def _subclasses(kind: type[Exception]) -> set[type[Exception]]:
    return {kind} | {deeper for one in kind.__subclasses__() for deeper in _subclasses(one)}


@pytest.mark.parametrize(
    "kind",
    sorted(
        (
            _subclasses(httpx.TransportError)
            | _subclasses(httpx.StreamError)
            | {httpx.TooManyRedirects, httpx.InvalidURL}
        ),
        key=str,
    ),
    ids=str,
)
def test_everything_httpx_raises_becomes_one_sentence(kind: type[Exception]) -> None:
    """An upgrade cannot open a gap unseen."""
    error = kind.__new__(kind)
    Exception.__init__(error, "secret detail")
    sentence = r"^(The connection to |The address of )?GeneNetwork ?.*\.$"
    with pytest.raises(ServiceDownError, match=sentence) as caught, translated("GeneNetwork"):
        raise error
    assert "secret" not in str(caught.value)


def test_pauses_grow_and_honour_the_service() -> None:
    """With jitter above the half."""
    for tried, (least, most) in enumerate([(0.25, 0.5), (0.5, 1.0), (1.0, 2.0)]):
        assert all(least <= pause_before(tried, None) <= most for _ in range(50))
    assert 9.0 == pause_before(0, 9.0)
