"""What goes wrong while Slack shows an answer, and texts that mean harm: the real service over the local Slack."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from adapters.slack.client import SlackClient
from adapters.slack.rendering import MAX_MESSAGES
from bot.evidence import Citation
from bot.messages import Place
from bot.replies import Reply
from bot.store.client import Store, number
from tests.fakes import HeldAnswerer
from tests.hostile_texts import BUILDING_BLOCKS
from tests.integration.test_service import MortalStore
from tests.redis_servers import RedisServer
from tests.slack_adapter import DEADLINE_S, SlackService, bot_lines, serving
from tests.slack_server import SIGNING_SECRET, Clock, Fault, Line, LocalSlack, Message, Timing, typed
from tests.writing_answerer import WritingAnswerer

C1 = "C1"
SPEED = 60.0  # a minute lasts a second
WORDS = [f"word{place} " for place in range(40)]
BOTH = pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "edited"])


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A Slack whose minutes last a second, and which tries again soon."""
    timing = Timing(acknowledge_within_s=0.6, retry_after_s=(0.0, 0.2, 0.4))
    async with LocalSlack(clock=Clock(speed=SPEED), timing=timing) as local:
        local.world.add_channel("other", members=["U1", "U2", "UBOT"], channel_id="C2")
        yield local


async def ready(one: SlackService) -> None:
    """Wait for both connections; from then on drafts are shown as often as the limits allow."""
    await one.slack.connected(2)
    one.adapter.draft_interval_s = 0.01


async def shown(one: SlackService, asked: Message, text: str) -> Line:
    """Wait until what the bot says in a thread holds a text."""

    def found() -> Line | None:
        return next((line for line in bot_lines(one.slack, asked.channel, asked.ts) if text in line.text), None)

    line = await one.slack.until(found, timeout_s=DEADLINE_S)
    assert line is not None
    return line


async def dead_letters(one: SlackService) -> int:
    """Return how many questions were given up."""
    return number(await one.service.inbox.store.call("XLEN", one.service.inbox.keys.dead))


def words(line: Line) -> list[str]:
    """Return the words of an answer, without what stands around them."""
    return [word for word in line.text.split() if word.startswith("word")]


@pytest.mark.parametrize("retry_after_s", [1, 30])
@pytest.mark.parametrize(("streaming", "method"), [(True, "chat.appendStream"), (False, "chat.update")])
async def test_s4_a_429_while_an_answer_grows(
    slack: LocalSlack, store: Store, retry_after_s: int, streaming: bool, method: str
) -> None:
    """What grows meanwhile goes with the next draft, nothing is sent before its time, and the last word is there."""
    answerer = WritingAnswerer()
    async with serving(slack, store, answerer=answerer, streaming=streaming) as one:
        await ready(one)
        asked = slack.mention(C1, "U1", "What happens?")
        answerer.write(WORDS[0])
        await shown(one, asked, "word0")
        slack.faults.add(method, Fault(limited_s=retry_after_s))
        rest = iter(WORDS[1:])
        async with asyncio.timeout(DEADLINE_S):
            while not slack.calls(method, outcome="429"):  # not each word is a draft of its own
                answerer.write(next(rest, ""))
                await asyncio.sleep(0.02)
        for word in rest:
            answerer.write(word)
            await asyncio.sleep(0)
        answerer.finish()
        line = await one.answered(C1, asked.ts, "word0")
        await one.settled()
        limited = slack.calls(method, outcome="429")[0]
        after = [call for call in slack.calls(method) if call.at > limited.at]

        assert [word.strip() for word in WORDS] == words(line)
        assert 1 == len(bot_lines(slack, C1, asked.ts))
        assert len(slack.calls(method)) < len(WORDS) / 2
        assert all(call.at >= limited.at + 0.9 * retry_after_s for call in after)


@pytest.mark.parametrize("when", ["append", "stop"])
async def test_s5_slack_ends_the_stream_of_an_answer(slack: LocalSlack, store: Store, when: str) -> None:
    """From then on the same message is edited; it is complete and nothing stands there twice."""
    answerer = WritingAnswerer()
    async with serving(slack, store, answerer=answerer) as one:
        await ready(one)
        asked = slack.mention(C1, "U1", "What happens?")
        answerer.write(WORDS[0])
        await shown(one, asked, "word0")
        slack.policies.stream_life_s = 0.0
        if when == "append":
            answerer.write(WORDS[1])
            await shown(one, asked, "word1")
            refused = slack.calls("chat.appendStream", outcome="message_not_in_streaming_state")
        else:
            answerer.write(WORDS[1])
        answerer.write(*WORDS[2:])
        answerer.finish()
        line = await one.answered(C1, asked.ts, "word0")
        await one.settled()
        if when == "stop":
            refused = slack.calls(outcome="message_not_in_streaming_state")

        assert refused
        assert [word.strip() for word in WORDS] == words(line)
        assert 1 == len(bot_lines(slack, C1, asked.ts))


def long_prose() -> str:
    """40,000 characters of paragraphs."""
    return "\n\n".join(f"Paragraph {place}. " + "Some words of it. " * 30 for place in range(72))[:40_000]


LONG = {
    "40,000 characters": long_prose(),
    "a paragraph of 12,001": ("A sentence of a long paragraph. " * 400)[:12_001],
    "a fence of 5,000": "Before.\n\n```\n"
    + "".join(f"line {place} = {place}\n" for place in range(350))
    + "```\n\nAfter.",
    "a table": "| Strain | Trait |\n|---|---|\n" + "".join(f"| BXD{place} | {place} mm |\n" for place in range(250)),
}


@pytest.mark.parametrize("native", [True, False], ids=["markdown", "mrkdwn"])
@pytest.mark.parametrize("kind", LONG)
async def test_s7_a_long_answer_is_shown_in_legal_pieces(
    slack: LocalSlack, store: Store, kind: str, native: bool
) -> None:
    """Slack refuses none of them, fences are closed in each message, and what is too much comes as a file."""
    text = LONG[kind]
    answerer = WritingAnswerer(text=text)
    async with serving(slack, store, answerer=answerer, native_markdown=native) as one:
        await ready(one)
        asked = slack.mention(C1, "U1", "Tell me everything")
        await slack.until(
            lambda: any("Passages" in label or "again" in label for line in bot_lines(slack, C1, asked.ts)
                        for label in line.button_labels),
            timeout_s=DEADLINE_S,
        )  # fmt: skip
        await one.settled()
        lines = [line for line in bot_lines(slack, C1, asked.ts) if line.text]
        seen = "\n".join(line.text for line in lines)
        files = [slack.world.files[name].data for message in slack.messages() for name in message.files]
        fences = [str(block.get("text")).count("```") % 2 for message in slack.messages() for block in message.blocks]

        assert {"ok"} == {call.outcome for call in slack.calls("chat.postMessage") + slack.calls("chat.update")}
        assert MAX_MESSAGES >= len(lines)
        assert 0 == sum(fences)
        match kind:
            case "40,000 characters":
                assert [True] == [b"Paragraph 70." in (data or b"") for data in files]
            case "a paragraph of 12,001":
                assert ([], 375) == (files, seen.count("A sentence of a long paragraph."))
            case "a fence of 5,000":
                assert ([], 350) == (files, sum(f"line {place} = {place}" in seen for place in range(350)))
            case _:
                assert ([], 250) == (files, sum(f"BXD{place}" in seen for place in range(250)))


@BOTH
async def test_s8_a_question_is_edited_while_it_is_answered(slack: LocalSlack, store: Store, streaming: bool) -> None:
    """The same message shows the answer to the new text, and nothing of the old one."""
    answerer = WritingAnswerer()
    async with serving(slack, store, answerer=answerer, streaming=streaming) as one:
        await ready(one)
        asked = slack.mention(C1, "U1", "First wording")
        answerer.write("wrong ")
        await shown(one, asked, "wrong")
        slack.edit(asked, "<@UBOT> Second wording")
        await slack.until(lambda: len(answerer.asked) > 1)
        answerer.write("right")
        answerer.finish()
        line = await one.answered(C1, asked.ts, "right")
        await one.settled()

        assert ["First wording", "Second wording"] == [one.question for one in answerer.asked]
        assert "wrong" not in line.text
        assert 1 == len(bot_lines(slack, C1, asked.ts))


@BOTH
async def test_s8_a_question_is_deleted_while_it_is_answered(slack: LocalSlack, store: Store, streaming: bool) -> None:
    """Nothing of its answer is left, and nothing is tried again."""
    answerer = WritingAnswerer()
    async with serving(slack, store, answerer=answerer, streaming=streaming) as one:
        await ready(one)
        asked = slack.mention(C1, "U1", "What happens?")
        answerer.write("half an answer")
        await shown(one, asked, "half an")
        slack.delete(asked)
        await one.settled()
        calls = len(slack.calls("chat.delete"))

        assert [] == slack.messages()
        assert 2 >= calls
        assert 0 == await dead_letters(one)


@BOTH
async def test_s8_the_root_of_the_thread_is_deleted_while_a_follow_up_is_answered(
    slack: LocalSlack, store: Store, streaming: bool
) -> None:
    """The follow-up is still a question; it ends, and the next thread is answered."""
    answerer = WritingAnswerer()
    async with serving(slack, store, answerer=answerer, streaming=streaming) as one:
        await ready(one)
        root = slack.say(C1, "U2", "I have a mouse.")
        asked = slack.mention(C1, "U1", "Which one?", thread_ts=root.ts)
        answerer.write("word ")
        await shown(one, root, "word")
        slack.delete(root)
        answerer.write("end")
        answerer.finish()
        await one.settled()
        told = [line.text for line in bot_lines(slack, C1, asked.thread_ts)]
        nexts = slack.mention(C1, "U1", "And now?")
        answerer.finish()
        await one.answered(C1, nexts.ts, "And now?")

        assert 1 >= len(told)
        assert 40 > len(slack.calls())


@BOTH
@pytest.mark.parametrize("what", ["archived", "kicked", "not_in_channel"])
async def test_s8_a_place_where_it_may_not_post_any_more_ends_there(
    slack: LocalSlack, store: Store, what: str, streaming: bool
) -> None:
    """The question goes to the dead letters after few calls; other channels are answered, and the bot stays healthy."""
    answerer = WritingAnswerer()
    async with serving(slack, store, answerer=answerer, streaming=streaming) as one:
        await ready(one)
        if what == "not_in_channel":  # told by Slack before it was told by an event
            for method in ("chat.startStream", "chat.postMessage"):
                slack.faults.add(method, Fault(error="not_in_channel"))
            slack.mention(C1, "U1", "What happens?")
        else:
            asked = slack.mention(C1, "U1", "What happens?")
            answerer.write("half ")
            await shown(one, asked, "half")
            before = len(slack.calls())
            (slack.archive if what == "archived" else slack.kick)(C1)
            answerer.write("an answer")
            answerer.finish()
            await one.settled()
            assert 12 > len(slack.calls()) - before
        await one.settled()
        slack.faults.clear()
        other = slack.mention("C2", "U1", "And here?")
        answerer.finish()
        await one.answered("C2", other.ts, "And here?")

        # Slack lets a bot that was removed change what it has posted.
        completed = sum("half an answer" in line.text for line in slack.transcript(C1))
        assert 1 == await dead_letters(one) + completed
        assert one.service.health.ready()


async def test_s8_a_message_of_the_bot_is_removed_by_somebody_while_it_is_written(
    slack: LocalSlack, store: Store
) -> None:
    """It is not posted again: somebody did not want it there."""
    answerer = WritingAnswerer()
    async with serving(slack, store, answerer=answerer, streaming=False) as one:
        await ready(one)
        asked = slack.mention(C1, "U1", "What happens?")
        answerer.write("half ")
        await shown(one, asked, "half")
        slack.delete(slack.messages()[0])
        answerer.write("an answer")
        answerer.finish()
        await one.settled()

        assert [] == slack.messages()
        assert 1 == len(slack.calls("chat.postMessage"))


HOSTILE = (
    " ".join(BUILDING_BLOCKS).encode("utf-8", "ignore").decode(),  # half a character is no text that arrives here
    "<!channel> <!here> <!everyone> <@U2> <@U2|ben> <!subteam^S1> @channel @here @everyone @ben",
    "&lt;!channel&gt; &amp;lt;!here&amp;gt; &#60;!channel&#62; &amp;lt;@U2&amp;gt;",
    "`` ` ``` *bold _and ~open `code\n```\nfence <!channel>\n\u202egnol\u202c \u2066<@U2>\u2069 end\u200f",
    "![x](https://evil.example/a.png) [1](https://evil.example) <https://evil.example|here> https://evil.example/x",
)


def halves(text: str) -> list[str]:
    """Cut a text where it hurts: within its marks."""
    return [text[start : start + 3] for start in range(0, len(text), 3)]


@BOTH
@pytest.mark.parametrize("place", range(len(HOSTILE)))
async def test_s9_hostile_texts_of_person_document_and_model_do_nothing(
    slack: LocalSlack, store: Store, place: int, streaming: bool
) -> None:
    """Nobody is notified, no picture and no link but that of the source is shown, at no moment; all else is text."""
    text = HOSTILE[place]
    citation = Citation(1, text, f"{text}.md", "https://example.org/a", text)
    answerer = WritingAnswerer([citation])
    slack.world.add_user_group("S1", "genetics", ["U1", "U2"])
    async with serving(slack, store, answerer=answerer, streaming=streaming) as one:
        await ready(one)
        asked = slack.mention(C1, "U1", typed(text))
        answerer.write("Beginning. ")
        await shown(one, asked, "Beginning.")
        for piece in halves(text):
            answerer.write(piece)
            await asyncio.sleep(0.002)
        answerer.write("\n\nEnd. [1]")
        answerer.finish()
        line = await one.answered(C1, asked.ts, "Beginning.")
        await one.settled()

        assert [] == slack.pings(by="UBOT")
        assert ([], []) == (slack.images(by="UBOT"), [link for link in slack.unfurled() if link[1] == line.ts])
        assert {"https://example.org/a"} == {link.url for link in line.links}
        assert line.text.count("End.") == 1
        assert {"ok"} >= {call.outcome for call in slack.calls("chat.update")}


@pytest.mark.parametrize(
    "refusal", ["missing_scope", "unknown_method", "feature_disabled", "channel_type_not_supported"]
)
async def test_where_streams_are_refused_answers_are_edited(slack: LocalSlack, store: Store, refusal: str) -> None:
    """Each answer is one message that grows by edits, and streams are not asked for again."""
    slack.policies.streaming = refusal
    answerer = WritingAnswerer()
    async with serving(slack, store, answerer=answerer) as one:
        await ready(one)
        asked = slack.mention(C1, "U1", "What is BXD?")
        answerer.write("word ")
        await shown(one, asked, "word")
        answerer.write("end")
        answerer.finish()
        await one.answered(C1, asked.ts, "word end")
        following = slack.mention(C1, "U1", "What is a QTL?")
        answerer.finish()
        await one.answered(C1, following.ts, "What is a QTL?")
        await one.settled()

        assert [1, 1] == [len(bot_lines(slack, C1, ts)) for ts in (asked.ts, following.ts)]
        assert 1 == len(slack.calls("chat.startStream"))
        assert one.service.health.ready()


@BOTH
@pytest.mark.parametrize("error", ["invalid_blocks", "msg_blocks_too_long", "invalid_arguments"])
async def test_blocks_that_slack_refuses_become_plain_text(
    slack: LocalSlack, store: Store, error: str, streaming: bool
) -> None:
    """The answer is there, complete, without its buttons; never silence."""
    answerer = WritingAnswerer()
    async with serving(slack, store, answerer=answerer, streaming=streaming) as one:
        await ready(one)
        asked = slack.mention(C1, "U1", "What happens?")
        answerer.write(WORDS[0])
        await shown(one, asked, "word0")
        await slack.until(lambda: not bot_lines(slack, C1, asked.ts)[0].text.startswith("Reading"))
        one.adapter.draft_interval_s = 60.0
        answerer.write(*WORDS[1:])
        slack.faults.add("chat.update", Fault(error=error), Fault(error=error))
        answerer.finish()
        await one.settled()
        (line,) = bot_lines(slack, C1, asked.ts)

        assert [word.strip() for word in WORDS] == words(line)
        assert 0 == await dead_letters(one)


NO_QUESTIONS: tuple[dict[str, object], ...] = (
    {"subtype": "huddle_thread", "text": "A huddle happened", "room": {"id": "R1", "participants": ["U1", "U2"]}},
    {"subtype": "sh_room_created", "text": "", "room": {"id": "R1"}},
    {"subtype": "document_mention", "text": "<@UBOT> was mentioned in a canvas", "document_id": "F1"},
    {"subtype": "document_comment_root", "text": "<@UBOT> look"},
    {"subtype": "bot_message", "bot_id": "B77", "username": "Workflow", "text": "<@UBOT> weekly report?", "user": None},
    {"bot_id": "B77", "bot_profile": {"is_workflow_bot": True}, "text": "<@UBOT> weekly report?"},
    {"subtype": "channel_topic", "topic": "<@UBOT> what?", "text": "<@U1> set the topic: <@UBOT> what?"},
    {"subtype": "reminder_add", "text": "<@UBOT> remember"},
)


@pytest.mark.parametrize("fields", NO_QUESTIONS, ids=lambda fields: str(fields.get("subtype", "workflow")))
async def test_messages_of_huddles_canvases_and_workflows_are_no_questions(
    slack: LocalSlack, store: Store, fields: dict[str, object]
) -> None:
    """Neither alone nor in a thread that it follows: acknowledged at once, nothing said."""
    async with serving(slack, store) as one:
        await ready(one)
        asked = slack.mention(C1, "U1", "What is BXD?")
        await one.answered(C1, asked.ts)
        for thread in ({}, {"thread_ts": asked.ts}):
            event: dict[str, object] = {"type": "message", "channel": C1, "channel_type": "channel", "user": "U1"}
            event |= {"ts": slack.world.new_ts()} | fields | thread
            delivery = slack.event(event, channel=C1)
            assert delivery is not None
            await delivery.settled()
            assert (True, 1) == (delivery.acknowledged, len(delivery.attempts))
        await one.settled()

        assert 1 == len(one.answerer.asked)
        assert 1 == len(slack.messages())


async def test_over_http_nothing_that_was_tampered_with_is_done(store: Store) -> None:
    """A signature is that of one body and one time; an honest request that is sent again changes nothing."""
    async with LocalSlack() as slack, serving(slack, store, mode="http") as one:
        await slack.until(lambda: one.adapter.http_address)
        http = slack.use_http(one.adapter.http_address)
        asked = slack.mention(C1, "U1", "What is QTL mapping?")
        await one.answered(C1, asked.ts)
        await one.settled()
        headers, body = http.requests[0]
        other = body.replace("What is QTL mapping?", "What is the password?")
        later = {**headers, "X-Slack-Request-Timestamp": str(int(headers["X-Slack-Request-Timestamp"]) + 1)}
        press = {"type": "block_actions", "user": {"id": "U1"}, "actions": [{"action_id": "locus_again"}]}
        refused = [
            (await http.send(headers, other)).status,
            (await http.send(headers, body + " ")).status,
            (await http.send(later, body)).status,
            (await http.send({**headers, "X-Slack-Signature": "v0="}, body)).status,
            (await http.send({**headers, "X-Slack-Signature": headers["X-Slack-Signature"][3:]}, body)).status,
            (await http.send({**headers, "X-Slack-Signature": "v0=é"}, body)).status,
            (await http.forge(press, secret="wrong")).status,
            (await http.forge(json.loads(body), secret=SIGNING_SECRET, age_s=-301)).status,
        ]
        replayed = [(await http.replay(0)).status for _ in range(5)]
        await one.settled()

        assert [401] * 8 == refused
        assert [200] * 5 == replayed
        assert (1, 1) == (len(one.answerer.asked), len(slack.messages()))


AWAY = {
    "500": Fault(status=500),
    "502 with a page": Fault(status=502),
    "nothing": Fault(hang=True),
    "cut": Fault(drop="before"),
    "no JSON": Fault(body="<html>maintenance</html>"),
}


@BOTH
@pytest.mark.parametrize("kind", AWAY)
async def test_slack_is_away_for_a_minute_in_the_middle_of_an_answer(
    slack: LocalSlack, store: Store, kind: str, streaming: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not called without a pause, and afterwards the answer is there, complete and once."""
    defaults = SlackClient.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "timeout_s", 0.3)
    answerer = WritingAnswerer()
    async with serving(slack, store, answerer=answerer, streaming=streaming) as one:
        await ready(one)
        asked = slack.mention(C1, "U1", "What happens?")
        answerer.write(WORDS[0])
        await shown(one, asked, "word0")
        begin, before = slack.clock.now(), len(slack.calls())
        slack.faults.always("*", AWAY[kind])
        answerer.write(*WORDS[1:])
        answerer.finish()
        await slack.until(lambda: slack.clock.now() > begin + 60, timeout_s=DEADLINE_S)
        during = len(slack.calls()) - before
        slack.faults.clear()
        line = await one.answered(C1, asked.ts, "word0")
        await one.settled()

        assert [word.strip() for word in WORDS] == words(line)
        assert 1 == len(bot_lines(slack, C1, asked.ts))
        assert 12 > during


@BOTH
async def test_a_process_is_killed_between_a_post_and_its_record(
    slack: LocalSlack, store: Store, redis_server: RedisServer, streaming: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one finds what the dead one has posted, and makes it the answer."""
    mortal = MortalStore(redis_server.url, prefix=store.prefix)
    posted = asyncio.Event()
    async with serving(slack, mortal, streaming=streaming) as first:
        await ready(first)
        post = first.adapter.post

        async def post_and_die(place: Place, reply: Reply, *, key: str, answers: str) -> str:
            ts = await post(place, reply, key=key, answers=answers)
            mortal.dead = True
            posted.set()
            return ts

        monkeypatch.setattr(first.adapter, "post", post_and_die)
        asked = slack.mention(C1, "U1", "What is LOD?")
        async with asyncio.timeout(DEADLINE_S):
            await posted.wait()
        await first.kill()
    before = [message.ts for message in slack.messages()]
    answerer = HeldAnswerer()
    async with serving(slack, store, answerer=answerer, streaming=streaming) as second:
        line = await second.answered(C1, asked.ts)
        await second.settled()

    assert [line.ts] == before
    assert 1 == len(bot_lines(slack, C1, asked.ts))
    await mortal.close()
