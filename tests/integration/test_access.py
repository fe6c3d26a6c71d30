"""Who may see what: every row of the tables in docs/access.md, and the audiences of channels over time."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.access import Access, own_scope
from bot.errors import InvalidRequestError, NotFoundError, RefusedError, SettingsError
from bot.evidence import Answer
from bot.given import GivenAnswer, new_handle
from bot.messages import Audience, IncomingMessage, Place, Sender
from bot.requests import Request
from bot.store.client import Store, number
from bot.store.places import Places

PAGE = Path(__file__).parents[2] / "docs" / "access.md"
ADMINISTRATOR = Sender("test", "w", "boss/1")
ASKER = Sender("test", "w", "asker")
OTHER = Sender("test", "w", "other")
GUEST = Sender("test", "elsewhere", "guest", external=True)


def table(heading: str) -> list[list[str]]:
    """Return the rows of the table below a heading of the page."""
    section = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def every(row: list[str], *choices: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield a row for each meaning of its cells `any`; `choices` belong to its first cells."""
    options = [choice if cell == "any" else (cell,) for cell, choice in zip(row, choices, strict=False)]
    for chosen in itertools.product(*options):
        yield [*chosen, *row[len(choices) :]]


AUDIENCES = tuple(audience.value for audience in Audience)
WHO = ("who asked", "another member", "administrator")
VISIBLE = ("all searched is visible there now", "something searched is not visible there now")
SEES = [
    row
    for line in table("What an answer may be made from")
    for row in every(line, ("member", "guest"), AUDIENCES, ("yes", "no"), ("true", "false"))
]
MAY = [row for line in table("What may be done with a question or an answer") for row in every(line, (), (), VISIBLE)]


def place(channel: str = "c", audience: Audience = Audience.PRIVATE, thread: str = "") -> Place:
    """Return a place."""
    return Place("test", "w", channel, thread, audience)


class Clock:
    """Seconds since 1970, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def access(store: Store, *, answer_external: bool = False) -> Access:
    """Return the rule, with one administrator."""
    return Access(store, administrators=["test/w/boss/1"], answer_external=answer_external)


@pytest.mark.parametrize("row", SEES, ids=" ".join)
async def test_an_answer_is_made_from_what_all_readers_may_see(store: Store, row: list[str]) -> None:
    """Every row of the page's first table."""
    who, where, wider, external, sees = row
    here = place(audience=Audience(where))
    rule = access(store, answer_external=external == "true")
    places = Places(store)
    if wider == "yes":
        await places.see(here)
        await places.revoke(here.channel_id)
    else:
        await places.see(here)
        await places.confirm(here.channel_id, here.audience)
    sender = GUEST if who == "guest" else ASKER

    if sees == "nothing":
        with pytest.raises(RefusedError):
            await rule.scopes(here, sender)
    else:
        expected = {"public": ("public",), "public and own": ("public", own_scope(here))}[sees]
        assert expected == await rule.scopes(here, sender)


def test_the_tables_decide_every_case_once() -> None:
    """No case is missing, and none is decided twice."""
    asked = itertools.product(("member", "guest"), AUDIENCES, ("yes", "no"), ("true", "false"))
    pressed = itertools.product(WHO, ("same channel", "another channel"), VISIBLE)

    assert sorted(asked) == sorted((row[0], row[1], row[2], row[3]) for row in SEES)
    assert sorted(pressed) == sorted((row[0], row[1], row[2]) for row in MAY)


@pytest.mark.parametrize("row", MAY, ids=" ".join)
async def test_what_may_be_done_with_an_answer(store: Store, row: list[str]) -> None:
    """Every row of the page's second table."""
    who, where, which, may_stop, may_vote, may_see = row
    here = place()
    rule = access(store)
    by = {"who asked": ASKER, "another member": OTHER, "administrator": ADMINISTRATOR}[who]
    request = Request("r", IncomingMessage(here, ASKER, "m", "question", 1.0))
    given = answer_in(here, await rule.scopes(here, ASKER))
    if which.startswith("something"):
        here = dataclasses.replace(here, audience=Audience.PUBLIC)
    there = here if where == "same channel" else dataclasses.replace(here, channel="another")

    assert (may_stop == "yes") is rule.may_stop(request, there, by)
    assert (may_vote == "yes") is await rule.may_see(given, there, by)
    assert may_vote == may_see


def answer_in(here: Place, scopes: tuple[str, ...]) -> GivenAnswer:
    """Return an answer that was given to `ASKER`."""
    answer = Answer("question", "text", "quotes", True, (), 1.0)
    return GivenAnswer(new_handle(), "r", here, ASKER.person_id, "question", answer, (), scopes, 0.0)


async def test_an_answer_is_not_shown_in_a_channel_that_became_wider_meanwhile(store: Store) -> None:
    """What was found for the members of a private channel is held back once it is public, until it is confirmed."""
    rule = access(store)
    given = answer_in(place(), await rule.scopes(place(), ASKER))
    public = answer_in(place("never seen"), ("public",))
    before = await rule.may_show(given)
    await rule.saw(place(audience=Audience.PUBLIC))
    after = await rule.may_show(given)
    await Places(store).confirm(place().channel_id, Audience.PUBLIC)

    assert (True, False, True) == (before, after, await rule.may_show(given))
    assert await rule.may_show(public)
    assert not await rule.may_show(answer_in(place("never seen"), ("public", own_scope(place("never seen")))))


async def test_a_guest_sees_an_answer_only_if_it_is_public(store: Store) -> None:
    """A guest in a private channel cannot press the buttons of an answer made from the channel's own documents."""
    here = place()
    rule = access(store, answer_external=True)

    assert not await rule.may_see(answer_in(here, await rule.scopes(here, ASKER)), here, GUEST)
    assert await rule.may_see(answer_in(here, ("public",)), here, GUEST)
    assert not await access(store).may_see(answer_in(here, ("public",)), here, GUEST)


@pytest.mark.parametrize(
    ("account", "sender", "expected"),
    [
        ("test/w/boss", Sender("test", "w", "boss"), True),
        ("test//boss", Sender("test", "", "boss"), True),
        ("test//boss", Sender("test", "w", "boss"), False),
        ("test/w/boss", Sender("test", "other", "boss"), False),
        ("test/w/boss", Sender("else", "w", "boss"), False),
        ("test/w/boss", Sender("test", "w", "somebody", name="boss"), False),
        ("matrix/lab.org/@a/b:lab.org", Sender("matrix", "lab.org", "@a/b:lab.org"), True),
    ],
)
def test_administrators_are_known_by_id(store: Store, account: str, sender: Sender, expected: bool) -> None:
    """A name, another workspace or another chat makes nobody an administrator."""
    rule = Access(store, administrators=[account], answer_external=False)

    assert expected is rule.is_administrator(sender)


@pytest.mark.parametrize("account", ["", "boss", "test/boss", "test/w/", "/w/boss"])
def test_an_administrator_that_is_no_account_is_refused(store: Store, account: str) -> None:
    """A half-written account must not count as somebody."""
    with pytest.raises(SettingsError, match="CHAT/WORKSPACE/USER"):
        Access(store, administrators=[account], answer_external=False)


async def scopes_over_time(store: Store, *audiences: Audience) -> list[int]:
    """Return how many scopes are seen as a channel changes its audience."""
    rule = access(store, answer_external=True)
    return [len(await rule.scopes(place(audience=audience), ASKER)) for audience in audiences]


async def test_a_channel_that_becomes_wider_loses_its_documents_until_it_is_confirmed(store: Store) -> None:
    """Confirming lets the wider audience see them; narrowing brings them back without it."""
    private, public = Audience.PRIVATE, Audience.PUBLIC

    assert [2, 1, 1, 2, 1] == await scopes_over_time(store, private, public, public, private, public)
    await Places(store).confirm(place().channel_id, public)
    assert [2] == await scopes_over_time(store, public)


async def test_a_narrower_channel_is_confirmed_for_the_narrower_audience(store: Store) -> None:
    """What was written while few could read it is not shown to more, though they had been confirmed before."""
    assert [2, 2, 1] == await scopes_over_time(store, Audience.PUBLIC, Audience.PRIVATE, Audience.PUBLIC)


async def test_what_waited_in_a_queue_does_not_undo_later_news(store: Store) -> None:
    """A question asked while the channel was private, answered when it is public, does not show its documents."""
    clock = Clock()
    rule = Access(store, administrators=[], answer_external=False, clock=clock)
    await rule.saw(place())
    asked_at = clock.now + 1
    clock.now += 10
    await rule.saw(place(audience=Audience.PUBLIC))
    clock.now += 10

    assert ("public",) == await rule.scopes(place(), ASKER, at=asked_at)
    assert ("public",) == await rule.scopes(place(audience=Audience.PUBLIC), ASKER)
    assert 2 == len(await rule.scopes(place(), ASKER, at=clock.now))


async def test_a_channel_first_seen_shared_is_not_confirmed_for_others(store: Store) -> None:
    """Its own documents are for the organisation, unless an administrator says otherwise."""
    assert [1, 2, 1] == await scopes_over_time(store, Audience.SHARED, Audience.PUBLIC, Audience.SHARED)
    await Places(store).confirm(place().channel_id, Audience.SHARED)
    assert [2] == await scopes_over_time(store, Audience.SHARED)


async def test_a_renamed_thread_or_other_channel_is_another_matter(store: Store) -> None:
    """All threads of a channel share its scope; no other channel does, also not one of another workspace or chat."""
    rule = access(store)
    others = [
        place("c2"),
        dataclasses.replace(place(), workspace="w2"),
        dataclasses.replace(place(), chat="else"),
        Place("test", "wc", "", ""),
    ]
    own = {own_scope(other) for other in others}

    assert await rule.scopes(place(), ASKER) == await rule.scopes(place(thread="t"), ASKER)
    assert 4 == len(own)
    assert own_scope(place()) not in own


async def test_what_was_confirmed_must_be_what_was_seen(store: Store) -> None:
    """An administrator who confirmed a public channel has not confirmed a shared one."""
    places = Places(store)
    await scopes_over_time(store, Audience.PRIVATE, Audience.PUBLIC, Audience.SHARED)

    with pytest.raises(InvalidRequestError, match="is shared by now"):
        await places.confirm(place().channel_id, Audience.PUBLIC)
    with pytest.raises(NotFoundError):
        await places.confirm("0" * 13, Audience.PUBLIC)
    with pytest.raises(NotFoundError):
        await places.revoke("0" * 13)


async def test_a_channel_seen_by_many_at_once_is_confirmed_for_the_narrowest(store: Store) -> None:
    """Processes that see a channel for the first time at the same time agree on what it was confirmed for."""
    audiences = [Audience.PUBLIC, Audience.PRIVATE, Audience.SHARED, Audience.PRIVATE] * 5
    await asyncio.gather(*(Places(store).see(place(audience=audience)) for audience in audiences))
    known = await Places(store).find(place().channel_id)

    assert known is not None
    assert Audience.PRIVATE is known.confirmed


async def test_a_record_that_cannot_be_read_is_no_first_sight(store: Store) -> None:
    """Damaged, or written by a newer version: only public documents are seen, and the record is left alone."""
    await scopes_over_time(store, Audience.PRIVATE)
    key = store.key("place", place().channel_id)
    await store.call("SET", key, '{"v":99}')

    assert [1] == await scopes_over_time(store, Audience.PRIVATE)
    assert '{"v":99}' == await store.call("GET", key)


async def test_the_table_is_bounded_and_forgets_the_one_not_seen_for_longest(store: Store) -> None:
    """One that waits for an administrator stays, however long it was not seen."""
    clock = Clock()
    places = Places(store, limit=3, clock=clock)
    await places.see(place("waits"))
    await places.see(place("waits", Audience.PUBLIC))
    for channel in ("a", "b", "a", "c"):
        clock.now += 7200
        await places.see(place(channel))
    listed = [known.channel for known in await places.list()]

    assert ["waits", "c", "a"] == listed
    assert 3 == number(await store.call("ZCARD", store.key("places")))
    assert None is await places.find(place("b").channel_id)


async def test_once_channels_were_forgotten_a_first_sight_confirms_nothing(store: Store) -> None:
    """A forgotten private channel that comes back as a public one does not show its documents."""
    places = Places(store, limit=1)
    await places.see(place("private"))
    await places.see(place("another", Audience.PUBLIC))
    await places.revoke(place("another").channel_id)
    await places.confirm(place("another").channel_id, Audience.PUBLIC)
    back = await places.see(place("private", Audience.PUBLIC))
    direct = await places.see(place("direct", Audience.DIRECT))

    assert not back.open
    assert not direct.open  # the only place in the table waits for an administrator
    await places.confirm(place("private").channel_id, Audience.PUBLIC)
    assert (await places.see(place("direct", Audience.DIRECT))).open


async def test_a_table_in_which_all_wait_takes_no_more(store: Store) -> None:
    """A channel that finds no room sees public documents only; nothing is forgotten for it."""
    places = Places(store, limit=1)
    await places.see(place("waits"))
    await places.see(place("waits", Audience.PUBLIC))

    assert not (await places.see(place("new"))).open
    assert ["waits"] == [known.channel for known in await places.list()]


async def test_seeing_a_channel_again_writes_nothing(store: Store) -> None:
    """The usual message costs one read; the time of the last sight is exact to the hour."""
    clock = Clock()
    places = Places(store, clock=clock)
    first = await places.see(place())
    clock.now += 3599
    again = await places.see(place())
    clock.now += 1
    later = await places.see(place())

    assert (first.at, first.at, clock.now) == (first.at, again.at, later.at)
