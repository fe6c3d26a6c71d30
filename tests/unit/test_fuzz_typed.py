"""What people type, fed with whatever: it is understood, or refused in a sentence, or left for the documents."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bot.commands import find_command
from bot.digest.declared import load_declared
from bot.digest.phrases import read_phrase
from bot.digest.subscriptions import Subscription
from bot.digest.wishes import Wish, read_wish
from bot.errors import InvalidRequestError, SettingsError
from bot.live.grammar import trait_name, typed
from bot.live.identifiers import is_dataset, is_group, is_symbol, is_trait_key, kind_of, phenotype
from bot.live.pasted import find_link, linked
from bot.live.recognising import recognise
from bot.messages import Turn
from bot.scheduling.dates import Dates
from bot.store.schedules import Schedule
from knowledge.aliases import load_aliases
from knowledge.query import clean_question, understand
from knowledge.terms import extract_terms
from tests.fuzzing import DEEP, in_time, outcome, pieces_of, repeated
from tests.hostile_texts import hostile_texts

ALIASES = load_aliases()
WORDS = (
    *(
        "trait ",
        "BXD_10001",
        "10001",
        " in ",
        "BXDPublish",
        "HC_M2_0606_P/1436869_at",
        "map ",
        "correlate ",
        " with ",
        "gene ",
    ),
    *(
        "Shh",
        "search ",
        "top 5",
        "top 999999999",
        "tissue:",
        '"',
        "type:",
        "datasets of ",
        "GN112",
        "GN" + "9" * 30,
        "chr",
        ":",
    ),
    *(
        "Chr 1: 2.5-3 Mb",
        "Mb",
        ", ",
        "; ",
        " and ",
        "by gemma",
        "using r/qtl",
        "?",
        "the ",
        "rs123",
        "٣",
        "²",
        "\n",
        "  ",
    ),
)
LINKS = (
    *(
        "https://genenetwork.org",
        "http://",
        "//",
        "/show_trait",
        "?trait_id=1&dataset=BXDPublish",
        "&",
        "=",
        "%00",
        "%zz",
        "[::1",
    ),
    *(
        "]",
        "@",
        ":80",
        "/datasets/",
        "/phenotypes/BXD/1",
        "?gn_accesionid=112",
        "?gn_accesionid=²",
        "#",
        " ",
        "<",
        "|x>",
        "/genewiki/",
    ),
)
DIGEST = (
    *(
        "weekly ",
        "daily ",
        "monthly ",
        "first ",
        "last ",
        "mon ",
        "monday",
        "9:00",
        "25:61",
        "9am ",
        "12pm",
        "every ",
        "2 weeks ",
    ),
    *(
        "group:BXD ",
        "group:",
        "type:mrna ",
        "type:",
        "tissue:hippo,liver ",
        "species:",
        "quiet:off ",
        "zone:Europe/Berlin ",
        "grp:x ",
    ),
    *(
        'cron "0 9 * * 1"',
        "cron ",
        "* ",
        "*/5 ",
        "1-5 ",
        "mon#1 ",
        "fri#l",
        "0 ",
        "59 ",
        ",",
        '"',
        "“",
        "/",
        "\n",
        "٣",
        "²",
        "9" * 30,
    ),
)
CRON = (
    *"0 1 5 7 9 * / - , # l".split(),
    " ",
    "mon",
    "fri#l",
    "sun-sat",
    "jan",
    "31",
    "2",
    "٣",
    "²",
    "9" * 30,
    "0 9 * * ",
    "*/",
    "last",
)


@given(pieces_of(WORDS) | hostile_texts)
@example("top 5")
def test_any_text_is_a_lookup_or_none(text: str) -> None:
    """Nothing is raised by the grammar, by names, by identifiers, or by commands."""
    typed(text)
    trait_name(text)
    find_command(text)
    recognise(text, [Turn("user", text), Turn("assistant", text)], hosts=["127.0.0.1:1"])
    for token in (text, *text.split()):
        kind_of(token)
        phenotype(token)
        assert isinstance(is_dataset(token) or is_trait_key(token) or is_group(token) or is_symbol(token), bool)


@settings(max_examples=40)
@given(repeated(WORDS))
def test_text_that_repeats_is_read_in_time(text: str) -> None:
    """By the grammar, by the search in documents, and by commands."""
    with in_time():
        recognise(text)
        find_command(text)
        trait_name(text)
        understand(text, (), ALIASES)
        extract_terms(text)


@given(pieces_of((*LINKS, *WORDS[:6])))
def test_any_link_leads_somewhere_or_nowhere(text: str) -> None:
    """What counts as GeneNetwork's has its host, and nothing in front of it."""
    found = find_link(text, ["localhost:1"])
    linked(text)
    if found is not None:
        url, _ = found
        linked(url)
        host = url.split("://", 1)[1].split("/")[0].split("?")[0].split("#")[0].lower()
        assert host == "localhost:1" or host == "genenetwork.org" or host.endswith(".genenetwork.org")
        assert "@" not in host


@settings(max_examples=25)
@given(repeated(LINKS))
def test_links_that_repeat_are_read_in_time(text: str) -> None:
    """Long addresses too."""
    with in_time():
        find_link(text, ())
        linked(text)


@given(hostile_texts | pieces_of(WORDS), hostile_texts)
def test_any_question_is_understood(question: str, earlier: str) -> None:
    """As terms that the index can be asked for."""
    turns = [Turn("user", earlier), Turn("assistant", earlier)]
    clean_question(question).encode()

    assert all(term.encode() for term in understand(clean_question(question), turns, ALIASES).exact)


@given(pieces_of(DIGEST))
def test_any_wish_is_one_or_a_sentence(text: str) -> None:
    """And one that is understood has dates."""
    wish = outcome(lambda: read_wish(text), InvalidRequestError)

    assert isinstance(wish, Wish | InvalidRequestError)
    if isinstance(wish, Wish):
        assert read_wish(text) == wish


@settings(max_examples=25)
@given(repeated(DIGEST))
def test_wishes_that_repeat_are_read_in_time(text: str) -> None:
    """A message may have 40,000 characters."""
    with in_time():
        outcome(lambda: read_wish(text), InvalidRequestError)
        outcome(lambda: read_phrase(text.split()), InvalidRequestError)


@settings(max_examples=200)
@given(
    pieces_of(CRON, 9),
    st.sampled_from(
        ["UTC", "America/Chicago", "Europe", "../etc/passwd", "", "\x00", "/etc/passwd", "a" * 300, "\ud800"]
    ),
    st.floats() | st.integers(-1, 10**18).map(float),
    st.floats() | st.integers(-(10**15), 10**15).map(float),
)
@example("0 9 * * 9999999999999999999999", "UTC", 0.0, 0.0)
@example("0 9 * * mon#1", "America/Chicago", 0.0, 0.0)
@example("", "UTC", 60.0, 1e18)
@example("", "UTC", 60.0, float("nan"))
@example("", "UTC", 1e18, 0.0)
def test_any_schedule_has_dates_or_a_sentence(cron: str, zone: str, every_s: float, since: float) -> None:
    """And its next date is later than now."""
    schedule = Schedule("s", "digest", cron=cron, zone=zone, every_s=every_s, since=since)
    now = datetime(2026, 3, 28, 12, tzinfo=UTC)
    dates = outcome(lambda: Dates(schedule), InvalidRequestError)

    assert isinstance(dates, Dates | InvalidRequestError)
    if isinstance(dates, Dates):
        due = dates.after(now)
        assert due is None or due > now


TOML = (
    *(
        "[[digest]]\n",
        "name = ",
        "channel = ",
        "when = ",
        "'slack/T1/C1'",
        '"weekly mon 9:00"',
        "\n",
        "group = ",
        "['BXD']",
        "[1]",
    ),
    *(
        "quiet = ",
        "true",
        "1979-05-27T07:32:00Z",
        "07:32:61",
        "1979-13-40",
        "inf",
        "9" * 5000,
        "{a = ",
        "}",
        "[",
        "]",
        "#",
        '"""',
        "\\u",
    ),
)


@given(text=pieces_of(TOML))
@example(text="digest = [{name = 'a', channel = 'slack/T1/C1', when = 'daily 9:00'}]")
def test_any_file_of_digests_is_read_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """It names the file, for its operator."""
    path = tmp_path_factory.mktemp("declared") / "digests.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = outcome(lambda: load_declared(path, "UTC"), SettingsError)

    if isinstance(found, SettingsError):
        assert str(path) in str(found)
    else:
        assert isinstance(found, tuple)
        assert all(isinstance(one, Subscription) for one in found)


@pytest.mark.parametrize("text", ["[[digest]]\nname = " + "9" * 5000, "digest = " + "[" * DEEP, "a." * 5000 + "b = 1"])
def test_a_file_of_digests_that_python_cannot_follow_is_a_sentence(text: str, tmp_path: Path) -> None:
    """Numbers with thousands of digits, and lists in lists without end."""
    path = tmp_path / "digests.toml"
    path.write_text(text)

    with pytest.raises(SettingsError, match="digests.toml"):
        load_declared(path, "UTC")


def test_a_word_without_an_end_is_refused_at_once() -> None:
    """It took half a minute, in which nobody else was answered."""
    with in_time(5), pytest.raises(InvalidRequestError, match="is no day and no time"):
        read_wish("a" * 40_000)


@given(text=st.text(max_size=200), sign=st.sampled_from(["\t", "\n", " "]))
def test_any_file_of_gene_names_is_read(tmp_path_factory: pytest.TempPathFactory, text: str, sign: str) -> None:
    """Lines with fewer than two names say nothing."""
    path: Path = tmp_path_factory.mktemp("aliases") / "names.tsv"
    path.write_text(text.replace(" ", sign), encoding="utf-8", errors="replace", newline="")
    table = load_aliases(path)
    assume(text.strip())

    assert all(weight > 0 for _, weight in table.expand(text))
