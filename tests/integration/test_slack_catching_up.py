"""What was said in Slack while nobody listened is answered as soon as somebody does, once."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from bot.store.client import Store
from bot.store.inbox import Inbox, InboxLimits
from bot.store.threads import JoinedThreads
from bot.store.unheard import HEARD, UnheardTimes
from bot.texts import not_allowed_here
from tests.fakes import HeldAnswerer
from tests.integration.test_service import MortalStore
from tests.redis_servers import RedisServer
from tests.slack_adapter import DEADLINE_S, SlackService, bot_lines, serving
from tests.slack_server import Clock, Fault, LocalSlack, Message, Timing

C1 = "C1"
DAY_S = 86_400.0
Serving = Callable[..., AbstractAsyncContextManager[SlackService]]


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A Slack that gives an event up after four deliveries within some milliseconds."""
    timing = Timing(acknowledge_within_s=3.0, retry_after_s=(0.0, 0.01, 0.02))
    async with LocalSlack(clock=Clock(speed=60.0), timing=timing) as local:
        yield local


@pytest.fixture
def listening(slack: LocalSlack) -> Serving:
    """Makes services that notice what they have missed."""

    def made(store: Store, *, span_s: float = DAY_S, holder: str = "one", **options: object) -> object:
        inbox = Inbox(store, InboxLimits(duplicates_h=240))
        unheard = UnheardTimes(inbox, "slack", holder, span_s=span_s, lease_s=1.0, clock=slack.clock.now)
        threads = JoinedThreads(store, days=30, listed=True)
        return serving(slack, store, unheard=unheard, threads=threads, streaming=False, **options)  # type: ignore[arg-type]

    return made  # type: ignore[return-value]


async def noted(store: Store) -> float:
    """Wait until it is noted that somebody listens, and nothing is left to be looked at; return until when."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            heard = HEARD.find(str(await store.call("GET", store.key("heard", "slack")) or ""))
            if heard is not None and heard.owed is None and heard.taken is None:
                return heard.until
            await asyncio.sleep(0.005)


async def looked(store: Store, since: float) -> None:
    """Wait until everything was looked at by somebody who began to listen after `since`."""
    async with asyncio.timeout(DEADLINE_S):
        while await noted(store) <= since:  # noqa: ASYNC110 - polled, with a deadline
            await asyncio.sleep(0.005)


async def here_before(slack: LocalSlack, listening: Serving, store: Store, **options: object) -> None:
    """Have somebody listen for a while, and go."""
    async with listening(store, **options):
        await slack.connected(2)
        await noted(store)
    await slack.until(lambda: not slack.sockets.connections)


async def given_up(slack: LocalSlack) -> None:
    """Wait until Slack delivers nothing any more that was not acknowledged."""
    await slack.deliveries.settled()
    assert not any(delivery.acknowledged for delivery in slack.deliveries.of_type("message")[-1:])


def answers(slack: LocalSlack, asked: Message) -> list[str]:
    """What the bot has said in the thread of a question."""
    return [line.text.partition("\n")[0] for line in bot_lines(slack, asked.channel, asked.thread_ts or asked.ts)]


async def test_questions_of_a_weekend_are_answered_once_after_the_start(
    slack: LocalSlack, listening: Serving, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """In a channel, directly, in a thread of others and as a follow-up; what is for nobody stays without an answer."""
    private = slack.world.add_channel("secret", "private", members=["UBOT", "U1"])
    async with listening(store) as one:
        await slack.connected(2)
        known = slack.mention(C1, "U1", "What is LOD?")
        await one.answered(C1, known.ts)
        await noted(store)
    await slack.until(lambda: not slack.sockets.connections)
    slack.clock.advance(20 * 3600)
    caplog.set_level(logging.INFO, "adapters.slack.attendance")
    asked = [
        slack.mention(C1, "U1", "What is BXD?"),
        slack.mention(private.id, "U1", "What is HXB?"),
        slack.direct_message("U2", "What is a marker?"),
        slack.say(C1, "U2", "and what is LRS?", thread_ts=known.ts),
    ]
    chat = slack.say(C1, "U2", "Lunch?")
    reply = slack.say(C1, "U1", "at noon", thread_ts=chat.ts)
    asked.append(slack.say(C1, "U1", "<@UBOT> what is a QTL?", thread_ts=chat.ts))
    await given_up(slack)
    before = slack.clock.now()
    async with listening(store, holder="two") as one:
        await looked(store, before)
        await one.settled()
        wanted = {"What is BXD?", "What is HXB?", "What is a marker?", "and what is LRS?", "what is a QTL?"}

        assert wanted == {question.question for question in one.answerer.asked}
        assert 5 == len(one.answerer.asked)
        assert (2, 1) == (len(answers(slack, known)), len(answers(slack, reply)))
    assert ["5 messages from while nobody listened"] == [
        record.getMessage() for record in caplog.records if "nobody listened" in record.getMessage()
    ]


async def test_a_question_whose_four_deliveries_met_dying_processes_is_answered(
    slack: LocalSlack, listening: Serving, redis_server: RedisServer
) -> None:
    """Each of them is killed before it has stored anything; the next one finds it."""
    slack.deliveries.timing = Timing(acknowledge_within_s=0.5, retry_after_s=(0.0, 0.2, 0.3))
    store = Store(redis_server.url, prefix="dying")
    try:
        await here_before(slack, listening, store)
        asked: Message | None = None
        for number in range(4):
            mortal = MortalStore(redis_server.url, prefix="dying")
            async with listening(mortal, holder=f"dying-{number}") as one:
                await slack.connected(2)
                mortal.dead = True
                asked = asked or slack.mention(C1, "U1", "What is LOD?")
                (delivery,) = slack.deliveries.of_type("app_mention")
                await slack.until(
                    lambda number=number, delivery=delivery: len(delivery.attempts) > number or None  # type: ignore[misc]
                )
                await one.kill()
            await mortal.close()
        assert asked is not None
        await slack.deliveries.settled()
        before = slack.clock.now()
        async with listening(store, holder="last") as one:
            await one.answered(C1, asked.ts)
            await looked(store, before)
            await one.settled()

            assert 1 == len(answers(slack, asked))
    finally:
        await store.close()


async def test_two_processes_that_start_together_answer_once(
    slack: LocalSlack, listening: Serving, store: Store
) -> None:
    """Only one of them looks."""
    await here_before(slack, listening, store)
    asked = [slack.mention(C1, "U1", f"Question {number}?") for number in range(5)]
    await given_up(slack)
    before = slack.clock.now()
    async with listening(store, holder="one") as one, listening(store, holder="two") as two:
        await looked(store, before)
        await one.settled()

        assert [1] * 5 == [len(answers(slack, question)) for question in asked]
        assert 5 == len(one.answerer.asked) + len(two.answerer.asked)


async def test_a_delivery_that_comes_late_changes_nothing(slack: LocalSlack, listening: Serving, store: Store) -> None:
    """The question was found before."""
    await here_before(slack, listening, store)
    asked = slack.mention(C1, "U1", "What is LOD?")
    await given_up(slack)
    before = slack.clock.now()
    async with listening(store) as one:
        await slack.connected(2)
        for delivery in slack.deliveries.sent:
            slack.deliveries.resend(delivery)
        await looked(store, before)
        await one.answered(C1, asked.ts)
        sent = [(delivery, len(delivery.attempts)) for delivery in slack.deliveries.sent]
        for delivery, _ in sent:
            slack.deliveries.resend(delivery)
        await slack.until(
            lambda: all(one.attempts[number:] and one.attempts[-1].took_s for one, number in sent) or None
        )
        await one.settled()

        assert (1, 1) == (len(answers(slack, asked)), len(one.answerer.asked))


async def test_only_what_is_for_locus_and_of_people_counts(slack: LocalSlack, listening: Serving, store: Store) -> None:
    """Other bots are ignored, strangers are refused as always, edited questions count as they are, deleted ones not."""
    slack.world.add_team("T9", "Elsewhere")
    stranger = slack.world.add_user("zoe", team="T9")
    joint = slack.world.add_channel("joint", members=["UBOT", "U1", stranger.id], connected=["T9"])
    helper = slack.world.add_user("helper", bot_id="B9")
    slack.world.channels[C1].members.add(helper.id)
    await here_before(slack, listening, store)
    foreign = slack.mention(joint.id, stranger.id, "What is LOD?")
    machine = slack.say_as_bot(C1, helper.id, "<@UBOT> What is LOD?")
    edited = slack.mention(C1, "U1", "What is LOD?")
    gone = slack.mention(C1, "U2", "What is BXD?")
    called = slack.say(C1, "U3", "What is HXB?")
    slack.edit(edited, "<@UBOT> What is LRS?")
    slack.edit(called, "<@UBOT> What is HXB?")
    slack.delete(gone)
    await given_up(slack)
    before = slack.clock.now()
    async with listening(store) as one:
        await looked(store, before)
        await one.settled()

        assert ["What is HXB?", "What is LRS?"] == sorted(asked.question for asked in one.answerer.asked)
        assert [not_allowed_here()] == answers(slack, foreign)
        assert ([], []) == (answers(slack, machine), answers(slack, gone))


async def test_what_people_said_before_locus_took_part_in_their_thread_stays_theirs(
    slack: LocalSlack, listening: Serving, store: Store
) -> None:
    """Though the thread is one of its own when it looks."""
    async with listening(store) as one:
        await slack.connected(2)
        await noted(store)
        talk = slack.say(C1, "U1", "About the BXD")
        slack.say(C1, "U2", "what do they weigh?", thread_ts=talk.ts)
        slack.say(C1, "U1", "<@UBOT> what is LOD?", thread_ts=talk.ts)
        await one.answered(C1, talk.ts)
        await one.settled()
    await slack.until(lambda: not slack.sockets.connections)
    before = slack.clock.now()
    async with listening(store, holder="two") as two:
        await looked(store, before)
        await two.settled()

        assert [] == two.answerer.asked
        assert 1 == len(answers(slack, talk))


async def test_older_questions_stay_unanswered(slack: LocalSlack, listening: Serving, store: Store) -> None:
    """Those within the time that the lab has set are answered."""
    await here_before(slack, listening, store)
    old = slack.mention(C1, "U1", "What is LOD?")
    slack.clock.advance(3 * 3600)
    new = slack.mention(C1, "U1", "What is BXD?")
    await given_up(slack)
    before = slack.clock.now()
    async with listening(store, span_s=2 * 3600) as one:
        await looked(store, before)
        await one.settled()

        assert ([], 1) == (answers(slack, old), len(answers(slack, new)))


async def test_at_the_first_connection_ever_nothing_is_looked_at(
    slack: LocalSlack, listening: Serving, store: Store
) -> None:
    """What was said before is not for it."""
    asked = slack.mention(C1, "U1", "What is LOD?")
    await given_up(slack)
    async with listening(store) as one:
        await noted(store)
        await one.settled()

        assert ([], []) == (answers(slack, asked), slack.calls("conversations.history"))


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(limited_s=1), Fault(drop="before")])
async def test_where_slack_does_not_answer_it_is_looked_again_later(
    slack: LocalSlack, listening: Serving, store: Store, fault: Fault
) -> None:
    """Nothing is lost, and a limit of Slack is honoured."""
    await here_before(slack, listening, store)
    asked = slack.mention(C1, "U1", "What is LOD?")
    await given_up(slack)
    slack.faults.always("conversations.history", fault)
    before = slack.clock.now()
    async with listening(store) as one:
        await slack.until(lambda: len(slack.calls("conversations.history")) > 5 or None, timeout_s=DEADLINE_S)
        slack.faults.clear()
        await looked(store, before)
        await one.answered(C1, asked.ts)
        await one.settled()

        assert 1 == len(answers(slack, asked))


async def test_channels_that_refuse_are_left_out(
    slack: LocalSlack, listening: Serving, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """An app of an older manifest lacks the scope for direct conversations: the log says so, the rest is looked at."""
    slack.grants = dataclasses.replace(slack.grants, scopes=slack.grants.scopes - {"im:read", "groups:history"})
    private = slack.world.add_channel("secret", "private", members=["UBOT", "U1"])
    await here_before(slack, listening, store)
    slack.direct_message("U2", "What is a marker?")
    slack.mention(private.id, "U1", "What is HXB?")
    asked = slack.mention(C1, "U1", "What is LOD?")
    await given_up(slack)
    before = slack.clock.now()
    async with listening(store) as one:
        await looked(store, before)
        await one.settled()

        assert ["What is LOD?"] == [question.question for question in one.answerer.asked]
        assert 1 == len(answers(slack, asked))
    told = [record.getMessage() for record in caplog.records if "is not looked at" in record.getMessage()]
    assert 2 == len(told)
    assert ("im:read" in told[0], "groups:history" in told[1]) == (True, True)


async def test_what_a_restored_state_does_not_know_is_not_answered_again(
    slack: LocalSlack, listening: Serving, redis_server: RedisServer
) -> None:
    """The thread shows that it was answered."""
    store, older = Store(redis_server.url, prefix="newer"), Store(redis_server.url, prefix="older")
    try:
        await here_before(slack, listening, older)
        async with listening(store) as one:
            await slack.connected(2)
            asked = slack.mention(C1, "U1", "What is LOD?")
            direct = slack.direct_message("U1", "What is BXD?")
            await one.answered(C1, asked.ts)
            await one.answered(direct.channel, direct.ts)
            await one.settled()
        await slack.until(lambda: not slack.sockets.connections)
        before = slack.clock.now()
        async with listening(older) as two:
            await looked(older, before)
            await two.settled()

            assert [] == two.answerer.asked
            assert (1, 1) == (len(answers(slack, asked)), len(answers(slack, direct)))
    finally:
        await store.close()
        await older.close()


async def test_many_questions_of_one_person_are_not_too_many(
    slack: LocalSlack, listening: Serving, store: Store
) -> None:
    """They were not asked all at once."""
    limits: dict[str, object] = {"rate_person": 3, "rate_window_s": 3600.0}
    await here_before(slack, listening, store)
    asked = [slack.mention(C1, "U1", f"Question {number}?") for number in range(8)]
    await given_up(slack)
    before = slack.clock.now()
    async with listening(store, settings=limits) as one:
        await looked(store, before)
        await one.settled()

        assert [1] * 8 == [len(answers(slack, question)) for question in asked]
        assert 8 == len(one.answerer.asked)


async def test_follow_ups_in_threads_that_begin_long_before_are_found(
    slack: LocalSlack, listening: Serving, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the root of the thread is not among the messages that are read."""
    monkeypatch.setattr("adapters.slack.past.PAGE", 5)
    async with listening(store) as one:
        await slack.connected(2)
        await noted(store)
        old = slack.mention(C1, "U1", "What is LOD?")
        await one.answered(C1, old.ts)
        await one.settled()
    await slack.until(lambda: not slack.sockets.connections)
    slack.clock.advance(3 * DAY_S)
    for number in range(20):
        slack.say(C1, "U2", f"Message {number}")
    await here_before(slack, listening, store)
    slack.clock.advance(3600)
    for number in range(7):
        slack.say(C1, "U2", f"Further message {number}")
    slack.say(C1, "U1", "and what is LRS?", thread_ts=old.ts)
    await slack.deliveries.settled()
    before = slack.clock.now()
    async with listening(store, holder="two") as two:
        await looked(store, before)
        await two.settled()

        assert ["and what is LRS?"] == [asked.question for asked in two.answerer.asked]


async def test_what_was_asked_before_locus_was_invited_is_not_for_it(
    slack: LocalSlack, listening: Serving, store: Store
) -> None:
    """As no event has told it of that."""
    late = slack.world.add_channel("late", members=["U1"])
    await here_before(slack, listening, store)
    before_it = slack.mention(late.id, "U1", "What is LOD?")
    slack.invite(late.id)
    slack.say(late.id, "UBOT", "<@UBOT> has joined the channel", subtype="channel_join")
    asked = slack.mention(late.id, "U1", "What is BXD?")
    await slack.deliveries.settled()
    before = slack.clock.now()
    async with listening(store) as one:
        await looked(store, before)
        await one.settled()

        assert ([], 1) == (answers(slack, before_it), len(answers(slack, asked)))


async def test_an_edit_that_was_missed_counts_while_its_question_is_open(
    slack: LocalSlack, listening: Serving, redis_server: RedisServer
) -> None:
    """The question was accepted, its process died, and nobody heard of the new words."""
    store, mortal = Store(redis_server.url, prefix="edits"), MortalStore(redis_server.url, prefix="edits")
    try:
        async with listening(mortal, holder="dying", answerer=HeldAnswerer()) as one:
            await slack.connected(2)
            await noted(mortal)
            asked = slack.mention(C1, "U1", "slow question")
            await one.begun()
            mortal.dead = True
            await one.kill()
        await slack.until(lambda: not slack.sockets.connections)
        slack.edit(asked, "<@UBOT> What is LRS?")
        await slack.deliveries.settled()
        before = slack.clock.now()
        async with listening(store, holder="two") as two:
            await looked(store, before)
            two.answerer.release.set()
            await two.settled()

            assert "What is LRS?" == two.answerer.asked[-1].question
            assert 1 == len(answers(slack, asked))
    finally:
        await store.close()
        await mortal.close()


async def test_what_could_not_be_accepted_is_looked_for_without_a_new_connection(
    slack: LocalSlack, listening: Serving, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis was away for all deliveries of a question, and Slack has given it up."""
    slack.deliveries.timing = Timing(acknowledge_within_s=0.3, retry_after_s=(0.0, 0.01, 0.02))
    monkeypatch.setattr("adapters.slack.accepting.PATIENCE_S", 0.05)
    mortal = MortalStore(redis_server.url, prefix="refusing")
    try:
        async with listening(mortal) as one:
            await slack.connected(2)
            await noted(mortal)
            mortal.dead = True
            asked = slack.mention(C1, "U1", "What is LOD?")
            await given_up(slack)
            mortal.dead = False
            await one.answered(C1, asked.ts)
            await one.settled()

            assert 1 == len(answers(slack, asked))
    finally:
        await mortal.close()


async def test_in_http_mode_too(slack: LocalSlack, listening: Serving, store: Store) -> None:
    """What was said while the address was gone is found when it is back."""
    async with listening(store, mode="http"):
        await noted(store)
    asked = slack.mention(C1, "U1", "What is LOD?")
    await given_up(slack)
    async with listening(store, holder="two", mode="http") as two:
        await two.answered(C1, asked.ts)
        await two.settled()

        assert 1 == len(answers(slack, asked))
