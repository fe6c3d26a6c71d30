"""Counts by day in a real Redis: what is counted when, and what never gets there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bot.daily import Day
from bot.evidence import Citation, CitedPassage
from bot.given import GivenAnswer
from bot.store.client import Store, texts
from bot.store.feedback import Feedback
from bot.store.given_answers import GivenAnswers
from bot.store.tally import KEPT_DAYS, MAX_CITED, Tally
from tests.opinions import FakeClock
from tests.played_days import PRIVATE, given_answer

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def clock() -> FakeClock:
    """At noon."""
    return FakeClock(NOON)


@pytest.fixture
def tally(store: Store, clock: FakeClock) -> Tally:
    """Counts in an empty store."""
    return Tally(store, clock=clock)


async def today(tally: Tally) -> Day:
    return (await tally.days(1))[0]


async def test_answers_are_counted_with_their_waits(store: Store, tally: Tally) -> None:
    """As answered or not, and by how long they took."""
    for number, answered in enumerate((True, True, False)):
        given = given_answer(number, at=NOON, titles=("The BXD family",), answered=answered)
        await store.transaction(*tally.given(given, accepted_at=NOON - 5.0))
    await store.transaction(*tally.failed())
    await store.transaction(*tally.cached())
    day = await today(tally)

    assert ("2026-11-20", 2, 1, 1, 1) == (day.date, day.answered, day.unanswered, day.failed, day.cached)
    assert 3 == day.waits[8]  # 4 to 6 seconds


async def test_a_day_is_the_labs(store: Store, clock: FakeClock) -> None:
    """Late in the evening in Memphis it is not yet tomorrow, and days without questions are there with zeros."""
    tally = Tally(store, zone=ZoneInfo("America/Chicago"), clock=clock)
    clock.now = datetime(2026, 11, 21, 3, tzinfo=UTC).timestamp()
    await store.transaction(*tally.failed())

    days = await tally.days(3)
    assert [("2026-11-18", 0), ("2026-11-19", 0), ("2026-11-20", 1)] == [(one.date, one.failed) for one in days]


async def test_public_documents_are_named_and_those_of_channels_are_not(store: Store, tally: Tally) -> None:
    """Not even to Redis."""
    for number in range(3):
        titles = ("The BXD family", PRIVATE) if number else ("The BXD family",)
        await store.transaction(*tally.given(given_answer(number, at=NOON, titles=titles), accepted_at=NOON))
    found = await tally.cited_most(30, 10)
    kept = texts(await store.call("ZRANGE", store.key("cited", "2026-11-20"), 0, -1))

    assert [("The BXD family", 3), ("", 2)] == [(one.title, one.answers) for one in found]
    assert [] == [member for member in kept if PRIVATE in member]


async def test_where_only_public_documents_were_searched_all_are_named(store: Store, tally: Tally) -> None:
    """Also when an answer kept from before does not say which scope a passage is of."""
    given = given_answer(1, at=NOON, titles=("The BXD family",))
    passages = tuple(replace(one, scope="") for one in given.passages)
    await store.transaction(
        *tally.given(replace(given, passages=passages, scopes=("public",)), accepted_at=NOON),
    )
    await store.transaction(*tally.given(replace(given, passages=passages), accepted_at=NOON))

    assert {("The BXD family", 1), ("", 1)} == {(one.title, one.answers) for one in await tally.cited_most(1, 9)}


async def test_a_refusal_cites_nothing(store: Store, tally: Tally) -> None:
    """The closest documents are not what an answer rests on."""
    given = given_answer(1, at=NOON, titles=("The BXD family",))
    refused = replace(given, answer=replace(given.answer, answered=False))
    await store.transaction(*tally.given(refused, accepted_at=NOON))

    assert [] == await tally.cited_most(1, 9)


async def test_cited_documents_of_a_day_are_bounded(store: Store, tally: Tally) -> None:
    """And those that are cited most stay."""
    many = tuple(Citation(n, f"Document {n}", f"{n}.md", None, "") for n in range(1, MAX_CITED + 60))
    given = given_answer(1, at=NOON, titles=("The BXD family",))
    for _ in range(3):
        await store.transaction(*tally.given(given, accepted_at=NOON))
    passages = tuple(CitedPassage(one, "", "", "public") for one in many)
    crowd = replace(given, answer=replace(given.answer, citations=many), passages=passages)
    await store.transaction(*tally.given(crowd, accepted_at=NOON))

    assert MAX_CITED == await store.call("ZCARD", store.key("cited", "2026-11-20"))
    assert ("The BXD family", 3) == next((one.title, one.answers) for one in await tally.cited_most(1, 1))


async def test_everything_ends(store: Store, tally: Tally) -> None:
    """No key stays for good."""
    await store.transaction(*tally.given(given_answer(1, at=NOON, titles=("A",)), accepted_at=NOON))
    ends = [await store.call("PTTL", store.key(kind, "2026-11-20")) for kind in ("day", "cited")]

    assert [True, True] == [0 < int(str(end)) <= KEPT_DAYS * 86_400_000 for end in ends]


async def test_what_somebody_else_wrote_there_is_left_out(store: Store, tally: Tally) -> None:
    """A damaged member is no document."""
    for member in ("no json", "[1, 2]", '["only one"]', "{}", '["t", 5]'):
        await store.call("ZINCRBY", store.key("cited", "2026-11-20"), 1, member)

    assert [] == await tally.cited_most(1, 9)


async def test_an_opinion_counts_once_on_the_day_of_its_answer(store: Store, clock: FakeClock, tally: Tally) -> None:
    """A changed one moves, a withdrawn one goes, and the second thumb of a person is no second opinion."""
    feedback = Feedback(store, days=90, limit=100, clock=clock, tally=tally)
    given = given_answer(1, at=NOON, titles=("A",))
    await store.transaction(*GivenAnswers(store, days=90).keep(given))
    clock.now = NOON + 3 * 86_400
    seen = []
    for step in ("up", "up", "down"):
        await feedback.vote(given, "reader", "up" if step == "up" else "down")
        day = (await tally.days(4))[0]
        seen.append((day.up, day.down))
    await feedback.withdraw(given, "reader", "down")
    day = (await tally.days(4))[0]

    assert [(1, 0), (1, 0), (0, 1)] == seen
    assert (0, 0) == (day.up, day.down)


async def test_a_thumb_down_for_a_refusal_is_another_matter(store: Store, clock: FakeClock, tally: Tally) -> None:
    """It is no answer that was rated badly."""
    feedback = Feedback(store, days=90, limit=100, clock=clock, tally=tally)
    given: GivenAnswer = given_answer(1, at=NOON, titles=(), answered=False)
    await store.transaction(*GivenAnswers(store, days=90).keep(given))
    await feedback.vote(given, "reader", "down")
    day = await today(tally)

    assert (0, 1) == (day.down, day.down_unanswered)
