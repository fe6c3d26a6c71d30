"""Answers that grow before people's eyes, on the local Slack: streamed where it can be, edited everywhere else."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from adapters.slack.errors import OutcomeUnknownError, StreamOpenError
from adapters.slack.limits import RATES
from adapters.slack.sending import Sender
from adapters.slack.sending_values import Recipient, Shown, Spot
from adapters.slack.streams import MOST_OPEN
from bot.errors import NotFoundError, RefusedError, UnavailableError
from tests.slack_sending import ADA, GENERAL, Fast, Text, section, sender, texts, thread_of
from tests.slack_server import Clock, Fault, LocalSlack, Message, RateLimits

ANSWER = "A QTL is a locus that explains part of the variance of a trait, as the glossary says."


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A Slack whose minutes last a second."""
    async with LocalSlack(clock=Clock(speed=60.0)) as local:
        yield local


@pytest.fixture
async def sending(slack: LocalSlack) -> AsyncIterator[Sender]:
    """A sender to it."""
    async with sender(slack) as ready:
        yield ready


@pytest.fixture
async def spot(slack: LocalSlack) -> Spot:
    """The thread of a question in a channel."""
    return thread_of(slack.mention(GENERAL, "U1", "What is a QTL?"))


async def begin(sending: Sender, spot: Spot, key: str = "k1", recipient: Recipient | None = ADA) -> str:
    """Begin an answer that may be streamed."""
    return await sending.post(
        spot, Text("One moment"), key=key, answers=spot.thread_ts, stream=True, recipient=recipient
    )


async def draft(sending: Sender, slack: LocalSlack, spot: Spot, ts: str, text: str) -> Shown:
    """Show a draft when it is its turn."""
    slack.clock.advance(5)
    return await sending.draft(spot, ts, Text(f"edit: {text}"), text)


def only(slack: LocalSlack) -> Message:
    """Return the one message of the bot."""
    (message,) = slack.messages()
    return message


async def test_an_answer_is_streamed_and_then_shown_in_its_final_form(
    sending: Sender, slack: LocalSlack, spot: Spot
) -> None:
    """One message; each piece is sent once, and the final text replaces all of them."""
    ts = await begin(sending, spot)
    shown = [await draft(sending, slack, spot, ts, ANSWER[:end]) for end in (10, 30, 60)]
    growing = texts(slack, spot)
    await sending.show(spot, ts, [section(f"{ANSWER} [1]")])

    assert [Shown.SHOWN] * 3 == shown
    assert [ANSWER[:60]] == growing
    assert [f"{ANSWER} [1]"] == texts(slack, spot)
    assert [ANSWER[:10], ANSWER[10:30], ANSWER[30:60]] == [
        call.arguments["markdown_text"] for call in slack.calls("chat.appendStream")
    ]
    assert 1 == len(slack.calls("chat.stopStream")) == len(slack.calls("chat.update"))


async def test_in_direct_messages_no_recipient_is_needed(sending: Sender, slack: LocalSlack) -> None:
    """There is only one."""
    asked = slack.direct_message("U1", "What is a QTL?")
    spot = thread_of(asked)
    ts = await begin(sending, spot, recipient=None)
    await draft(sending, slack, spot, ts, "A QTL")

    assert ["A QTL"] == texts(slack, spot)
    assert 1 == len(slack.calls("chat.startStream", outcome="ok"))


@pytest.mark.parametrize("recipient", [None, Recipient("T1", "U99")])
async def test_without_a_known_recipient_a_channel_gets_an_ordinary_message(
    sending: Sender, slack: LocalSlack, spot: Spot, recipient: Recipient | None
) -> None:
    """The answer does not suffer from it, and other answers are streamed all the same."""
    ts = await begin(sending, spot, recipient=recipient)
    await draft(sending, slack, spot, ts, "A QTL")
    await begin(sending, spot, key="k2")

    assert "edit: A QTL" == texts(slack, spot)[0]
    assert 1 == len(slack.calls("chat.startStream", outcome="ok"))


async def test_outside_of_threads_nothing_is_streamed(sending: Sender, slack: LocalSlack) -> None:
    """Slack streams into threads only."""
    asked = slack.direct_message("U1", "What is a QTL?")
    await sending.post(Spot(asked.channel), Text("One moment"), key="k", answers=asked.ts, stream=True)

    assert [] == slack.calls("chat.startStream")


@pytest.mark.parametrize(
    "code", ["unknown_method", "missing_scope", "feature_disabled", "not_agent_app", "something_new"]
)
async def test_where_streams_are_refused_messages_are_edited_for_an_hour(
    sending: Sender, slack: LocalSlack, spot: Spot, code: str
) -> None:
    """Slack is asked again after that."""
    slack.policies.streaming = code
    ts = await begin(sending, spot)
    await draft(sending, slack, spot, ts, "A QTL")
    await begin(sending, spot, key="k2")
    before = len(slack.calls("chat.startStream"))
    slack.policies.streaming = ""
    slack.clock.advance(3700)
    await begin(sending, spot, key="k3")

    assert "edit: A QTL" == texts(slack, spot)[0]
    assert (1, 2) == (before, len(slack.calls("chat.startStream")))


async def test_a_kind_of_channel_without_streams_does_not_spoil_the_others(
    sending: Sender, slack: LocalSlack, spot: Spot
) -> None:
    """It is remembered by channel."""
    other = thread_of(slack.direct_message("U1", "What is a QTL?"))
    slack.faults.add("chat.startStream", Fault(error="channel_type_not_supported"))
    await begin(sending, spot)
    await begin(sending, spot, key="k2")
    await begin(sending, other, key="k3")

    assert [GENERAL, other.channel] == [call.arguments["channel"] for call in slack.calls("chat.startStream")]


@pytest.mark.parametrize("method", ["chat.appendStream", "chat.stopStream"])
async def test_s5_a_stream_that_slack_has_ended_goes_on_as_edits(
    sending: Sender, slack: LocalSlack, spot: Spot, method: str
) -> None:
    """Whether an append or the end finds it out, nothing is lost or doubled."""
    slack.policies.stream_life_s = 100.0
    ts = await begin(sending, spot)
    await draft(sending, slack, spot, ts, ANSWER[:20])
    slack.clock.advance(120)
    if method == "chat.appendStream":
        await draft(sending, slack, spot, ts, ANSWER[:40])
        assert [f"edit: {ANSWER[:40]}"] == texts(slack, spot)
        slack.clock.advance(5)
        await draft(sending, slack, spot, ts, ANSWER[:50])
        assert 2 == len(slack.calls("chat.appendStream"))
    await sending.show(spot, ts, [Text(ANSWER)])

    assert [ANSWER] == texts(slack, spot)


async def test_a_stream_is_ended_before_slack_does(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """An answer of ten minutes is streamed for four and a half and edited from then on, in the same message."""
    ts = await begin(sending, spot)
    text = ""
    while slack.clock.now() - float(ts) < 600:
        slack.clock.advance(10)
        text += "word "
        await draft(sending, slack, spot, ts, text)
    appended = slack.calls("chat.appendStream")
    await sending.show(spot, ts, [Text(ANSWER)])

    assert [ANSWER] == texts(slack, spot)
    assert {"ok"} == {call.outcome for call in appended}
    assert 240 < appended[-1].at - float(ts) < 275


async def test_a_draft_that_is_no_continuation_replaces_what_was_streamed(
    sending: Sender, slack: LocalSlack, spot: Spot
) -> None:
    """Such as when the question was edited and the answer begins anew."""
    ts = await begin(sending, spot)
    await draft(sending, slack, spot, ts, "A QTL is")
    await draft(sending, slack, spot, ts, "An eQTL")
    await draft(sending, slack, spot, ts, "An eQTL is")

    assert ["edit: An eQTL is"] == texts(slack, spot)
    assert 1 == len(slack.calls("chat.stopStream"))
    assert ts == only(slack).ts


async def test_a_piece_that_is_limited_goes_with_the_next(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """S4: nothing is lost and nothing comes twice."""
    ts = await begin(sending, spot)
    slack.faults.add("chat.appendStream", Fault(limited_s=3))
    first = await draft(sending, slack, spot, ts, ANSWER[:20])
    second = await draft(sending, slack, spot, ts, ANSWER[:40])

    assert (Shown.LEFT_OUT, Shown.SHOWN) == (first, second)
    assert [ANSWER[:40]] == texts(slack, spot)


@pytest.mark.parametrize(
    "fault", [Fault(drop="after"), Fault(drop="before"), Fault(lose=True), Fault(status=500)], ids=str
)
async def test_a_piece_of_unknown_outcome_ends_the_stream(
    sending: Sender, slack: LocalSlack, spot: Spot, fault: Fault
) -> None:
    """An edit of the whole text is right whether the piece had arrived or not."""
    ts = await begin(sending, spot)
    await draft(sending, slack, spot, ts, ANSWER[:20])
    slack.faults.add("chat.appendStream", fault)
    await draft(sending, slack, spot, ts, ANSWER[:40])

    assert [f"edit: {ANSWER[:40]}"] == texts(slack, spot)


async def test_a_piece_is_at_most_12000_characters(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """The rest follows with the next."""
    text = "word " * 6000
    ts = await begin(sending, spot)
    for _ in range(4):
        await draft(sending, slack, spot, ts, text)

    assert text == only(slack).markdown
    assert [12_000, 12_000, 6_000] == [
        len(call.arguments["markdown_text"]) for call in slack.calls("chat.appendStream")
    ]


async def test_what_is_streamed_is_escaped_piece_by_piece(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """The pieces go through what the renderer gives for that."""
    ts = await begin(sending, spot)
    await draft(sending, slack, spot, ts, "<!chan")
    await draft(sending, slack, spot, ts, "<!channel>")

    assert "&lt;!channel&gt;" == only(slack).markdown
    assert [] == [ping for ping in slack.pings() if ping.author == slack.world.bot.id]


async def test_when_a_person_presses_stop_no_draft_follows(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """The adapter learns of it, and the last word is still shown."""
    ts = await begin(sending, spot)
    await draft(sending, slack, spot, ts, ANSWER[:20])
    slack.stop_stream(only(slack), "U1")
    shown = [await draft(sending, slack, spot, ts, ANSWER[:end]) for end in (30, 40)]
    await sending.show(spot, ts, [Text("Stopped.")])

    assert [Shown.STOPPED] * 2 == shown
    assert ["Stopped."] == texts(slack, spot)
    assert 2 == len(slack.calls("chat.appendStream"))


async def test_a_final_text_without_any_draft_replaces_an_empty_stream(
    sending: Sender, slack: LocalSlack, spot: Spot
) -> None:
    """Such as an answer from the cache; also where Slack does not end a stream without text."""
    slack.faults.add("chat.stopStream", Fault(error="no_text"))
    ts = await begin(sending, spot)
    await sending.show(spot, ts, [Text(ANSWER)])

    assert [ANSWER] == texts(slack, spot)


async def test_another_process_ends_the_stream_of_a_dead_one(slack: LocalSlack, spot: Spot) -> None:
    """By an edit that Slack refuses while the message is streamed."""
    async with sender(slack) as first:
        ts = await begin(first, spot)
        await draft(first, slack, spot, ts, ANSWER[:20])
    async with sender(slack) as second:
        drafts = [await draft(second, slack, spot, ts, ANSWER[:end]) for end in (30, 40)]
        edited = texts(slack, spot)
    async with sender(slack) as third:
        await third.show(spot, ts, [Text(ANSWER)])

    assert [Shown.LEFT_OUT, Shown.SHOWN] == drafts
    assert [f"edit: {ANSWER[:40]}"] == edited
    assert [ANSWER] == texts(slack, spot)


async def test_another_process_shows_the_final_text_over_an_open_stream(slack: LocalSlack, spot: Spot) -> None:
    """Or takes the message away."""
    async with sender(slack) as first:
        ts = await begin(first, spot)
        gone = await begin(first, spot, key="k2")
    async with sender(slack) as second:
        await second.show(spot, ts, [Text(ANSWER)])
        await second.remove(spot, gone)

    assert [ANSWER] == texts(slack, spot)


async def test_a_stream_whose_end_fails_is_ended_by_the_next_attempt(
    sending: Sender, slack: LocalSlack, spot: Spot
) -> None:
    """The core tries a final text again when Slack was away."""
    ts = await begin(sending, spot)
    slack.faults.add("chat.stopStream", Fault(status=500))
    with pytest.raises(OutcomeUnknownError):
        await sending.show(spot, ts, [Text(ANSWER)])
    await sending.show(spot, ts, [Text(ANSWER)])

    assert [ANSWER] == texts(slack, spot)


async def test_a_stream_that_cannot_be_ended_is_an_error_that_passes(
    sending: Sender, slack: LocalSlack, spot: Spot
) -> None:
    """Slack ends it by itself in the end."""
    ts = await begin(sending, spot)
    slack.faults.always("chat.stopStream", Fault(error="message_not_in_streaming_state"))
    slack.faults.always("chat.update", Fault(error="streaming_state_conflict"))
    with pytest.raises(StreamOpenError):
        await sending.show(spot, ts, [Text(ANSWER)])


@pytest.mark.parametrize("keeps_metadata", [True, False])
async def test_a_stream_whose_begin_was_not_answered_is_found(
    sending: Sender, slack: LocalSlack, spot: Spot, keeps_metadata: bool
) -> None:
    """By its metadata, or as the only empty message of the bot that is not known."""
    other = await begin(sending, spot, key="other")
    slack.faults.add("chat.startStream", Fault(drop="after", delay_s=0.05))
    beginning = asyncio.create_task(begin(sending, spot))
    if not keeps_metadata:
        lost = await slack.until(lambda: [one for one in slack.messages() if one.ts != other])
        lost[0].metadata = {}
    ts = await beginning
    await draft(sending, slack, spot, ts, "A QTL")

    assert ["", "A QTL"] == texts(slack, spot)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("is_archived", RefusedError), ("not_in_channel", RefusedError), ("thread_not_found", NotFoundError)],
)
async def test_s8_where_nothing_can_be_said_that_is_said_and_not_remembered(
    sending: Sender, slack: LocalSlack, spot: Spot, code: str, kind: type[Exception]
) -> None:
    """When the bot is invited again its answers are streamed as before."""
    for method in ("chat.startStream", "chat.postMessage"):
        slack.faults.add(method, Fault(error=code))
    with pytest.raises(kind):
        await begin(sending, spot)
    slack.faults.clear()
    await begin(sending, spot)

    assert 1 == len(slack.calls("chat.startStream", outcome="ok"))


async def test_no_more_streams_are_open_than_can_be_ended_in_a_minute(
    sending: Sender, slack: LocalSlack, spot: Spot
) -> None:
    """The others are edited, whether they begin at once or one after the other."""
    spots = [thread_of(slack.mention(GENERAL, "U1", f"question {number}")) for number in range(20)]
    await asyncio.gather(*(begin(sending, one, key=one.thread_ts) for one in spots))
    for number in range(20):
        slack.clock.advance(5)
        await begin(sending, spot, key=f"k{number}")

    assert MOST_OPEN == len(slack.calls("chat.startStream"))
    assert 40 == len(slack.messages())


async def test_a_piece_whose_sending_is_cancelled_is_not_doubled(
    sending: Sender, slack: LocalSlack, spot: Spot
) -> None:
    """Whether it arrived is unknown, so an edit follows."""
    ts = await begin(sending, spot)
    slack.faults.add("chat.appendStream", Fault(hang=True))
    drafting = asyncio.create_task(draft(sending, slack, spot, ts, ANSWER[:20]))
    await slack.until(lambda: slack.calls("chat.appendStream"))
    drafting.cancel()
    await asyncio.gather(drafting, return_exceptions=True)
    await draft(sending, slack, spot, ts, ANSWER[:40])

    assert [f"edit: {ANSWER[:40]}"] == texts(slack, spot)


SPEED = 10.0
WORDS = 240


async def write(sending: Sender, slack: LocalSlack, number: int) -> str:
    """Answer a question for 60 s of the server's clock, a draft each second; returns the final text."""
    spot = thread_of(slack.mention(GENERAL, "U1", f"question {number}"))
    ts = await begin(sending, spot, key=f"k{number}")
    words = [f"w{number}x{index}" for index in range(WORDS)]
    until = slack.clock.now() + 60
    while (left_s := until - slack.clock.now()) > 0:
        await asyncio.sleep(slack.clock.real_s(1.0))
        written = " ".join(words[: int(WORDS * (1 - max(0.0, left_s) / 60))])
        await sending.draft(spot, ts, Text(written or "One moment"), written)
    final = f"{' '.join(words)} [1]"
    await sending.show(spot, ts, [section(final)])
    return final


async def test_fifty_answers_at_once_stay_within_the_limits_and_are_complete() -> None:
    """Fifty answers of a minute each in one channel: no 429, no minute above a tier, every final text exact."""
    async with LocalSlack(clock=Clock(SPEED)) as slack, sender(slack) as sending:
        finals = await asyncio.gather(*(write(sending, slack, number) for number in range(50)))
        shown = [line.text for line in slack.transcript(GENERAL) if line.author == "locus"]

        assert sorted(finals) == sorted(shown)
        assert {} == dict(slack.rates.limited)
        assert [] == [method for method in RATES if most_in_a_minute(slack, method) > RATES[method].calls]


def most_in_a_minute(slack: LocalSlack, method: str) -> int:
    """Return the largest number of calls of a method within any minute."""
    times = [call.at for call in slack.calls(method)]
    return max((sum(1 for at in times if begin <= at < begin + 60) for begin in times), default=0)


async def test_fifty_answers_at_once_survive_a_slack_that_limits_more() -> None:
    """Where other processes use up half of every limit, there are 429s, and yet every final text arrives."""
    limits = RateLimits(allowance=0.5, burst=1)
    async with LocalSlack(clock=Clock(SPEED * 3), limits=limits) as slack:
        async with sender(slack, limits=Fast(slack.clock).limits()) as sending:
            finals = await asyncio.gather(*(patient(sending, slack, number) for number in range(50)))
        shown = [line.text for line in slack.transcript(GENERAL) if line.author == "locus"]

        assert sorted(finals) == sorted(shown)


async def patient(sending: Sender, slack: LocalSlack, number: int) -> str:
    """Answer with a single draft and try as long as the core would: where a turn comes too late, once more."""
    spot, key, final = thread_of(slack.mention(GENERAL, "U1", f"question {number}")), f"k{number}", f"answer {number}"
    ts: str | None = None
    for attempt in itertools.count():
        try:
            if ts is None and attempt:
                ts = await sending.find(spot, key, answers=spot.thread_ts)
            ts = ts or await sending.post(spot, Text("One moment"), key=key, answers=spot.thread_ts)
            await sending.draft(spot, ts, Text("half"), "half")
            await sending.show(spot, ts, [Text(final)])
            break
        except UnavailableError:
            continue
    return final
