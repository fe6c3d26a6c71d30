"""Who writes and who reads along, as the local Slack says when it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from adapters.slack.askers import Askers
from adapters.slack.client import SlackClient
from adapters.slack.people import LIFETIME_S as PEOPLE_S
from adapters.slack.people import People
from adapters.slack.places import LIFETIME_S as PLACES_S
from adapters.slack.places import Places
from adapters.slack.sending_calls import Calls
from adapters.slack.sending_values import Recipient, Spot
from bot.errors import InvalidRequestError, UnavailableError
from bot.messages import Audience
from tests.slack_sending import Fast
from tests.slack_server import BOT_TOKEN, Clock, Fault, LocalSlack


class Looking:
    """What looks things up, and its clock."""

    def __init__(self, slack: LocalSlack, people: People, places: Places, askers: Askers, now: list[float]) -> None:
        self.slack = slack
        self.people = people
        self.places = places
        self.askers = askers
        self.now = now

    async def audience(self, channel: str, channel_type: str = "", shared: bool | None = None) -> Audience:
        """Return who reads a channel."""
        place = await self.places.place(channel, "1.1", channel_type=channel_type, shared=shared)
        return place.audience


@asynccontextmanager
async def opened(slack: LocalSlack) -> AsyncIterator[Looking]:
    """Connect to a local Slack."""
    now = [0.0]
    async with SlackClient(SecretStr(BOT_TOKEN), api_base_url=slack.api_base_url) as client:
        calls, identity = Calls(client, Fast(slack.clock).limits()), await client.identity()
        people = People(calls, identity, clock=lambda: now[0])
        yield Looking(slack, people, Places(calls, identity, clock=lambda: now[0]), Askers(calls), now)


@pytest.fixture
async def looking() -> AsyncIterator[Looking]:
    """With nothing looked up yet."""
    async with LocalSlack(clock=Clock(speed=60.0)) as slack, opened(slack) as ready:
        yield ready


async def test_an_event_that_says_who_reads_along_is_believed(looking: Looking) -> None:
    """No call is needed."""
    told = [
        await looking.audience("C1", "channel", False),
        await looking.audience("C2", "group", False),
        await looking.audience("G3", "mpim", False),
        await looking.audience("C4", "channel", True),
        await looking.audience("C5", "group", True),
        await looking.audience("D6"),
        await looking.audience("D7", "im", True),
    ]

    public, private, shared, direct = Audience.PUBLIC, Audience.PRIVATE, Audience.SHARED, Audience.DIRECT
    assert [public, private, private, shared, shared, direct, direct] == told
    assert [] == looking.slack.calls("conversations.info")


async def test_where_an_event_says_nothing_slack_is_asked_once(looking: Looking) -> None:
    """And again when the answer has become old."""
    world = looking.slack.world
    secret = world.add_channel("secret", "private", members=["UBOT", "U1"]).id
    group = world.add_channel("group", "mpim", members=["UBOT", "U1", "U2"]).id
    asked = [await looking.audience(channel) for channel in ("C1", secret, group)]
    looking.slack.connect_channel("C1", "T2")
    then = await looking.audience("C1")
    looking.now[0] = PLACES_S + 1
    later = await looking.audience("C1")

    assert [Audience.PUBLIC, Audience.PRIVATE, Audience.PRIVATE] == asked
    assert (Audience.PUBLIC, Audience.SHARED) == (then, later)
    assert 4 == len(looking.slack.calls("conversations.info"))


async def test_a_channel_the_bot_cannot_see_is_no_place(looking: Looking) -> None:
    """What was asked there cannot be answered."""
    with pytest.raises(InvalidRequestError, match="invite Locus"):
        await looking.audience("C404")


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(hang=True), Fault(error="missing_scope")])
async def test_who_reads_along_is_never_guessed(looking: Looking, fault: Fault) -> None:
    """While Slack does not say so, nothing is answered; what was known serves what is pressed meanwhile."""
    looking.slack.faults.always("conversations.info", fault)
    with pytest.raises(UnavailableError):
        await looking.audience("C1")
    looking.slack.faults.clear()
    known = await looking.audience("C1")
    looking.slack.faults.always("conversations.info", Fault(status=500))
    looking.now[0] = PLACES_S + 1

    assert known == await looking.audience("C1")
    with pytest.raises(UnavailableError):
        await looking.places.ask("C1", patient=True)


async def test_members_guests_and_strangers_are_told_apart(looking: Looking) -> None:
    """By what Slack says of the account, not by the event."""
    world = looking.slack.world
    world.add_team("T2", "Other lab")
    accounts = [
        "U1",
        world.add_user("guest", guest="restricted").id,
        world.add_user("single", guest="ultra_restricted").id,
        world.add_user("other", team="T2").id,
        "U404",
    ]
    senders = [await looking.people.sender(user, "T1") for user in accounts]

    assert [False, True, True, True, True] == [sender.external for sender in senders]
    assert ["T1", "T1", "T1", "T2", "T1"] == [sender.workspace for sender in senders]
    assert ("ada", "") == (senders[0].name, senders[4].name)


async def test_a_person_is_asked_for_once_by_all(looking: Looking) -> None:
    """Twenty messages at the same time cost one call; old knowledge serves while Slack is away."""
    senders = await asyncio.gather(*(looking.people.sender("U1") for _ in range(20)))
    looking.slack.faults.always("users.info", Fault(status=500))
    looking.now[0] = PEOPLE_S + 1
    late = await looking.people.sender("U1")

    assert {late} == set(senders)
    assert 1 == len(looking.slack.calls("users.info", outcome="ok"))


async def test_whoever_cannot_be_looked_up_is_not_taken_for_a_member(looking: Looking) -> None:
    """Without the scope everybody is a guest; when Slack is away what was asked waits."""
    looking.slack.faults.add("users.info", Fault(error="missing_scope"), Fault(status=500))
    sender = await looking.people.sender("U1", "T1")
    with pytest.raises(UnavailableError):
        await looking.people.sender("U1", "T1")

    assert sender.external
    assert not (await looking.people.sender("U1", "T1")).external


async def test_accounts_of_bots_are_known_as_such(looking: Looking) -> None:
    """Even where an event does not say so."""
    other = looking.slack.world.add_user("helper", bot_id="B9")

    assert (await looking.people.person(other.id)).bot


async def test_who_asked_is_read_in_the_thread(looking: Looking) -> None:
    """By a process that has not received the question; what the bot wrote itself was asked by nobody."""
    slack = looking.slack
    root = slack.say("C1", "U1", "A discussion")
    slack.say("C1", "U3", "yes", thread_ts=root.ts)
    asked = slack.mention("C1", "U2", "What is BXD?", thread_ts=root.ts)
    spot = Spot("C1", root.ts)

    assert Recipient("T1", "U2") == await looking.askers.of(spot, asked.ts)
    assert Recipient("T1", "U1") == await looking.askers.of(spot, root.ts)
    assert await looking.askers.of(spot, "again-abc") is None
    assert await looking.askers.of(spot, "17.5") is None
    assert await looking.askers.of(Spot("C404", "1.1"), "1.1") is None
