"""/locus in Slack: what is typed after it, who sees the reply, and where questions are answered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from bot.errors import UnavailableError
from bot.messages import Place, Sender
from bot.replies import Reply
from bot.store.client import Store
from tests.slack_adapter import DEADLINE_S, bot_lines
from tests.slack_interactions import C1, Office, office
from tests.slack_server import Clock, Fault, LocalSlack, Timing


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A Slack whose minutes last a second."""
    async with LocalSlack(clock=Clock(speed=60.0), timing=Timing(acknowledge_within_s=2.0)) as local:
        yield local


@pytest.fixture
async def one(slack: LocalSlack, store: Store) -> AsyncIterator[Office]:
    """A running service."""
    async with office(slack, store) as running:
        yield running


async def typed(one: Office, text: str, *, user: str = "U1", channel: str = C1) -> str:
    """Type a command; returns what its person was shown alone."""
    before = one.told(user, channel)
    delivery = one.slack.slash("/locus", user, channel, text)
    told = await one.until_told(user, channel, len(before) + 1)
    await one.idle()
    assert delivery.acknowledged
    return "\n".join(one.told(user, channel)[len(before) :]) or told[-1]


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("", "Ask me anything about GeneNetwork"),
        ("help", "Ask me anything about GeneNetwork"),
        (" STATUS. ", "I have read 12 documents"),
        ("scope", "Here I answer from the public documents"),
        ("sources", "I have read no documents that are seen here."),
        ("new", "In a channel each thread is a conversation"),
        ("stop", "There is nothing of yours to stop here."),
        ("forget", "I would delete what I have stored"),
        ("forget me now", "There was nothing stored about you."),
        ("ask", "Write your question after it"),
        ("digest weekly", "I do not know this command."),
        ("What is a QTL?", "I do not know this command."),
    ],
)
async def test_replies_are_seen_by_their_person_only(one: Office, text: str, beginning: str) -> None:
    """Each command answers with a sentence, and the channel sees nothing of it."""
    shown = await typed(one, text)

    assert shown.startswith(beginning)
    assert [] == one.slack.transcript(C1, viewer="U2")


async def test_help_says_how_to_ask_from_here(one: Office) -> None:
    """The words that work by mention, and that a question is for everybody; nothing of what does not exist."""
    shown = await typed(one, "help")

    assert "/locus ask QUESTION asks in this channel" in shown
    assert ["sources", "scope"] == [word for word in ("sources", "scope", "digest") if word in shown]


async def test_ask_shows_the_question_and_answers_in_its_thread(one: Office) -> None:
    """In the person's name, without calling anybody; a follow-up needs no mention, and the asker may stop it."""
    one.slack.slash("/locus", "U1", C1, "ask What is BXD, &lt;!channel&gt; @here?")
    root = await one.slack.until(lambda: one.slack.transcript(C1), timeout_s=DEADLINE_S)
    answer = await one.answered(C1, root[0].ts)
    await one.idle()
    one.slack.say(C1, "U1", "And what is HXB?", thread_ts=root[0].ts)
    await one.slack.until(lambda: len(bot_lines(one.slack, C1, root[0].ts)) > 2, timeout_s=DEADLINE_S)
    await one.idle()

    assert root[0].text.startswith("ada asks: What is BXD,")
    assert answer.text.startswith("About: What is BXD,")
    assert ["What is BXD, <!channel> @here?", "And what is HXB?"] == [asked.question for asked in one.answerer.asked]
    assert [] == one.slack.pings(by="UBOT")
    given = await one.given(one.handle(answer))
    assert (root[0].ts, Sender("slack", "T1", "U1").person_id) == (given.place.thread, given.person_id)


async def test_ask_in_a_direct_message_is_answered_there(one: Office) -> None:
    """In a thread of the direct conversation."""
    direct = one.slack.world.direct("U1").id
    one.slack.slash("/locus", "U1", direct, "ask What is BXD?")
    root = await one.slack.until(lambda: one.slack.transcript(direct), timeout_s=DEADLINE_S)

    assert (await one.answered(direct, root[0].ts)).text.startswith("About: What is BXD?")


async def test_who_typed_ask_can_stop_the_answer(one: Office) -> None:
    """The question counts as theirs, though the bot has shown it."""
    one.slack.slash("/locus", "U1", C1, "ask slow question")
    await one.begun()
    writing = await one.slack.until(
        lambda: next((m for m in one.slack.messages(channel=C1) if "Stop" in one.slack.line(m).button_labels), None),
        timeout_s=DEADLINE_S,
    )
    assert writing is not None
    one.slack.press(writing, "U1", "locus_stop")
    await one.slack.until(lambda: "Stopped" in one.slack.line(writing).text, timeout_s=DEADLINE_S)


async def test_ask_where_the_bot_is_no_member(one: Office) -> None:
    """Nothing is shown to anybody but the person, who reads what to do."""
    one.slack.world.add_channel("empty", channel_id="C8", members=["U1"])
    one.slack.world.add_channel("secret", "private", channel_id="C9", members=["U1"])
    told = [await typed(one, "ask What is BXD?", channel=channel) for channel in ("C8", "C9")]

    assert ["invite" in sentence for sentence in told] == [True, True]
    assert [] == one.answerer.asked


async def test_ask_in_a_channel_that_is_not_served(slack: LocalSlack, store: Store) -> None:
    """The setting counts here too; direct messages are always served."""
    async with office(slack, store, channels=frozenset({"C7"})) as one:
        shown = await typed(one, "ask What is BXD?")
        direct = slack.world.direct("U1").id
        slack.slash("/locus", "U1", direct, "ask What is BXD?")
        root = await slack.until(lambda: slack.transcript(direct), timeout_s=DEADLINE_S)
        await one.answered(direct, root[0].ts)

        assert "I may not answer in this channel: ask in another one, or in a direct message." == shown


async def test_a_question_that_cannot_be_accepted_does_not_stay(one: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for an answer that never comes."""

    async def away(*_: object) -> None:
        raise UnavailableError("Redis does not answer; Locus goes on as soon as it does.")

    monkeypatch.setattr(one.service.reception, "message", away)
    shown = await typed(one, "ask What is BXD?")

    assert "Redis does not answer; Locus goes on as soon as it does." == shown
    assert [] == one.slack.transcript(C1, viewer="U2")


async def test_export_comes_as_a_file_in_the_direct_message_only(one: Office) -> None:
    """Typed in a channel, the file stands where nobody else reads it, with that person's questions only."""
    await one.ask("What is BXD?")
    await one.ask("Not mine?", user="U2")
    shown = await typed(one, "export")
    direct = one.slack.world.direct("U1")
    lines = one.slack.transcript(direct.id)
    (file,) = [file for file in one.slack.world.files.values() if file.name == "export.json"]
    assert file.data is not None

    assert "I have sent it to you in a direct message." == shown
    assert any("This is what is stored about you" in line.text for line in lines)
    assert ({direct.id}, True) == (file.channels, "What is BXD?" in json.dumps(json.loads(file.data)))
    assert b"Not mine?" not in file.data


async def test_forgetting_takes_two_steps(one: Office) -> None:
    """The first says what would be deleted, the second deletes it; others' answers stay."""
    _, handle = await one.ask("What is BXD?")
    _, other = await one.ask("What is HXB?", user="U2")
    first = await typed(one, "forget me")
    kept = await one.service.given.find(handle)
    second = await typed(one, "forget me now")

    assert ('"forget me now"' in first, kept is not None) == (True, True)
    assert second.startswith("Done: ")
    assert [None, True] == [await one.service.given.find(handle), await one.service.given.find(other) is not None]


async def test_stop_is_for_the_channel_it_is_typed_in(one: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reception gets the channel as a whole, and who typed it."""
    seen: list[tuple[Place, Sender, str]] = []
    command = one.service.reception.command

    async def spy(place: Place, by: Sender, text: str) -> Reply | None:
        seen.append((place, by, text))
        return await command(place, by, text)

    monkeypatch.setattr(one.service.reception, "command", spy)
    await typed(one, "stop")

    assert [("T1", C1, "", "U1", "stop")] == [
        (place.workspace, place.channel, place.thread, by.user, text) for place, by, text in seen
    ]


async def test_people_of_other_organisations_learn_nothing(one: Office) -> None:
    """Which documents there are is not for them."""
    one.slack.world.add_team("T2", "Elsewhere")
    one.slack.world.add_user("eve", user_id="UEVE", team="T2")
    one.slack.world.channels[C1].members.add("UEVE")
    seen = [await typed(one, "scope", user="UEVE")]

    assert all("public documents only" in sentence or "may not answer" in sentence for sentence in seen)


async def test_a_reply_that_slack_does_not_take_comes_another_way(one: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the address for replies has expired, the person is told in the channel."""
    one.slack.response_urls.clear()
    monkeypatch.setattr(one.slack, "new_response_url", lambda *_: f"{one.slack.base_url}/response/gone")

    assert (await typed(one, "status")).startswith("I have read 12 documents")


async def test_a_command_that_is_delivered_twice_is_done_once(one: Office) -> None:
    """The question is shown and answered once."""
    delivery = one.slack.slash("/locus", "U1", C1, "ask What is BXD?")
    await one.slack.until(lambda: one.slack.transcript(C1), timeout_s=DEADLINE_S)
    one.slack.deliveries.resend(delivery)
    await one.idle()

    assert 1 == len([line for line in one.slack.transcript(C1) if line.text.startswith("ada asks")])
    assert 1 == len(one.answerer.asked)


async def test_a_lost_response_shows_the_question_once(one: Office) -> None:
    """A post whose outcome is unknown is found, not repeated."""
    one.slack.faults.add("chat.postMessage", Fault(drop="after"))
    one.slack.slash("/locus", "U1", C1, "ask What is BXD?")
    root = await one.slack.until(lambda: one.slack.transcript(C1), timeout_s=DEADLINE_S)
    await one.answered(C1, root[0].ts)
    await one.idle()

    assert 1 == len([line for line in one.slack.transcript(C1) if line.text.startswith("ada asks")])


async def test_the_answer_to_a_typed_question_is_streamed_to_who_typed_it(slack: LocalSlack, store: Store) -> None:
    """Not to the bot, which has shown the question."""
    async with office(slack, store, streaming=True) as one:
        slack.slash("/locus", "U1", C1, "ask What is BXD?")
        root = await slack.until(lambda: slack.transcript(C1), timeout_s=DEADLINE_S)
        await one.answered(C1, root[0].ts)
        (begun,) = slack.calls("chat.startStream")

        assert ("T1", "U1") == (begun.arguments["recipient_team_id"], begun.arguments["recipient_user_id"])
