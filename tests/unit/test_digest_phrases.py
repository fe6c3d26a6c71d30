"""Schedules and wishes as people type them."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.digest.interests import Interest
from bot.digest.phrases import DAYS, read_phrase
from bot.digest.wishes import read_wish
from bot.errors import BotError, InvalidRequestError
from bot.scheduling.dates import Dates
from bot.scheduling.zones import default_zone
from bot.store.schedules import Schedule

GROUPS = ("BXD", "HXBBXH", "HSNIH-Palmer", "BXD-Longevity")


@pytest.mark.parametrize(
    ("said", "cron", "words"),
    [
        ("weekly mon 9:00", "0 9 * * 1", "every Monday at 9:00"),
        ("every Monday 09:00", "0 9 * * 1", "every Monday at 9:00"),
        ("weekly", "0 9 * * 1", "every Monday at 9:00"),
        ("Mondays at 9am", "0 9 * * 1", "every Monday at 9:00"),
        ("every week on Friday at 4 pm", "0 16 * * 5", "every Friday at 16:00"),
        ("mon,thu 7.15", "15 7 * * 1,4", "every Monday, Thursday at 7:15"),
        ("sunday", "0 9 * * 0", "every Sunday at 9:00"),
        ("daily 8:30", "30 8 * * *", "every day at 8:30"),
        ("every day at noon", "0 12 * * *", "every day at 12:00"),
        ("12am daily", "0 0 * * *", "every day at 0:00"),
        ("weekdays 8:00", "0 8 * * 1-5", "from Monday to Friday at 8:00"),
        ("monthly", "0 9 1 * *", "on day 1 of every month at 9:00"),
        ("monthly 15 10:00", "0 10 15 * *", "on day 15 of every month at 10:00"),
        ("first of the month", "0 9 1 * *", "on day 1 of every month at 9:00"),
        ("first Monday of the month", "0 9 * * mon#1", "on the first Monday of the month at 9:00"),
        ("on the 3rd wed of every month 14:00", "0 14 * * wed#3", "on the third Wednesday of the month at 14:00"),
        ("last Friday of the month at 16:00", "0 16 * * fri#l", "on the last Friday of the month at 16:00"),
        ("cron 0 9 * * 1-5", "0 9 * * 1-5", "at the times of cron 0 9 * * 1-5"),
    ],
)
def test_schedules_are_understood_as_people_say_them(said: str, cron: str, words: str) -> None:
    """And said again in plain words; each has dates."""
    phrase = read_phrase(said.split())

    assert (cron, words) == (phrase.cron, phrase.words)
    assert Dates(Schedule("s", "k", cron=cron)).after(datetime(2026, 1, 1, tzinfo=UTC)) is not None


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("", "Say when"),
        ("weekly wenesday 9:00", "'wenesday' is no day and no time: did you mean wednesday"),
        ("daily 25:00", "'25:00' is no time of the day"),
        ("daily 13pm", "'13pm' is no time of the day"),
        ("daily 8:00 9:00", "second time, '9:00'"),
        ("9:00", "does not say on which days"),
        ("first", "which day of the week"),
        ("monthly monday", "which Monday of the month"),
        ("last day of the month", "not offered"),
        ("whenever", "'whenever' is no day"),
        ("cron 0 9 * *", "is no cron expression"),
        ("cron 0 9 * * ;", "is no cron expression"),
    ],
)
def test_a_schedule_that_is_not_understood_is_one_sentence_that_names_the_word(said: str, sentence: str) -> None:
    """The person sees at once what to change."""
    with pytest.raises(InvalidRequestError, match=sentence) as caught:
        read_phrase(said.split())

    assert "\n" not in str(caught.value)


@given(st.text(max_size=80))
def test_anything_typed_is_a_schedule_or_a_sentence(said: str) -> None:
    """Nothing else is ever raised."""
    sentence = ""
    try:
        read_wish(said, groups=GROUPS, species=("mouse",))
    except BotError as error:
        sentence = str(error)

    assert "\n" not in sentence


@given(
    day=st.sampled_from(DAYS),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    zone=st.sampled_from(
        ["Europe/Berlin", "America/Chicago", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns"]
    ),
)
def test_a_weekly_digest_comes_on_its_day_at_its_hour_all_year(day: str, hour: int, minute: int, zone: str) -> None:
    """In the channel's own time, but for the hours that a change of the clocks leaves out."""
    dates = Dates(Schedule("s", "k", cron=read_phrase([day, f"{hour}:{minute:02}"]).cron, zone=zone))
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    found = []
    for _ in range(52):
        due = dates.after(moment)
        assert due is not None
        moment = due
        found.append(due.astimezone(ZoneInfo(zone)))

    assert {day} == {f"{one:%A}" for one in found}
    assert sum((one.hour, one.minute) != (hour, minute) for one in found) <= 1
    assert {6, 7, 8} >= {(after.date() - before.date()).days for before, after in itertools.pairwise(found)}


def test_the_first_monday_of_the_month_keeps_its_hour_over_a_change_of_the_clocks() -> None:
    """It is a Monday of the first seven days, at nine in Berlin."""
    dates = Dates(Schedule("s", "k", cron="0 9 * * mon#1", zone="Europe/Berlin"))
    moment, found = datetime(2026, 1, 1, tzinfo=UTC), []
    for _ in range(12):
        due = dates.after(moment)
        assert due is not None
        moment = due
        found.append(due.astimezone(ZoneInfo("Europe/Berlin")))

    assert list(range(1, 13)) == [one.month for one in found]
    assert {("Monday", True, 9, 0)} == {(f"{one:%A}", one.day <= 7, one.hour, one.minute) for one in found}


def test_the_last_friday_of_the_month_is_followed_by_none() -> None:
    """Also in months with five."""
    dates = Dates(Schedule("s", "k", cron="0 16 * * fri#l"))
    moment, found = datetime(2026, 1, 1, tzinfo=UTC), []
    for _ in range(12):
        due = dates.after(moment)
        assert due is not None
        moment = due
        found.append((due.month, due.day))

    assert [(1, 30), (2, 27), (3, 27), (4, 24), (5, 29), (6, 26)] == found[:6]


@pytest.mark.parametrize("weekday", ["mon#6", "#1", "moon#1", "mon#", "mon#1,tue", "1-5#2"])
def test_a_counted_weekday_that_is_none_is_refused(weekday: str) -> None:
    """With a sentence."""
    with pytest.raises(InvalidRequestError, match="is no"):
        Dates(Schedule("s", "k", cron=f"0 9 * * {weekday}"))


def test_a_wish_says_when_and_of_what() -> None:
    """In any order, with the names as GeneNetwork has them."""
    wish = read_wish(
        'group:bxd,HXB/BXH weekly mon 9:00 type:mRNA,phenotypes tissue:"nucleus accumbens",liver quiet:off '
        "zone:Europe/Berlin",
        groups=GROUPS,
    )

    assert Interest(("BXD", "HXBBXH"), ("mrna", "phenotype"), ("nucleus accumbens", "liver")) == wish.interest
    assert ("0 9 * * 1", False, "Europe/Berlin") == (wish.phrase.cron, wish.quiet, wish.zone)


def test_a_cron_expression_stands_beside_the_rest() -> None:
    """Before and after other parts, quoted or not."""
    crons = [
        read_wish("cron 30 8 * * 1-5 group:BXD").phrase.cron,
        read_wish('group:BXD cron:"30 8 * * 1-5"').phrase.cron,
        read_wish("group:BXD cron 30 8 * * 1-5").phrase.cron,
    ]

    assert ["30 8 * * 1-5"] * 3 == crons


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("daily group:BDX", "no group 'BDX': there .*BXD"),
        ("daily group:", "Nothing stands behind group:"),
        ("daily group:BXD group:HXBBXH", "group: stands there twice"),
        ("daily tisue:liver", "'tisue:' is no part of a digest: did you mean tissue:"),
        ("daily colour:red", "'colour:' is no part of a digest: there are group:"),
        ("daily type:rna2", "'rna2' is no type of data: there are mrna, phenotype, genotype, protein, other"),
        ("daily quiet:maybe", "quiet: is on .* or off, not 'maybe'"),
        ("daily species:moose", "no species 'moose'"),
        ("daily 8:00 cron 0 9 * * 1", "beside a cron expression"),
        ("daily tissue:" + ",".join(f"t{n}" for n in range(30)), "more than 20"),
    ],
)
def test_a_wish_that_is_not_understood_names_the_wrong_word_and_what_is_possible(said: str, sentence: str) -> None:
    """In one sentence."""
    with pytest.raises(InvalidRequestError, match=sentence):
        read_wish(said, groups=GROUPS, species=("mouse", "rat"))


def test_names_are_taken_as_they_are_before_genenetwork_was_looked_at() -> None:
    """A lab may subscribe before the first look."""
    assert ("BXD",) == read_wish("daily group:BXD").interest.groups


def test_the_zone_of_the_settings_is_checked_and_the_machine_has_one() -> None:
    """A wrong one stops the start."""
    from bot.errors import SettingsError

    assert "Europe/Berlin" == default_zone("Europe/Berlin")
    assert ZoneInfo(default_zone(""))
    with pytest.raises(SettingsError, match="LOCUS_TIME_ZONE is 'Mars'"):
        default_zone("Mars")


def test_phrases_do_not_depend_on_the_order_of_their_words() -> None:
    """At nine every Monday is every Monday at nine."""
    words = ["every", "Monday", "at", "9:00"]
    crons = set()
    for seed in range(10):
        random.Random(seed).shuffle(words)
        crons.add(read_phrase(words).cron)

    assert {"0 9 * * 1"} == crons
