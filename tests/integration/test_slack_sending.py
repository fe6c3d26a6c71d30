"""Sending to the local Slack: one visible message per answer, whatever is lost on the way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from pydantic import JsonValue, SecretStr

from adapters.slack.client import SlackClient
from adapters.slack.errors import MissingScopeError, OutcomeUnknownError, RateLimitedError
from adapters.slack.sending import Sender
from adapters.slack.sending_values import File, Shown, Spot
from bot.errors import InvalidRequestError, NotFoundError, RefusedError, SettingsError
from tests.slack_sending import GENERAL, Text, section, sender, texts, thread_of
from tests.slack_server import BOT_TOKEN, MANIFEST, Clock, Fault, LocalSlack, Message


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
async def question(slack: LocalSlack) -> Message:
    """A question in a channel."""
    return slack.mention(GENERAL, "U1", "What is a QTL?")


@pytest.fixture
def spot(question: Message) -> Spot:
    """The thread of its answer."""
    return thread_of(question)


async def post(sending: Sender, spot: Spot, text: str = "One moment", key: str = "k1") -> str:
    """Post the placeholder of an answer."""
    return await sending.post(spot, Text(text), key=key, answers=spot.thread_ts)


async def test_an_answer_is_one_message_that_changes(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """Placeholder, draft and final text stand in the same message."""
    ts = await post(sending, spot)
    await sending.draft(spot, ts, Text("A QTL is"), "A QTL is")
    await sending.show(spot, ts, [section("A QTL is a locus.")])

    assert ["A QTL is a locus."] == texts(slack, spot)
    assert ["One moment", "A QTL is", "A QTL is a locus."] == [
        version.text for version in slack.messages()[-1].versions
    ]


async def test_the_same_is_not_sent_twice(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """A text that is shown already costs no call."""
    ts = await post(sending, spot)
    await sending.draft(spot, ts, Text("One moment"), "")
    await sending.show(spot, ts, [Text("Done."), Text("More.")])
    before = len(slack.calls())
    await sending.show(spot, ts, [Text("Done."), Text("More.")])

    assert before == len(slack.calls())


async def test_s6_a_post_whose_answer_was_lost_is_found(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """The message stands there once, and its id is known."""
    slack.faults.add("chat.postMessage", Fault(drop="after"))
    ts = await post(sending, spot)
    await sending.show(spot, ts, [Text("Done.")])

    assert ["Done."] == texts(slack, spot)
    assert 1 == len(slack.calls("chat.postMessage"))


async def test_a_post_that_failed_inside_slack_is_looked_for(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """A 500 may hide a message that was posted."""
    slack.faults.add("chat.postMessage", Fault(lose=True))
    await post(sending, spot)

    assert ["One moment"] == texts(slack, spot)


async def test_a_post_of_unknown_outcome_that_is_not_there_is_an_error(
    sending: Sender, slack: LocalSlack, spot: Spot
) -> None:
    """The core tries again later, and looks first."""
    slack.faults.add("chat.postMessage", Fault(drop="before"))
    with pytest.raises(OutcomeUnknownError):
        await post(sending, spot)

    assert await sending.find(spot, "k1", answers=spot.thread_ts) is None


async def test_another_process_finds_a_message_by_its_key(slack: LocalSlack, spot: Spot) -> None:
    """Plain calls are enough; no connection and no memory of the first process are needed."""
    async with sender(slack) as first:
        posted = await post(first, spot, key="mine")
        await post(first, spot, key="other")
    async with sender(slack) as second:
        found = await second.find(spot, "mine", answers=spot.thread_ts)
        await second.show(spot, posted, [Text("Done.")])

    assert posted == found
    assert ["Done.", "One moment"] == texts(slack, spot)


async def test_the_key_of_somebody_else_finds_nothing(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """Metadata that another bot has put onto its message is not ours."""
    bot = slack.world.add_user("other", bot_id="B9").id
    slack.invite(GENERAL, bot)
    other = slack.say_as_bot(GENERAL, bot, "Hello", thread_ts=spot.thread_ts)
    other.metadata = {"event_type": "locus_answer", "event_payload": {"key": "k1"}}

    assert await sending.find(spot, "k1", answers=spot.thread_ts) is None


async def test_s12_a_message_is_found_in_a_thread_of_1200_replies(
    sending: Sender, slack: LocalSlack, question: Message, spot: Spot
) -> None:
    """What stands before the question is not read, what stands behind it page by page."""
    for number in range(600):
        slack.say(GENERAL, "U2", f"before {number}", thread_ts=question.ts)
    asked = slack.mention(GENERAL, "U1", "And an eQTL?", thread_ts=question.ts)
    ts = await sending.post(spot, Text("One moment"), key="late", answers=asked.ts)
    for number in range(600):
        slack.say(GENERAL, "U2", f"after {number}", thread_ts=question.ts)

    assert ts == await sending.find(spot, "late", answers=asked.ts)
    assert 4 >= len(slack.calls("conversations.replies"))
    assert await sending.find(spot, "never", answers=asked.ts) is None
    assert 8 >= len(slack.calls("conversations.replies"))


async def test_in_a_direct_conversation_without_a_thread_it_is_found_too(sending: Sender, slack: LocalSlack) -> None:
    """There the channel itself is read."""
    asked = slack.direct_message("U1", "What is a QTL?")
    spot = Spot(asked.channel)
    ts = await sending.post(spot, Text("One moment"), key="k1", answers=asked.ts)

    assert ts == await sending.find(spot, "k1", answers=asked.ts)


async def test_nothing_is_found_in_a_thread_that_is_gone(sending: Sender, slack: LocalSlack) -> None:
    """That is no error: there is nothing to find."""
    assert await sending.find(Spot(GENERAL, "1.000001"), "k1", answers="1.000001") is None


async def test_a_long_answer_goes_on_behind_its_first_message(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """In the thread and in order."""
    ts = await post(sending, spot)
    await sending.show(spot, ts, [Text("one"), Text("two"), Text("three")])

    assert ["one", "two", "three"] == texts(slack, spot)


async def test_a_long_answer_that_broke_off_is_completed_by_another_process(slack: LocalSlack, spot: Spot) -> None:
    """Each part is there once, also the one whose answer was lost."""
    parts = [Text("one"), Text("two"), Text("three"), Text("four")]
    async with sender(slack) as first:
        ts = await post(first, spot)
        slack.faults.add("chat.postMessage", Fault(drop="after"), Fault(drop="before"))
        with pytest.raises(OutcomeUnknownError):
            await first.show(spot, ts, parts)
    async with sender(slack) as second:
        await second.show(spot, ts, parts)

    assert ["one", "two", "three", "four"] == texts(slack, spot)


async def test_a_shorter_final_text_leaves_no_parts_behind(slack: LocalSlack, spot: Spot) -> None:
    """Neither in the process that showed the longer one nor in another."""
    async with sender(slack) as first:
        ts = await post(first, spot)
        await first.show(spot, ts, [Text("one"), Text("two"), Text("three"), Text("four")])
        await first.show(spot, ts, [Text("one"), Text("two"), Text("three")])
        assert ["one", "two", "three"] == texts(slack, spot)
    async with sender(slack) as second:
        await second.show(spot, ts, [Text("short")])

    assert ["short"] == texts(slack, spot)


async def test_a_part_that_somebody_deleted_is_shown_again(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """The final text is complete."""
    ts = await post(sending, spot)
    await sending.show(spot, ts, [Text("one"), Text("two")])
    slack.delete(slack.messages()[-1])
    await sending.show(spot, ts, [Text("one"), Text("zwei")])

    assert ["one", "zwei"] == texts(slack, spot)


async def test_removing_takes_all_parts(slack: LocalSlack, spot: Spot) -> None:
    """And a second time is no error."""
    async with sender(slack) as first:
        ts = await post(first, spot)
        await first.show(spot, ts, [Text("one"), Text("two")])
    async with sender(slack) as second:
        await second.remove(spot, ts)
        await second.remove(spot, ts)

    assert [] == texts(slack, spot)


async def test_an_edit_of_a_message_that_is_gone_says_so(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """The core ends the request then."""
    ts = await post(sending, spot)
    slack.delete(slack.messages()[-1])
    with pytest.raises(NotFoundError):
        await sending.show(spot, ts, [Text("Done.")])


async def test_blocks_that_slack_does_not_take_become_text(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """Never silence: posts, edits, drafts and further parts all arrive."""
    broken: JsonValue = {"type": "section", "text": {"type": "no such thing", "text": "x"}}
    ts = await sending.post(spot, Text("One moment", broken), key="k1", answers=spot.thread_ts)
    first = await sending.draft(spot, ts, Text("A QTL", broken), "A QTL")
    slack.clock.advance(5)
    second = await sending.draft(spot, ts, Text("A QTL is", broken), "A QTL is")
    drafted = texts(slack, spot)
    await sending.show(spot, ts, [Text("A QTL is a locus.", broken), Text("And more.", broken)])

    assert (Shown.LEFT_OUT, Shown.SHOWN) == (first, second)
    assert ["A QTL is"] == drafted
    assert ["A QTL is a locus.", "And more."] == texts(slack, spot)


async def test_who_the_bot_is_is_asked_once(slack: LocalSlack) -> None:
    """Also where many want to know at the same time."""
    async with SlackClient(SecretStr(BOT_TOKEN), api_base_url=slack.api_base_url) as client:
        known = await asyncio.gather(*(client.identity() for _ in range(5)))

    assert (1, 1) == (len(set(known)), len(slack.calls("auth.test")))


async def test_a_refused_message_that_is_long_arrives_in_full(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """Text of an edit is limited to 4,000 characters, Markdown to 12,000."""
    long = "A QTL is a locus. " * 500
    ts = await post(sending, spot)
    await sending.show(spot, ts, [Text(long, {"type": "nothing"})])

    assert long.strip() == texts(slack, spot)[0].strip()


async def test_what_is_taken_in_no_way_is_an_error(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """A fault of ours is said, and not tried for ever."""
    ts = await post(sending, spot)
    slack.faults.always("chat.update", Fault(error="invalid_blocks"))
    with pytest.raises(InvalidRequestError):
        await sending.show(spot, ts, [Text("Done.")])

    assert 2 == len(slack.calls("chat.update"))


async def test_s4_a_final_text_waits_out_a_429(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """It is shown as soon as Slack says."""
    ts = await post(sending, spot)
    slack.faults.add("chat.update", Fault(limited_s=30), Fault(limited_s=7))
    begun = slack.clock.now()
    await sending.show(spot, ts, [Text("Done.")])

    assert ["Done."] == texts(slack, spot)
    assert slack.clock.now() - begun >= 37


async def test_a_429_that_asks_for_too_long_is_left_to_the_core(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """It knows how long."""
    ts = await post(sending, spot)
    slack.faults.add("chat.update", Fault(limited_s=500))
    with pytest.raises(RateLimitedError) as raised:
        await sending.show(spot, ts, [Text("Done.")])

    assert 500.0 == raised.value.retry_after_s


async def test_drafts_are_left_out_after_a_429(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """No draft waits, none fails."""
    ts = await post(sending, spot)
    slack.faults.add("chat.update", Fault(limited_s=30))
    first = await sending.draft(spot, ts, Text("A"), "A")
    slack.clock.advance(10)
    second = await sending.draft(spot, ts, Text("A Q"), "A Q")

    assert [Shown.LEFT_OUT, Shown.LEFT_OUT] == [first, second]
    assert 1 == len(slack.calls("chat.update"))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=302),
        Fault(body="[1, 2]"),
        Fault(body="null"),
        Fault(body="<html>"),
        Fault(body='"text"'),
        Fault(body='{"ok": false}'),
        Fault(body='{"ok": false, "error": 7}'),
        Fault(drop="before"),
        Fault(hang=True),
    ],
    ids=lambda fault: str(fault),
)
async def test_whatever_answers_in_place_of_slack_is_an_error_of_ours(slack: LocalSlack, fault: Fault) -> None:
    """Broken answers, proxies' pages, cut connections and silence leave the outcome unknown."""
    slack.faults.add("auth.test", fault)
    client = SlackClient(SecretStr(BOT_TOKEN), api_base_url=slack.api_base_url, timeout_s=0.3)
    async with client:
        with pytest.raises(OutcomeUnknownError):
            await client.call("auth.test")


async def test_nothing_is_sent_again_by_the_library(slack: LocalSlack, spot: Spot) -> None:
    """Its own second try after a lost answer would post twice."""
    slack.faults.add("chat.postMessage", Fault(drop="after"))
    client = SlackClient(SecretStr(BOT_TOKEN), api_base_url=slack.api_base_url)
    async with client:
        with pytest.raises(OutcomeUnknownError):
            await client.call("chat.postMessage", channel=GENERAL, text="Hello")

    assert 1 == len(slack.calls("chat.postMessage"))


async def test_a_slack_that_is_not_there_is_an_error_of_ours() -> None:
    """Whatever the operating system says."""
    async with SlackClient(SecretStr(BOT_TOKEN), api_base_url="http://127.0.0.1:9/api/") as client:
        with pytest.raises(OutcomeUnknownError):
            await client.call("auth.test")


async def test_a_proxy_of_the_environment_is_ignored_unless_asked_for(
    slack: LocalSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library would take it even for addresses that NO_PROXY excludes."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with SlackClient(SecretStr(BOT_TOKEN), api_base_url=slack.api_base_url) as client:
        assert "UBOT" == (await client.identity()).user_id
    asked = SlackClient(SecretStr(BOT_TOKEN), api_base_url=slack.api_base_url, trust_environment=True)
    async with asked:
        with pytest.raises(OutcomeUnknownError):
            await asked.identity()


async def test_nothing_of_a_message_comes_into_the_log(
    sending: Sender, slack: LocalSlack, spot: Spot, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither texts nor the token, at any level and whatever fails."""
    caplog.set_level(logging.DEBUG)
    slack.faults.add("chat.update", Fault(status=500), Fault(error="invalid_blocks"), Fault(limited_s=1))
    ts = await post(sending, spot, "secret question")
    with pytest.raises(OutcomeUnknownError):
        await sending.show(spot, ts, [section("secret answer")])
    await sending.show(spot, ts, [section("secret answer")])

    assert "secret" not in caplog.text
    assert BOT_TOKEN not in caplog.text


@pytest.mark.parametrize(
    ("code", "kind"),
    [("is_archived", RefusedError), ("token_revoked", SettingsError), ("thread_not_found", NotFoundError)],
)
async def test_s8_s11_what_is_final_is_said_at_once(
    sending: Sender, slack: LocalSlack, spot: Spot, code: str, kind: type[Exception]
) -> None:
    """One call, no retry loop."""
    slack.faults.add("chat.postMessage", Fault(error=code))
    with pytest.raises(kind):
        await post(sending, spot)

    assert 1 == len(slack.calls("chat.postMessage"))


async def test_a_missing_scope_is_named() -> None:
    """By the answer of Slack, from what the app was granted."""
    scopes = [scope for scope in MANIFEST["oauth_config"]["scopes"]["bot"] if scope != "chat:write"]
    manifest = {**MANIFEST, "oauth_config": {"scopes": {"bot": scopes}}}
    async with LocalSlack(manifest) as slack, sender(slack) as sending:
        with pytest.raises(MissingScopeError, match="lacks the scope chat:write"):
            await sending.post(Spot(GENERAL), Text("Hello"), key="k", answers="1.0")


async def test_ephemeral_messages_are_for_one_person(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """Others do not see them, and somebody who is not there is an error."""
    await sending.whisper(spot, "U1", section("Only you"))
    with pytest.raises(RefusedError):
        await sending.whisper(spot, "U99", Text("Nobody"))

    assert ["ada"] == [line.only_for for line in slack.transcript(GENERAL, spot.thread_ts, viewer="U1")][1:]


async def test_a_file_is_shown_once(sending: Sender, slack: LocalSlack, question: Message, spot: Spot) -> None:
    """Also when the answer of the last step was lost."""
    file = File("traits.csv", b"a,b\n1,2\n", "Traits")
    slack.faults.add("files.completeUploadExternal", Fault(drop="after"))
    with pytest.raises(OutcomeUnknownError):
        await sending.upload(spot, file, since=question.ts)
    await sending.upload(spot, file, since=question.ts)
    await sending.upload(spot, File("other.csv", b"x"), since=question.ts)

    assert [("traits.csv",), ("other.csv",)] == [line.files for line in slack.transcript(GENERAL, spot.thread_ts)][1:]


async def test_a_file_whose_content_does_not_arrive_is_not_shown(
    sending: Sender, slack: LocalSlack, question: Message, spot: Spot
) -> None:
    """An empty file would be worse than none."""
    slack.faults.add("upload", Fault(status=503))
    with pytest.raises(OutcomeUnknownError):
        await sending.upload(spot, File("a.csv", b"1"), since=question.ts)

    assert [] == slack.calls("files.completeUploadExternal")


async def test_a_status_is_shown_where_it_can_be(sending: Sender, slack: LocalSlack, spot: Spot) -> None:
    """Where it is refused it costs one call an hour and no error."""
    shown = await sending.status(spot, "is reading", ["is reading", "is thinking"])
    slack.faults.always("assistant.threads.setStatus", Fault(error="missing_scope"))
    refused = [await sending.status(spot, "is reading") for _ in range(5)]

    assert (True, [False] * 5) == (shown, refused)
    assert 2 == len(slack.calls("assistant.threads.setStatus"))


async def test_many_posts_at_once_in_one_channel_come_without_a_429(sending: Sender, slack: LocalSlack) -> None:
    """They wait here instead of there."""
    questions = [slack.mention(GENERAL, "U1", f"question {number}") for number in range(20)]
    await asyncio.gather(*(post(sending, thread_of(one), key=one.ts) for one in questions))

    assert 20 == len(slack.calls("chat.postMessage", outcome="ok"))
    assert 0 == sum(slack.rates.limited.values())
