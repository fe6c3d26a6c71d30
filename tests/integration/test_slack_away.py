"""Slack delivers events while its own API answers nothing: they are accepted at once, and answered when it is back."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Mapping

import pytest
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from adapters.slack.accepting import Accepting, Acceptor
from bot.errors import UnavailableError
from bot.messages import Audience, Place
from bot.store.client import Store
from bot.store.places import Places
from bot.texts import not_allowed_here
from tests.fakes import HeldAnswerer
from tests.integration.test_service import MortalStore
from tests.redis_servers import RedisServer
from tests.slack_adapter import SlackService, bot_lines, serving
from tests.slack_server import Clock, Fault, LocalSlack, Message, Timing

C1 = "C1"
FAULTS = {
    "errors": Fault(status=503),
    "limits": Fault(limited_s=1),
    "silence": Fault(hang=True),
    "cut connections": Fault(drop="before"),
}
AWAY = pytest.mark.parametrize("kind", FAULTS)


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A Slack that gives an event up after four deliveries within a second."""
    timing = Timing(acknowledge_within_s=3.0, retry_after_s=(0.0, 0.2, 0.4))
    async with LocalSlack(clock=Clock(speed=60.0), timing=timing) as local:
        yield local


def away(slack: LocalSlack, fault: Fault, *methods: str) -> None:
    """Let calls fail until further notice: all of them, or only some methods."""
    for method in methods or ("*",):
        slack.faults.always(method, fault)


async def accepted(slack: LocalSlack) -> None:
    """Check that everything was acknowledged when it was delivered first."""
    await slack.deliveries.settled()
    assert all(delivery.acknowledged for delivery in slack.deliveries.sent)
    assert {1} == {len(delivery.attempts) for delivery in slack.deliveries.sent}


async def waits(one: SlackService, asked: Message) -> None:
    """Check that a question is open, and nothing of an answer to be seen."""
    (request,) = await one.service.inbox.all_open()
    assert asked.ts == request.message.message_id
    assert [] == bot_lines(one.slack, asked.channel, asked.ts)


@AWAY
async def test_a_question_asked_while_slack_is_away_is_accepted_on_the_first_delivery(
    slack: LocalSlack, store: Store, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a process that knows neither person nor channel; it is answered once when Slack is back."""
    monkeypatch.setattr("adapters.slack.lookups.PATIENT_S", 0.5)
    async with serving(slack, store, streaming=False) as one:
        await slack.connected(2)
        away(slack, FAULTS[kind])
        asked = slack.mention(C1, "U1", "What is LOD?")
        await accepted(slack)
        await slack.until(lambda: len(slack.calls("users.info")) > 0)
        await waits(one, asked)
        slack.faults.clear()
        await one.answered(C1, asked.ts)
        await one.settled()

        assert 1 == len(bot_lines(slack, C1, asked.ts))
        assert 1 == len(one.answerer.asked)


async def test_a_question_that_waits_for_slack_survives_kill_9(slack: LocalSlack, redis_server: RedisServer) -> None:
    """The next process knows nobody either; it asks, and answers once."""
    mortal = MortalStore(redis_server.url, prefix="waits")
    away(slack, Fault(status=500), "users.info", "conversations.info")
    async with serving(slack, mortal) as first:
        await slack.connected(2)
        asked = slack.direct_message("U1", "What is LOD?")
        await accepted(slack)
        await slack.until(lambda: len(slack.calls("users.info")) > 0)
        await waits(first, asked)
        mortal.dead = True
        await first.kill()
    store = Store(redis_server.url, prefix="waits")
    try:
        async with serving(slack, store) as second:
            await slack.connected(2)
            slack.faults.clear()
            await second.answered(asked.channel, asked.ts)
            await second.settled()
    finally:
        await store.close()
        await mortal.close()

    assert 1 == len(bot_lines(slack, asked.channel, asked.ts))


async def test_an_unknown_person_of_slack_connect_stays_unanswered(slack: LocalSlack, store: Store) -> None:
    """The question is accepted while Slack is away; when it says who that is, they are told that they may not ask."""
    slack.world.add_team("T9", "Elsewhere")
    stranger = slack.world.add_user("zoe", team="T9")
    channel = slack.world.add_channel("joint", members=["UBOT", "U1", stranger.id], connected=["T9"])
    async with serving(slack, store) as one:
        await slack.connected(2)
        away(slack, Fault(status=500))
        asked = slack.mention(channel.id, stranger.id, "What is LOD?")
        await accepted(slack)
        await waits(one, asked)
        slack.faults.clear()
        await one.settled()

        assert [not_allowed_here()] == [line.text.partition("\n")[0] for line in bot_lines(slack, channel.id, asked.ts)]
        assert [] == one.answerer.asked


async def test_a_member_who_became_a_guest_meanwhile_is_answered_as_a_guest(slack: LocalSlack, store: Store) -> None:
    """What is said of a person when Slack is back counts, not what was true when they asked."""
    async with serving(slack, store) as one:
        await slack.connected(2)
        away(slack, Fault(status=500), "users.info")
        asked = slack.mention(C1, "U1", "What is LOD?")
        await accepted(slack)
        slack.world.users["U1"].guest = "restricted"
        slack.faults.clear()
        await one.settled()

        assert [] == one.answerer.asked
        assert not_allowed_here() in bot_lines(slack, C1, asked.ts)[0].text


async def test_a_channel_shared_meanwhile_is_answered_as_a_shared_one(slack: LocalSlack, store: Store) -> None:
    """A mention does not say who reads along; it is not taken for what the channel was before."""
    slack.grants = dataclasses.replace(slack.grants, events=slack.grants.events - {"message.channels"})
    async with serving(slack, store) as one:
        await slack.connected(2)
        away(slack, Fault(status=500), "users.info", "conversations.info")
        slack.mention(C1, "U1", "What is LOD?")
        await accepted(slack)
        slack.connect_channel(C1, "T2")
        slack.faults.clear()
        await one.settled()
        known = await Places(store).find(Place("slack", "T1", C1).channel_id)

        assert known is not None
        assert (Audience.SHARED, False) == (known.seen, known.open)
        assert [] == one.answerer.asked


async def test_another_bots_question_is_not_answered_when_slack_says_what_it_is(
    slack: LocalSlack, store: Store
) -> None:
    """Where an event does not say so; nothing is shown, not even a status."""
    helper = slack.world.add_user("helper", bot_id="B9")
    slack.world.channels[C1].members.add(helper.id)
    async with serving(slack, store) as one:
        await slack.connected(2)
        away(slack, Fault(status=500))
        asked = slack.mention(C1, helper.id, "What is LOD?")
        await accepted(slack)
        slack.faults.clear()
        await one.settled()

        assert ([], []) == (bot_lines(slack, C1, asked.ts), slack.agent.statuses)
        assert [] == one.answerer.asked


async def test_edits_and_deletions_are_accepted_while_slack_is_away(slack: LocalSlack, store: Store) -> None:
    """The answer is to the new words, and to what was deleted there is none."""
    async with serving(slack, store) as one:
        await slack.connected(2)
        away(slack, Fault(status=500))
        kept = slack.mention(C1, "U1", "What is LOD?")
        gone = slack.mention(C1, "U2", "What is BXD?")
        await accepted(slack)
        slack.edit(kept, "<@UBOT> What is a marker?")
        slack.delete(gone)
        await accepted(slack)
        slack.faults.clear()
        await one.answered(C1, kept.ts)
        await one.settled()

        assert ["What is a marker?"] == [asked.question for asked in one.answerer.asked]
        assert [] == bot_lines(slack, C1, gone.ts)


async def test_slacks_own_stop_needs_no_word_of_slack(slack: LocalSlack, store: Store) -> None:
    """Who pressed it is known by the account, also to a process that has seen nobody yet."""
    answerer = HeldAnswerer()
    async with serving(slack, store, answerer=answerer) as one:
        await slack.connected(2)
        asked = slack.mention(C1, "U1", "slow question")
        await one.begun()
        message = await slack.until(
            lambda: next((one for one in slack.messages() if one.stream is not None), None), timeout_s=10.0
        )
        assert message is not None
        one.adapter._parts.people._people._known.clear()  # type: ignore[union-attr]
        away(slack, Fault(status=500), "users.info", "conversations.info")
        slack.stop_stream(message, "U1")
        await accepted(slack)
        await one.settled()

        assert "stopped" in bot_lines(slack, C1, asked.ts)[0].text.lower()


class Briefly(Acceptor):
    """Cannot store anything at first.

    Args:
        failures: Raised by the next events, one each.
    """

    def __init__(self, *failures: UnavailableError) -> None:
        self.failures = list(failures)
        self.stored = 0

    async def accept(self, body: Mapping[str, object]) -> None:
        """Fail as often as was asked for."""
        if self.failures:
            raise self.failures.pop(0)
        self.stored += 1


async def delivered(acceptor: Acceptor) -> int | None:
    """Deliver an event and return the status of the answer."""

    async def further() -> BoltResponse:
        return BoltResponse(status=404, body="")

    body = {"type": "event_callback", "event": {"type": "message"}}
    request = AsyncBoltRequest(body=body, mode="socket_mode")
    response = await Accepting(acceptor).async_process(req=request, resp=BoltResponse(status=404), next=further)
    return response.status if response is not None else None


async def test_an_event_is_held_over_a_restart_of_redis() -> None:
    """As long as Slack waits for the acknowledgement anyway, it is tried again before it is refused."""
    acceptor = Briefly(*(UnavailableError("Redis is away.", retry_after_s=2.0) for _ in range(3)))

    assert (200, 1) == (await delivered(acceptor), acceptor.stored)


async def test_an_event_is_refused_at_once_while_locus_stops() -> None:
    """Another process may take it."""
    acceptor = Briefly(UnavailableError("Locus is stopping."))

    assert (503, 0) == (await delivered(acceptor), acceptor.stored)


async def test_an_event_is_refused_before_slack_has_lost_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is delivered again then."""
    monkeypatch.setattr("adapters.slack.accepting.PATIENCE_S", 0.3)
    acceptor = Briefly(*(UnavailableError("Redis is away.", retry_after_s=2.0) for _ in range(100)))
    async with asyncio.timeout(3):
        status = await delivered(acceptor)

    assert (503, 0) == (status, acceptor.stored)
