"""Opinions on answers in a real Redis."""

from __future__ import annotations

import io
import json
from contextlib import aclosing

import pytest
from rich.console import Console

from bot.cli.feedback import print_opinions, write_opinions
from bot.store.client import Store, texts
from bot.store.feedback import MAX_COMMENT_CHARS, Feedback
from bot.store.person_index import PersonIndex
from bot.store.tally import KEPT_DAYS
from bot.store.timeline import PAGE
from tests.opinions import AnsweredFeedback, FakeClock, given


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still."""
    return FakeClock()


@pytest.fixture
def feedback(store: Store, clock: FakeClock) -> Feedback:
    """No opinions yet."""
    return AnsweredFeedback(store, days=90, limit=1000, clock=clock)


async def keys_of(store: Store) -> list[str]:
    """Return the kinds of all keys but the answers', handles left out, sorted."""
    keys = texts(await store.call("KEYS", store.key("*")))
    return sorted(kind for kind in (key.split(":")[1] for key in keys) if kind != "given")


async def test_an_opinion_is_kept_with_what_it_is_about(feedback: Feedback) -> None:
    """Question, answer, citations, scopes and place stand beside the vote."""
    await feedback.vote(given("h1"), "reader", "down", "The cross is the other way round.")

    (kept,) = await feedback.list(limit=10)
    assert ("down", "The cross is the other way round.", "reader") == (kept.vote, kept.comment, kept.person_id)
    assert ("What is a QTL?", "It is a locus. [1]", ("public",)) == (kept.question, kept.answer, kept.scopes)
    assert given("h1").answer.citations == kept.citations
    assert ("request-h1", "test", given("h1").place.channel_id) == (kept.request_id, kept.chat, kept.channel_id)


async def test_a_second_opinion_replaces_the_first(feedback: Feedback) -> None:
    """One person has one opinion on an answer; another person has their own."""
    await feedback.vote(given("h1"), "reader", "down", "Wrong.")
    await feedback.vote(given("h1"), "reader", "up")
    await feedback.vote(given("h1"), "other", "down")

    opinions = {(one.person_id, one.vote, one.comment) for one in await feedback.list(limit=10)}
    assert {("reader", "up", ""), ("other", "down", "")} == opinions


async def test_an_opinion_that_is_withdrawn_is_gone(store: Store, feedback: Feedback) -> None:
    """With all that was kept of it; another opinion of the same person, or of another, stays."""
    await feedback.vote(given("h1"), "reader", "down", "Wrong.")
    await feedback.vote(given("h1"), "other", "down")
    await feedback.vote(given("h2"), "reader", "up")
    before = await keys_of(store)

    assert await feedback.withdraw(given("h2"), "reader", "down") is False
    assert await feedback.withdraw(given("h1"), "nobody", "down") is False
    assert await feedback.withdraw(given("h1"), "reader", "down") is True
    assert await feedback.withdraw(given("h1"), "reader", "down") is False
    left = {(one.person_id, one.vote) for one in await feedback.list(limit=10)}
    assert {("other", "down"), ("reader", "up")} == left
    assert len(before) - 1 == len(await keys_of(store))


async def test_the_newest_come_first_and_can_be_chosen(feedback: Feedback, clock: FakeClock) -> None:
    """By vote, by time and by number."""
    for number in range(6):
        clock.now += 10
        await feedback.vote(given(f"h{number}"), "reader", "down" if number % 2 else "up")

    assert ["request-h5", "request-h3"] == [one.request_id for one in await feedback.list(vote="down", limit=2)]
    since = clock.now - 10
    assert ["request-h5", "request-h4"] == [one.request_id for one in await feedback.list(since=since, limit=10)]


async def test_the_oldest_go_beyond_the_limit(store: Store, clock: FakeClock) -> None:
    """The number of records is bounded, not only what is listed; a changed opinion needs no room."""
    feedback = AnsweredFeedback(store, days=90, limit=3, clock=clock)
    for number in range(5):
        clock.now += 1
        await feedback.vote(given(f"h{number}"), "reader", "up")
    await feedback.vote(given("h4"), "reader", "down")

    found = [one.request_id for one in await feedback.list(limit=10)]
    assert ["request-h4", "request-h3", "request-h2"] == found
    assert ["day", *["feedback"] * 3, "opinions", "person", "person"] == await keys_of(store)


async def test_a_lower_limit_takes_effect(store: Store, clock: FakeClock) -> None:
    """What is too much after the setting was changed goes with the next opinion."""
    for number in range(5):
        await AnsweredFeedback(store, days=90, limit=10, clock=clock).vote(given(f"h{number}"), "reader", "up")
    clock.now += 1
    await AnsweredFeedback(store, days=90, limit=2, clock=clock).vote(given("h9"), "reader", "up")

    assert ["day", *["feedback"] * 2, "opinions", "person", "person"] == await keys_of(store)


async def test_everything_has_a_lifetime(store: Store, feedback: Feedback) -> None:
    """No key stays for good, and what has expired is passed over."""
    await feedback.vote(given("h1"), "reader", "up")
    keys = texts(await store.call("KEYS", store.key("*")))
    lifetimes = await store.batch(*(("PTTL", key) for key in keys))

    assert 6 == len(keys)  # the answer's own and the day's numbers among them
    days = {":day:": KEPT_DAYS}
    longest = [next((days[kind] for kind in days if kind in key), 90) * 86_400_000 for key in keys]
    pairs = zip(lifetimes, longest, strict=True)
    assert all(isinstance(lifetime, int) and 0 < lifetime <= most for lifetime, most in pairs)
    (record,) = [key for key in keys if ":feedback:" in key]
    await store.call("PEXPIRE", record, 0)
    assert [] == await feedback.list(limit=10)


async def test_comments_are_bounded_and_harmless(feedback: Feedback) -> None:
    """A comment of any length and with any characters is stored, cut, without controls."""
    await feedback.vote(given("h1"), "reader", "down", "\x1b[31mred\ud800" + "x" * 10_000)

    (kept,) = await feedback.list(limit=1)
    assert len(kept.comment) <= MAX_COMMENT_CHARS
    assert "red" in kept.comment
    assert "\x1b" not in kept.comment


@pytest.mark.parametrize("person", ["reader", "asker"])
async def test_people_find_and_delete_the_opinion(store: Store, feedback: Feedback, person: str) -> None:
    """The indexes of who judged and of who had asked name the opinion; forgetting it leaves nothing of it."""
    await feedback.vote(given("h1"), "reader", "up")
    (handle,) = await PersonIndex(store, days=90).handles(person, "feedback")
    found = await feedback.find(handle)
    await store.transaction(*feedback.forget(handle))

    assert found is not None
    assert ["day", "person", "person"] == await keys_of(store)  # how many opinions there were tells of nobody


async def test_more_than_a_page_is_read_once_each(feedback: Feedback, clock: FakeClock) -> None:
    """Pages meet without gap or overlap, also where many opinions have the same time."""
    count = 2 * PAGE + 7
    for number in range(count):
        clock.now += number % 3 == 0
        await feedback.vote(given(f"h{number}"), "reader", "up")
    same = AnsweredFeedback(feedback._store, days=90, limit=10_000, clock=lambda: clock.now + 1)
    for number in range(PAGE + 3):
        await same.vote(given(f"s{number}"), "reader", "down")

    async with aclosing(feedback.each()) as opinions:
        found = [one.request_id async for one in opinions]
    assert count + PAGE + 3 == len(found) == len(set(found))


async def test_export_writes_json_lines(feedback: Feedback) -> None:
    """Each line is one opinion with all that belongs to it."""
    await feedback.vote(given("h1"), "reader", "down", 'Two\nlines and "quotes", größer.')
    out = io.StringIO()
    count = await write_opinions(feedback, None, None, out)

    (line,) = out.getvalue().splitlines()
    fields = json.loads(line)
    assert 1 == count
    assert 'Two\nlines and "quotes", größer.' == fields["comment"]
    assert "bxd.md" == fields["citations"][0]["source"]
    assert ("down", "request-h1", ["public"]) == (fields["vote"], fields["reference"], fields["scopes"])


async def test_the_list_shows_no_controls(feedback: Feedback) -> None:
    """A question of a person cannot write to the operator's terminal, and nothing is cut in a narrow one."""
    await feedback.vote(given("h1", question="Is \x1b]0;title\x07 this [red]markup[/red]?"), "reader", "down", "No.")
    out = io.StringIO()
    print_opinions(Console(file=out, width=40), await feedback.list(limit=10))

    assert "\x1b" not in out.getvalue()
    assert "[red]markup[/red]?" in out.getvalue()
    assert "request-h1" in out.getvalue()
