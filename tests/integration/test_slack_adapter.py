"""The bot as a colleague in Slack: the real service over the local Slack, whatever is delivered and lost."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from adapters.slack.adapter import SlackAdapter
from adapters.slack.options import Options
from adapters.slack.parts import Parts
from bot.errors import RefusedError, SettingsError
from bot.health import State
from bot.messages import IncomingMessage, Place
from bot.replies import Attachment, Reply, Stage
from bot.store.client import Store
from bot.texts import reading_documents
from bot.threads import RecentThreads
from tests.fakes import HeldAnswerer
from tests.integration.test_service import MortalStore
from tests.redis_servers import RedisServer
from tests.slack_adapter import SlackService, bot_lines, make_adapter, serving
from tests.slack_server import BOT_TOKEN, SIGNING_SECRET, Clock, Fault, LocalSlack, Message, Timing
from tests.slack_server.http_mode import signature

C1 = "C1"


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A Slack whose minutes last a second, and which tries again soon."""
    timing = Timing(acknowledge_within_s=0.6, retry_after_s=(0.0, 0.2, 0.4))
    async with LocalSlack(clock=Clock(speed=60.0), timing=timing) as local:
        yield local


async def connected(one: SlackService) -> None:
    """Wait for both connections."""
    await one.slack.connected(2)


def state(one: SlackService) -> State | None:
    """Return how the chat is."""
    part = one.service.health.find("slack")
    return part.state if part is not None else None


def reason_of(one: SlackService) -> str:
    """Return why it is so."""
    part = one.service.health.find("slack")
    return part.reason if part is not None else ""


async def quiet(one: SlackService, channel: str, thread: str) -> None:
    """Check that nothing was answered in a thread, once all that was delivered is settled."""
    await one.settled()
    assert [] == bot_lines(one.slack, channel, thread)
    assert all(delivery.acknowledged for delivery in one.slack.deliveries.sent)


async def test_a_mention_is_answered_in_a_thread(slack: LocalSlack, store: Store) -> None:
    """The status comes at once, the answer stands in the thread of the question, with its sources."""
    async with serving(slack, store) as one:
        await connected(one)
        asked = slack.mention(C1, "U1", "What is QTL mapping?")
        line = await one.answered(C1, asked.ts)
        await one.settled()

        assert line.text.startswith("About: What is QTL mapping? [1]")
        assert ["https://example.org/a"] == sorted({link.url for link in line.links})
        assert "is reading the documents …" in [status for *_, status in slack.agent.statuses]
        assert [] == slack.pings(by="UBOT")


async def test_s1_four_deliveries_and_two_events_make_one_answer(slack: LocalSlack, store: Store) -> None:
    """app_mention and message of one question, each delivered four times, are one request."""
    slack.deliveries.copies = 4
    async with serving(slack, store) as one:
        await connected(one)
        asked = slack.mention(C1, "U1", "What is a haplotype?")
        await one.answered(C1, asked.ts)
        await one.settled()
        deliveries = list(slack.deliveries.sent)
        before = [len(delivery.attempts) for delivery in deliveries]
        for delivery in deliveries:
            slack.deliveries.resend(delivery)
        await slack.until(
            lambda: all(len(d.attempts) > n and d.attempts[-1].took_s for d, n in zip(deliveries, before, strict=True))
        )
        await one.settled()

        assert 1 == len(bot_lines(slack, C1, asked.ts))
        assert 1 == len(one.answerer.asked)
        assert {"app_mention", "message"} == {d.payload["event"]["type"] for d in slack.deliveries.sent}


async def test_s1_an_event_that_cannot_be_stored_is_delivered_again(
    slack: LocalSlack, redis_server: RedisServer
) -> None:
    """While Redis is away nothing is acknowledged; Slack's next delivery is answered."""
    store = MortalStore(redis_server.url, prefix="away")
    async with serving(slack, store) as one:
        await connected(one)
        store.dead = True
        asked = slack.mention(C1, "U1", "What is a marker?")
        await slack.until(lambda: any(len(d.attempts) > 2 for d in slack.deliveries.sent))
        store.dead = False
        await one.answered(C1, asked.ts)
        await one.settled()

        assert 1 == len(bot_lines(slack, C1, asked.ts))
    await store.close()


async def test_s2_a_question_survives_kill_9_after_its_acknowledgement(
    slack: LocalSlack, store: Store, redis_server: RedisServer
) -> None:
    """What was acknowledged is answered by the next process, though Slack never delivers it again."""
    mortal = MortalStore(redis_server.url, prefix=store.prefix)
    async with serving(slack, mortal) as first:
        await connected(first)
        asked = slack.mention(C1, "U1", "slow question")
        await first.begun()
        await slack.deliveries.settled()
        mortal.dead = True
        await first.kill()
    answerer = HeldAnswerer()
    answerer.release.set()
    async with serving(slack, store, answerer=answerer) as second:
        await second.answered(C1, asked.ts)
        await second.settled()

    assert 1 == len(bot_lines(slack, C1, asked.ts))
    assert all(delivery.acknowledged for delivery in slack.deliveries.sent)
    await mortal.close()


async def test_s3_the_connection_is_replaced_and_cut_while_an_answer_is_written(
    slack: LocalSlack, store: Store
) -> None:
    """The answer is complete and there once; what is asked meanwhile is answered too."""
    async with serving(slack, store) as one:
        await connected(one)
        asked = slack.mention(C1, "U1", "slow question")
        await one.begun()
        await slack.sockets.disconnect("refresh_requested")
        await slack.until(lambda: slack.sockets.opened >= 4)
        during = slack.mention(C1, "U2", "asked meanwhile")
        slack.sockets.abort()
        await one.answered(C1, during.ts)
        one.answerer.release.set()
        await one.answered(C1, asked.ts)
        await one.settled()

        assert [1, 1] == [len(bot_lines(slack, C1, ts)) for ts in (asked.ts, during.ts)]
        assert State.OK == state(one)


async def test_s3_a_connection_that_stays_dead_is_reported(slack: LocalSlack, store: Store) -> None:
    """When Slack opens none any more the health says so, and says otherwise once it does again."""
    async with serving(slack, store) as one:
        await connected(one)
        slack.sockets.disabled = True
        slack.sockets.abort()
        await slack.until(lambda: state(one) is State.DOWN)
        slack.sockets.disabled = False
        await slack.connected(2, timeout_s=15)
        asked = slack.mention(C1, "U1", "What is back?")

        assert await one.answered(C1, asked.ts)


async def test_s6_the_response_to_a_post_is_lost(slack: LocalSlack, store: Store) -> None:
    """The message that Slack has stored is the one that becomes the answer."""
    async with serving(slack, store, streaming=False) as one:
        await connected(one)
        slack.faults.add("chat.postMessage", Fault(drop="after"))
        asked = slack.mention(C1, "U1", "What is LOD?")
        await one.answered(C1, asked.ts)
        await one.settled()

        assert 1 == len(bot_lines(slack, C1, asked.ts))


async def test_s6_the_response_to_the_begin_of_a_stream_is_lost(slack: LocalSlack, store: Store) -> None:
    """A stream whose begin was not answered is found as well."""
    async with serving(slack, store) as one:
        await connected(one)
        slack.faults.add("chat.startStream", Fault(drop="after"))
        asked = slack.mention(C1, "U1", "What is LOD?")
        await one.answered(C1, asked.ts)
        await one.settled()

        assert 1 == len(bot_lines(slack, C1, asked.ts))


@pytest.mark.parametrize(
    "event",
    [
        {"type": "message", "subtype": "huddle_thread", "channel": C1, "user": "U1", "ts": "1700000000.1"},
        {
            "type": "message",
            "subtype": "made_up",
            "channel": C1,
            "user": "U1",
            "ts": "1700000000.1",
            "text": "<@UBOT> a",
        },
        {"type": "message", "channel": C1, "ts": "1700000000.1", "text": "<@UBOT> no user"},
        {"type": "message", "channel": C1, "user": "U1", "text": "<@UBOT> no ts", "ts": None},
        {"type": "message", "subtype": "bot_message", "bot_id": "B9", "channel": C1, "ts": "1.1", "text": "<@UBOT>"},
        {"type": "app_mention", "channel": C1, "user": "U1", "bot_id": "B9", "ts": "1.1", "text": "<@UBOT> workflow"},
        {"type": "message", "subtype": "message_changed", "channel": C1},
        {"type": "message", "subtype": "message_deleted", "channel": C1, "deleted_ts": 7},
        {"type": "reaction_added", "user": "U1", "reaction": "tada"},
        {"type": "app_mention", "channel": "C404", "user": "U1", "ts": "1700000000.1", "text": "<@UBOT> where?"},
    ],
)
async def test_s10_what_is_no_question_is_ignored_and_acknowledged(
    slack: LocalSlack, store: Store, event: dict[str, object]
) -> None:
    """Unknown and malformed events are acknowledged at their first delivery, and nothing is said."""
    async with serving(slack, store) as one:
        await connected(one)
        delivery = slack.event(event, channel=C1)
        assert delivery is not None
        await delivery.settled()

        assert (True, 1) == (delivery.acknowledged, len(delivery.attempts))
        assert [] == slack.messages()


async def test_s10_other_bots_are_not_answered(slack: LocalSlack, store: Store) -> None:
    """Neither a bot that mentions the bot nor one in a thread it takes part in."""
    other = slack.world.add_user("helper", bot_id="B9")
    slack.world.channels[C1].members.add(other.id)
    async with serving(slack, store) as one:
        await connected(one)
        asked = slack.mention(C1, "U1", "What is QTL mapping?")
        await one.answered(C1, asked.ts)
        slack.say_as_bot(C1, other.id, "<@UBOT> and you?", thread_ts=asked.ts)
        alone = slack.say_as_bot(C1, other.id, "<@UBOT> hello")
        await one.settled()

        assert 1 == len(bot_lines(slack, C1, asked.ts))
        assert [] == bot_lines(slack, C1, alone.ts)


async def test_s10_an_account_of_a_bot_is_not_answered_though_its_message_looks_like_a_persons(
    slack: LocalSlack, store: Store
) -> None:
    """What the event leaves out is told by the account."""
    other = slack.world.add_user("helper", bot_id="B9")
    slack.world.channels[C1].members.add(other.id)
    async with serving(slack, store) as one:
        await connected(one)
        asked = slack.mention(C1, other.id, "What is BXD?")

        await quiet(one, C1, asked.ts)


async def test_s10_two_bots_with_accounts_of_people_do_not_talk_for_ever(slack: LocalSlack, store: Store) -> None:
    """After as many questions as no person asks in a thread the bot is silent there, and there only."""
    async with serving(slack, store, streaming=False) as one:
        await connected(one)
        root = slack.mention(C1, "U1", "question 0")
        await one.answered(C1, root.ts)
        for number in range(1, 40):
            slack.say(C1, "U1", f"question {number}", thread_ts=root.ts)
        await one.settled()
        elsewhere = slack.mention(C1, "U1", "What else?")
        await one.answered(C1, elsewhere.ts)

        assert 30 == len(bot_lines(slack, C1, root.ts))


async def test_s11_a_wrong_token_at_the_start_is_said(slack: LocalSlack, store: Store) -> None:
    """The health names the setting, Slack is asked again and again but ever more slowly, and it recovers by itself."""
    slack.revoke("bot", "invalid_auth")
    async with serving(slack, store) as one:
        await slack.until(lambda: "LOCUS" in reason_of(one))
        reason = reason_of(one)
        slack.restore_tokens()
        await slack.connected(2)
        asked = slack.mention(C1, "U1", "What is back?")
        await one.answered(C1, asked.ts)

        assert "LOCUS_SLACK_BOT_TOKEN" in reason
        assert 4 >= len(slack.calls("auth.test"))


async def test_s11_a_wrong_app_token_is_said(slack: LocalSlack, store: Store) -> None:
    """The sentence names the other setting."""
    slack.revoke("app", "invalid_auth")
    async with serving(slack, store) as one:
        await slack.until(lambda: "LOCUS" in reason_of(one))
        reason = reason_of(one)

        assert "LOCUS_SLACK_APP_TOKEN" in reason
        assert 3 >= len(slack.calls("apps.connections.open"))


async def test_s11_a_token_that_is_revoked_while_it_runs_is_said(slack: LocalSlack, store: Store) -> None:
    """Health fails at once, nothing loops, and the question that was being answered is answered afterwards."""
    async with serving(slack, store, streaming=False) as one:
        await connected(one)
        asked = slack.mention(C1, "U1", "slow question")
        await one.begun()
        slack.revoke("bot", "token_revoked")
        await slack.until(lambda: state(one) is State.DOWN)
        calls = len(slack.calls())
        slack.restore_tokens()
        await slack.connected(2)
        one.answerer.release.set()
        await one.answered(C1, asked.ts)

        assert 40 > calls
        assert 1 == len(bot_lines(slack, C1, asked.ts))


async def test_s11_a_scope_that_is_missing_is_said(slack: LocalSlack, store: Store) -> None:
    """A post that Slack refuses for a scope makes the health fail with its name; the question waits."""
    async with serving(slack, store, streaming=False) as one:
        await connected(one)
        slack.faults.always("chat.postMessage", Fault(error="missing_scope"))
        slack.mention(C1, "U1", "What is QTL mapping?")
        await slack.until(lambda: state(one) is State.DOWN)

        assert "scope" in reason_of(one)
        await one.kill()


async def test_s12_a_person_of_another_organisation_is_not_answered_by_default(slack: LocalSlack, store: Store) -> None:
    """In a shared channel the sentence says so; the lab's setting is needed to answer."""
    slack.world.add_team("T2", "Other lab")
    guest = slack.world.add_user("dora", user_id="W7", team="T2")
    slack.world.channels[C1].members.add(guest.id)
    slack.connect_channel(C1, "T2")
    async with serving(slack, store) as one:
        await connected(one)
        asked = slack.mention(C1, guest.id, "What is in our documents?")
        await slack.until(lambda: [line for line in bot_lines(slack, C1, asked.ts) if line.text])
        await one.settled()

        assert [] == one.answerer.asked
        assert [False] == [line.text.startswith("About") for line in bot_lines(slack, C1, asked.ts)]


async def test_s12_a_guest_of_the_workspace_counts_as_external(slack: LocalSlack, store: Store) -> None:
    """Single-channel guests are not answered by default either."""
    guest = slack.world.add_user("eve", guest="ultra_restricted")
    slack.world.channels[C1].members.add(guest.id)
    async with serving(slack, store) as one:
        await connected(one)
        slack.mention(C1, guest.id, "What is in our documents?")
        await one.settled()

        assert [] == one.answerer.asked


async def test_s12_a_user_with_an_id_of_the_organisation_is_answered(slack: LocalSlack, store: Store) -> None:
    """Ids of accounts begin with U or W."""
    person = slack.world.add_user("fay", user_id="W012")
    slack.world.channels[C1].members.add(person.id)
    async with serving(slack, store) as one:
        await connected(one)
        asked = slack.mention(C1, person.id, "What is a locus?")

        assert await one.answered(C1, asked.ts)


async def test_s12_a_follow_up_at_the_end_of_a_long_thread_is_answered(slack: LocalSlack, store: Store) -> None:
    """Twelve hundred replies before the question cost no more calls than none."""
    async with serving(slack, store) as one:
        await connected(one)
        root = slack.say(C1, "U2", "A long discussion")
        for number in range(1200):  # of which nobody is told
            slack.world.put(Message(C1, slack.world.new_ts(), "U2", f"reply {number}", thread_ts=root.ts))
        asked = slack.mention(C1, "U1", "What is the summary?", thread_ts=root.ts)
        await one.answered(C1, root.ts)
        await one.settled()

        assert asked.ts < bot_lines(slack, C1, root.ts)[0].ts
        assert 3 >= len(slack.calls("conversations.replies"))


@pytest.mark.parametrize("skew_s", [-360.0, 360.0])
async def test_s12_requests_of_another_time_are_refused(store: Store, skew_s: float) -> None:
    """A signature is good for five minutes in either direction."""
    async with LocalSlack(timing=Timing(retry_after_s=())) as slack, serving(slack, store, mode="http") as one:
        await slack.until(lambda: one.adapter.http_address)
        http = slack.use_http(one.adapter.http_address)
        http.skew_s = skew_s
        asked = slack.mention(C1, "U1", "What time is it?")
        await slack.deliveries.settled()

        assert {"failed"} == {delivery.status for delivery in slack.deliveries.sent}
        assert [] == bot_lines(slack, C1, asked.ts)


async def test_over_http_a_question_is_answered_and_forgeries_are_refused(store: Store) -> None:
    """Signed requests work; wrong signatures, none and odd time stamps get 401; a replay changes nothing."""
    async with LocalSlack() as slack, serving(slack, store, mode="http") as one:
        await slack.until(lambda: one.adapter.http_address)
        http = slack.use_http(one.adapter.http_address)
        challenge = await http.verify_url("hello")
        asked = slack.mention(C1, "U1", "What is QTL mapping?")
        await one.answered(C1, asked.ts)
        await one.settled()
        event = slack.deliveries.sent[0].payload
        refused = [
            (await http.forge(event, secret="wrong")).status,
            (await http.forge(event, secret=SIGNING_SECRET, signed=False)).status,
            (await http.forge(event, secret=SIGNING_SECRET, timestamp="abc")).status,
            (await http.forge(event, secret=SIGNING_SECRET, timestamp="²")).status,
            (await http.forge(event, secret=SIGNING_SECRET, age_s=301)).status,
            (await http.send({"Content-Type": "application/json"}, "no JSON")).status,
        ]
        replayed = await http.replay()
        await one.settled()

        assert (200, True) == (challenge.status, "hello" in challenge.body)
        assert [401] * 6 == refused
        assert 200 == replayed.status
        assert 1 == len(bot_lines(slack, C1, asked.ts))


@pytest.mark.parametrize("body", ["no JSON", "[1, 2]", '"text"', "payload=%7B", "payload=3"])
async def test_over_http_a_signed_body_that_is_no_object_is_refused(store: Store, body: str) -> None:
    """A 4xx, and no trace in the log."""
    async with LocalSlack() as slack, serving(slack, store, mode="http") as one:
        await slack.until(lambda: one.adapter.http_address)
        http = slack.use_http(one.adapter.http_address)
        stamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/x-www-form-urlencoded" if "=" in body else "application/json",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": signature(SIGNING_SECRET, stamp, body),
        }
        answer = await http.send(headers, body)

        assert 400 == answer.status


async def test_a_follow_up_in_its_thread_needs_no_mention(slack: LocalSlack, store: Store) -> None:
    """It belongs to the same conversation."""
    async with serving(slack, store) as one:
        await connected(one)
        asked = slack.mention(C1, "U1", "What is BXD?")
        await one.answered(C1, asked.ts)
        slack.say(C1, "U2", "How many strains has it?", thread_ts=asked.ts)
        await one.answered(C1, asked.ts, "About: How many")

        assert ["What is BXD?"] == [turn.content for turn in one.answerer.asked[1].history if turn.role == "user"]


async def test_a_thread_is_followed_after_a_restart(slack: LocalSlack, store: Store) -> None:
    """Where it takes part is stored outside of the process."""
    threads = RecentThreads()
    async with serving(slack, store, threads=threads) as one:
        await connected(one)
        asked = slack.mention(C1, "U1", "What is BXD?")
        await one.answered(C1, asked.ts)
        await one.settled()
    async with serving(slack, store, threads=threads) as one:
        await connected(one)
        slack.say(C1, "U2", "How many strains has it?", thread_ts=asked.ts)

        assert await one.answered(C1, asked.ts, "About: How many")


async def test_a_question_is_told_to_the_parts_that_want_to_know(slack: LocalSlack, store: Store) -> None:
    """Once for each new question; a failure there is no failure of the question."""
    told: list[str] = []

    async def accepted(parts: Parts, message: IncomingMessage) -> None:
        told.append(message.text)
        raise RefusedError("Not here.")

    async with serving(slack, store, accepted=[accepted]) as one:
        await connected(one)
        asked = slack.mention(C1, "U1", "What is BXD?")
        await one.answered(C1, asked.ts)
        await one.settled()

        assert ["What is BXD?"] == told


async def test_what_a_person_writes_never_stands_in_the_log(
    slack: LocalSlack, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at the most talkative level either, nor names and tokens, also when Slack fails."""
    caplog.set_level(logging.DEBUG)
    async with serving(slack, store) as one:
        await connected(one)
        slack.faults.add("chat.startStream", Fault(status=500))
        asked = slack.mention(C1, "U1", "secretquestion")
        slack.event({"type": "message", "channel": C1, "user": "U1", "text": "<@UBOT> secretquestion", "ts": "x"})
        slack.event({"type": "reaction_added", "user": "U1", "reaction": "secretquestion"})
        await one.answered(C1, asked.ts)
        await one.settled()
        slack.sockets.abort()
        await slack.until(lambda: slack.sockets.opened > 3)

    assert [] == [word for word in ("secretquestion", "xoxb-", "xapp-", "cleo", "Ada") if word in caplog.text]


@pytest.mark.parametrize(
    ("text", "in_thread"),
    [
        ("the locus on chromosome 4 is odd", False),
        ("<@U2> did you ask <@UBOT>?", False),
        ("<@U2> what do you think?", True),
        ("<!here> lunch", True),
        ("<!subteam^S1|@genetics> look", True),
    ],
)
async def test_it_is_silent_when_people_talk_to_each_other(
    slack: LocalSlack, store: Store, text: str, in_thread: bool
) -> None:
    """Another name first, or its own in passing, is no question."""
    async with serving(slack, store) as one:
        await connected(one)
        asked = slack.mention(C1, "U1", "What is BXD?")
        await one.answered(C1, asked.ts)
        slack.say(C1, "U1", text, thread_ts=asked.ts if in_thread else "")
        await one.settled()

        assert 1 == len(one.answerer.asked)
        assert 1 == len(slack.messages())


async def test_in_a_thread_without_it_nothing_is_answered(slack: LocalSlack, store: Store) -> None:
    """Replies to other people's messages are none of its business."""
    async with serving(slack, store) as one:
        await connected(one)
        root = slack.say(C1, "U1", "Who feeds the mice?")
        slack.say(C1, "U2", "I do", thread_ts=root.ts)

        await quiet(one, C1, root.ts)


async def test_following_threads_can_be_switched_off(slack: LocalSlack, store: Store) -> None:
    """Then each question needs a mention."""
    async with serving(slack, store, follow_threads=False) as one:
        await connected(one)
        asked = slack.mention(C1, "U1", "What is BXD?")
        await one.answered(C1, asked.ts)
        slack.say(C1, "U2", "And more?", thread_ts=asked.ts)
        await one.settled()

        assert 1 == len(one.answerer.asked)


async def test_only_the_channels_of_the_setting_are_answered(slack: LocalSlack, store: Store) -> None:
    """Elsewhere it is silent; in direct messages it answers all the same."""
    async with serving(slack, store, channels=frozenset({"C9"})) as one:
        await connected(one)
        asked = slack.mention(C1, "U1", "What is BXD?")
        direct = slack.direct_message("U1", "What is a QTL?")
        await one.answered(direct.channel, direct.ts)

        await quiet(one, C1, asked.ts)


async def test_direct_messages_are_answered_in_their_thread(slack: LocalSlack, store: Store) -> None:
    """Each message of the agent's view begins a thread, and its follow-ups stand there."""
    async with serving(slack, store) as one:
        await connected(one)
        asked = slack.direct_message("U1", "What is a QTL?")
        await one.answered(asked.channel, asked.ts)
        slack.direct_message("U1", "And an eQTL?", thread_ts=asked.ts)
        await one.answered(asked.channel, asked.ts, "About: And an eQTL?")
        await one.settled()

        assert 2 == len(bot_lines(slack, asked.channel, asked.ts))


async def test_an_edit_that_adds_the_mention_is_a_new_question(slack: LocalSlack, store: Store) -> None:
    """It is told by two events, and answered once."""
    async with serving(slack, store) as one:
        await connected(one)
        said = slack.say(C1, "U1", "What is BXD?")
        slack.edit(said, "<@UBOT> What is BXD?")
        await one.answered(C1, said.ts)
        await one.settled()

        assert 1 == len(bot_lines(slack, C1, said.ts))


async def test_an_edited_question_gets_the_answer_to_its_new_text(slack: LocalSlack, store: Store) -> None:
    """While it is being answered, in the same message."""
    async with serving(slack, store) as one:
        await connected(one)
        asked = slack.mention(C1, "U1", "slow first wording")
        await one.begun()
        slack.edit(asked, "<@UBOT> second wording")
        line = await one.answered(C1, asked.ts, "About: second wording")

        assert 1 == len(bot_lines(slack, C1, asked.ts))
        assert "first" not in line.text


async def test_a_deleted_question_takes_its_answer_with_it(slack: LocalSlack, store: Store) -> None:
    """Nothing is left of an answer that nobody waits for."""
    async with serving(slack, store) as one:
        await connected(one)
        asked = slack.mention(C1, "U1", "slow question")
        await one.begun()
        slack.delete(asked)
        await slack.until(lambda: not bot_lines(slack, C1, asked.ts))
        await one.settled()

        assert [] == slack.messages()


async def test_unfurled_links_are_no_edit(slack: LocalSlack, store: Store) -> None:
    """What Slack adds to a question does not start its answer again."""
    async with serving(slack, store) as one:
        await connected(one)
        asked = slack.mention(C1, "U1", "slow https://example.org/paper ?")
        await one.begun()
        slack.unfurl(asked, [{"title": "A paper"}])
        await slack.deliveries.settled()
        one.answerer.release.set()
        await one.answered(C1, asked.ts)

        assert 1 == len(one.answerer.asked)


async def test_slacks_own_stop_stops_the_answer(slack: LocalSlack, store: Store) -> None:
    """Who presses it reads that it was stopped."""
    async with serving(slack, store) as one:
        await connected(one)
        asked = slack.mention(C1, "U1", "slow question")
        await one.begun()
        streamed = (await slack.until(lambda: [m for m in slack.messages() if m.stream]))[0]
        slack.stop_stream(streamed, "U1")
        await slack.until(lambda: "Stopped" in bot_lines(slack, C1, asked.ts)[0].text)

        assert 1 == len(bot_lines(slack, C1, asked.ts))


async def test_an_answer_is_streamed_to_who_asked_by_any_process(slack: LocalSlack, store: Store) -> None:
    """A process that did not receive the question reads in the thread whose it was."""
    asked = slack.mention(C1, "U2", "What is BXD?")
    async with make_adapter(slack) as other:
        place = Place("slack", "T1", C1, asked.ts)
        await other.post(
            place, Reply(Stage.WAITING, reading_documents(), begins_stream=True), key="k", answers=asked.ts
        )

        assert ["U2"] == [call.arguments["recipient_user_id"] for call in slack.calls("chat.startStream")]


async def test_a_sentence_that_is_not_followed_by_an_answer_begins_no_stream(slack: LocalSlack, store: Store) -> None:
    """Whether a stream begins is said with the reply, not by its words."""
    place = Place("slack", "T1", C1, slack.mention(C1, "U2", "What is BXD?").ts)
    async with make_adapter(slack) as adapter:
        for begins, text in ((False, reading_documents()), (True, reading_documents(4300))):
            reply = Reply(Stage.WAITING, text, begins_stream=begins)
            await adapter.post(place, reply, key=text, answers=place.thread)

    assert (1, 1) == (len(slack.calls("chat.postMessage")), len(slack.calls("chat.startStream")))


async def test_messages_look_plainer_for_an_hour_where_a_workspace_refuses_newer_blocks(
    slack: LocalSlack, store: Store
) -> None:
    """The first message is shown as text, those after it are taken at once; later the chosen look is tried again."""
    place = Place("slack", "T1", C1, slack.mention(C1, "U2", "What is BXD?").ts)
    reply = Reply(Stage.FINAL, "A *family* of mice.", handle="h" * 22)
    slack.faults.add("chat.postMessage", Fault(error="invalid_blocks"))
    async with make_adapter(slack) as adapter:
        for number in range(2):
            await adapter.post(place, reply, key=f"k{number}", answers=place.thread)
        slack.clock.advance(3700.0)
        await adapter.post(place, reply, key="k3", answers=place.thread)

    posted = slack.calls("chat.postMessage")
    kinds = [{block["type"] for block in call.arguments.get("blocks") or ()} for call in posted]
    assert ["invalid_blocks", "ok", "ok", "ok"] == [call.outcome for call in posted]
    assert [{"markdown", "context_actions", "actions"}, set(), {"section", "actions"}, kinds[0]] == kinds


@pytest.mark.parametrize(
    ("documents", "sentence"), [(4300, "is reading 4,300 documents …"), (0, "is reading the documents …")]
)
async def test_the_status_says_how_many_documents_are_read(
    slack: LocalSlack, store: Store, documents: int, sentence: str
) -> None:
    """As soon as a question is accepted, below its thread."""
    async with serving(slack, store, documents=documents) as one:
        asked = slack.mention(C1, "U2", "What is BXD?")
        await one.answered(C1, asked.ts)

    assert sentence in [text for _, _, text in slack.agent.statuses]


async def test_a_slack_that_is_away_for_a_while_is_reported_and_comes_back(slack: LocalSlack, store: Store) -> None:
    """500s to everything leave the question waiting; it is answered once."""
    async with serving(slack, store, streaming=False) as one:
        await connected(one)
        slack.faults.always("*", Fault(status=500))
        asked = slack.mention(C1, "U1", "What is LOD?")
        await slack.until(lambda: len(slack.calls("users.info")) > 1)
        slack.faults.clear()
        await one.answered(C1, asked.ts)
        await one.settled()

        assert 1 == len(bot_lines(slack, C1, asked.ts))


async def test_nothing_is_left_open_after_it_was_stopped(slack: LocalSlack, store: Store) -> None:
    """All tasks of the adapter end with it, and its connections are closed."""
    before = asyncio.all_tasks()
    async with serving(slack, store) as one:
        await connected(one)
    await slack.until(lambda: not slack.sockets.connections)
    left = {task.get_name() for task in asyncio.all_tasks() - before if "slack" in task.get_name()}

    assert set() == left


async def test_a_question_whose_mention_is_taken_out_is_withdrawn(slack: LocalSlack, store: Store) -> None:
    """It is for somebody else now."""
    async with serving(slack, store) as one:
        await connected(one)
        asked = slack.mention(C1, "U1", "slow question")
        await one.begun()
        slack.edit(asked, "<@U2> slow question")
        await slack.until(lambda: not bot_lines(slack, C1, asked.ts))
        await one.settled()

        assert [] == slack.messages()


async def test_nothing_of_what_people_say_to_each_other_is_stored(slack: LocalSlack, store: Store) -> None:
    """Neither messages nor edits nor deletions that are not for the bot reach the store, nor is anybody looked up."""
    async with serving(slack, store) as one:
        await connected(one)
        before = await store.call("KEYS", f"{store.prefix}*request*")
        said = slack.say(C1, "U1", "Lunch?")
        slack.edit(said, "Lunch at one?")
        slack.say(C1, "U2", "<@U1> yes", thread_ts=said.ts)
        slack.delete(said)
        await one.settled()

        assert ([], []) == (before, await store.call("KEYS", f"{store.prefix}*request*"))
        assert [] == slack.calls("users.info") + slack.calls("conversations.info")


async def test_what_nobody_listens_to_is_acknowledged(slack: LocalSlack, store: Store) -> None:
    """A command without a listener fails nobody's patience."""
    async with serving(slack, store) as one:
        await connected(one)
        delivery = slack.slash("/locus", "U1", C1, "help")

        assert (await delivery.settled()).acknowledged


async def test_a_long_reply_with_a_file_is_shown_completely_and_once(slack: LocalSlack) -> None:
    """However often it is tried again, in the thread of a question that a button has asked anew."""
    root = slack.mention(C1, "U1", "Tell me everything")
    place = Place("slack", "T1", C1, root.ts)
    text = "\n\n".join(f"Paragraph {number} " + "word " * 150 for number in range(30))
    file = Attachment("traits.csv", "text/csv", b"a,b\n1,2\n")
    reply = Reply(Stage.FINAL, text, attachments=(file,))
    async with make_adapter(slack) as adapter:
        posted = await adapter.post(place, reply, key="k", answers="again-abc")
        await adapter.edit(place, posted, reply)
    async with make_adapter(slack) as adapter:
        found = await adapter.find(place, "k", answers="again-abc")
        await adapter.edit(place, posted, reply)

        lines = bot_lines(slack, C1, root.ts)
        assert posted == found
        assert ["traits.csv"] == [name for line in lines for name in line.files]
        assert [1] * 30 == [
            "\n".join(line.text for line in lines).count(f"Paragraph {number} ") for number in range(30)
        ]


async def test_a_post_that_is_removed_leaves_nothing(slack: LocalSlack) -> None:
    """Its further messages go with it; what is gone already is no error."""
    root = slack.mention(C1, "U1", "Tell me everything")
    place = Place("slack", "T1", C1, root.ts)
    reply = Reply(Stage.FINAL, "\n\n".join("word " * 150 for _ in range(30)))
    async with make_adapter(slack) as adapter:
        posted = await adapter.post(place, reply, key="k", answers=root.ts)
        several = len(bot_lines(slack, C1, root.ts))
        await adapter.remove(place, posted)
        await adapter.remove(place, posted)

    assert several > 1
    assert [] == bot_lines(slack, C1, root.ts)


async def test_a_missing_token_is_a_setting(slack: LocalSlack) -> None:
    """Each mode names the one that it needs."""
    for mode, name in (("socket", "LOCUS_SLACK_APP_TOKEN"), ("http", "LOCUS_SLACK_SIGNING_SECRET")):
        options = Options(mode=mode, api_url=slack.api_base_url)  # type: ignore[arg-type]
        async with SlackAdapter(SecretStr(BOT_TOKEN), None, None, options) as adapter:
            with pytest.raises(SettingsError, match=name):
                await adapter.run(None)  # type: ignore[arg-type]


async def test_an_address_that_is_taken_is_a_setting(slack: LocalSlack, store: Store) -> None:
    """The sentence names both settings."""
    host, _, port = slack.base_url.removeprefix("http://").partition(":")
    async with serving(slack, store, mode="http", http_host=host, http_port=int(port)) as one:
        await slack.until(lambda: "LOCUS_SLACK_HTTP_PORT" in reason_of(one))

        assert State.DOWN is state(one)
