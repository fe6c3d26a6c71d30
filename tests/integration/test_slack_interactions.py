"""Buttons, modals, reactions and the shortcut in Slack: pressed by anybody, twice, forged, and too late."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import AsyncIterator

import pytest

from bot.errors import UnavailableError
from bot.messages import Audience
from bot.store.client import Store
from tests.hostile_texts import BUILDING_BLOCKS
from tests.slack_adapter import DEADLINE_S, bot_lines
from tests.slack_interactions import C1, QUOTE, Office, office, passage
from tests.slack_server import Clock, Fault, LocalSlack, Timing

HOSTILE = [text.encode("utf-8", "replace").decode().replace("\x00", "") or "x" for text in BUILDING_BLOCKS]
GONE = "This answer is too old, or it belongs to another channel: ask the question again."
PRESSES = [
    ("locus_vote", "up:{}"),
    ("locus_vote", "down:{}"),
    ("locus_up", "{}"),
    ("locus_down", "{}"),
    ("locus_passages", "{}"),
    ("locus_again", "{}"),
    ("locus_hand_over", "{}"),
]


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A Slack whose minutes last a second."""
    async with LocalSlack(clock=Clock(speed=60.0), timing=Timing(acknowledge_within_s=2.0)) as local:
        local.world.add_channel("stewards", "private", channel_id="CSTEW", members=["UBOT", "U3"])
        yield local


@pytest.fixture
async def one(slack: LocalSlack, store: Store) -> AsyncIterator[Office]:
    """A running service with a steward."""
    async with office(slack, store, steward="CSTEW") as running:
        yield running


def stored(office: Office, channel: str = C1) -> list[str]:
    """Return what the bot has said in a channel to everybody."""
    return [line.text for line in office.slack.transcript(channel) if line.author == "locus" and not line.only_for]


async def test_a_thumb_up_is_stored_and_thanked_for(one: Office) -> None:
    """The person who presses is told alone; a colleague's thumb counts as well."""
    answer, handle = await one.ask()
    one.slack.press(answer, "U1", "locus_vote", f"up:{handle}")
    one.slack.press(answer, "U2", "locus_vote", f"up:{handle}")
    await one.idle()

    assert ["up", "up"] == [opinion.vote for opinion in await one.opinions()]
    assert (["Thank you, noted."], ["Thank you, noted."]) == (one.told("U1"), one.told("U2"))


async def test_a_thumb_down_asks_for_a_comment(one: Office) -> None:
    """The vote counts at once, and the comment is added to it when it is sent."""
    answer, handle = await one.ask()
    one.slack.press(answer, "U1", "locus_vote", f"down:{handle}")
    view = await one.modal("U1")
    (before,) = await one.opinions()
    one.slack.submit(view, {"locus_comment_text": "The cross is the other way round."})
    await one.idle()

    (after,) = await one.opinions()
    assert ("down", "") == (before.vote, before.comment)
    assert ("down", "The cross is the other way round.") == (after.vote, after.comment)
    assert one.slack.shown("U1") is None


async def test_a_comment_is_optional(one: Office) -> None:
    """An empty modal, or a closed one, leaves the vote as it is and says nothing."""
    answer, handle = await one.ask()
    one.slack.press(answer, "U1", "locus_vote", f"down:{handle}")
    one.slack.submit(await one.modal("U1"))
    await one.idle()

    assert ["down"] == [opinion.vote for opinion in await one.opinions()]
    assert [] == one.told("U1")


@pytest.mark.parametrize("change", [{"handle": "x" * 22}, {"channel": "C9"}, {"handle": 7}, {"channel": None}])
async def test_a_forged_comment_is_stored_nowhere(one: Office, change: dict[str, object]) -> None:
    """Another handle or channel in the modal than it was opened with is refused like an old button."""
    answer, handle = await one.ask()
    one.slack.world.add_channel("other", channel_id="C9", members=["UBOT", "U1"])
    one.slack.press(answer, "U1", "locus_vote", f"down:{handle}")
    view = await one.modal("U1")
    view.content["private_metadata"] = json.dumps({**json.loads(view.content["private_metadata"]), **change})
    one.slack.submit(view, {"locus_comment_text": "Forged."})
    await one.idle()

    assert [""] == [opinion.comment for opinion in await one.opinions()]


async def test_passages_are_shown_with_the_quoted_words_marked(one: Office) -> None:
    """The modal has the document's link, where in it the passage stands, and its words in bold."""
    answer, handle = await one.ask()
    await one.add_passages(handle, passage(1), passage(2, quote="After it."), passage(3, "Other text.", "", title="B"))
    one.slack.press(answer, "U2", "locus_passages")
    view = await one.modal("U2")
    look = one.slack.view_look(view)
    sections = [block["text"]["text"] for block in view.content["blocks"] if block["type"] == "section"]

    assert "Passages" == look.title
    assert "Before it.\n*The BXD family descends*\n*from two strains.* *After it.*" in sections
    assert [("https://example.org/bxd", "BXD family"), ("https://example.org/bxd", "B")] == [
        (link.url, link.label) for link in look.links
    ]
    assert ("[1] [2]" in look.text, "In: Families > BXD" in look.text) == (True, True)


async def test_hostile_passages_call_nobody_and_link_nowhere(one: Office) -> None:
    """Whatever stands in a document, the modal is one that Slack takes, without mentions and pictures."""
    answer, handle = await one.ask()
    hostile = [passage(n, f"{text}\n\n{text}", text, title=text, heading=text) for n, text in enumerate(HOSTILE[::3])]
    await one.add_passages(handle, *hostile)
    one.slack.press(answer, "U1", "locus_passages")
    look = one.slack.view_look(await one.modal("U1"))

    assert ((), ()) == (look.pings, look.images)
    assert {"https://example.org/bxd"} >= {link.url for link in look.links}


async def test_very_many_and_long_passages_fit_into_a_modal(one: Office) -> None:
    """Slack's limits hold, and what is left out is counted."""
    answer, handle = await one.ask()
    long = "Words of a long passage. " * 150
    await one.add_passages(handle, *(passage(n, f"{n} {long}", QUOTE, source=f"{n}.md") for n in range(1, 90)))
    one.slack.press(answer, "U1", "locus_passages")
    view = await one.modal("U1")

    assert "more" in one.slack.view_look(view).text.splitlines()[-1]
    assert len(view.content["blocks"]) <= 100


async def test_an_answer_without_passages_says_so(one: Office) -> None:
    """Nothing opens, and the person knows what to do."""
    answer, _ = await one.ask()
    one.slack.press(answer, "U1", "locus_passages")
    await one.idle()

    assert ["The passages of this answer cannot be shown any more: ask the question again."] == one.told("U1")


async def test_a_modal_that_slack_does_not_open_is_explained(one: Office) -> None:
    """A trigger that has expired is nobody's fault, and pressing again helps."""
    answer, handle = await one.ask()
    await one.add_passages(handle)
    one.slack.faults.add("views.open", Fault(error="expired_trigger_id"))
    one.slack.press(answer, "U1", "locus_passages")
    await one.idle()

    assert ["Slack did not open the window in time: press the button once more."] == one.told("U1")


async def test_asking_again_gives_one_new_answer(one: Office) -> None:
    """Pressed twice it is asked once; the second press is told so."""
    answer, _ = await one.ask()
    one.slack.press(answer, "U1", "locus_again")
    await one.idle()
    one.slack.press(answer, "U1", "locus_again")
    await one.idle()

    assert 2 == len(one.answerer.asked)
    assert 2 == len([line for line in bot_lines(one.slack, C1, answer.root) if line.text.startswith("About:")])
    assert ["You have asked this again already; the new answer stands in the thread."] == one.told("U1")


async def test_stop_ends_the_answer_for_who_asked(one: Office) -> None:
    """The message says that it was stopped; a second press finds nothing to stop."""
    _, writing = await one.write()
    one.slack.press(writing, "U1", "locus_stop")
    await one.slack.until(lambda: "Stopped" in one.slack.line(writing).text, timeout_s=DEADLINE_S)
    request = one.slack.calls("chat.update")
    one.slack.press(writing, "U1", "locus_stop", "k" * 13, forged=True)
    await one.idle()

    assert request
    assert ["There is nothing of yours to stop here."] == one.told("U1")


async def test_a_stranger_stops_nothing(one: Office) -> None:
    """Another person in the channel is told, and the answer goes on; so with a forged reference."""
    asked, writing = await one.write()
    one.slack.press(writing, "U2", "locus_stop")
    await one.until_told("U2")
    for forged in ("", "a:b", "\ud800", "k" * 3000):
        one.slack.press(writing, "U1", "locus_stop", forged, forged=True)
    await one.until_told("U1", count=4)
    one.answerer.release.set()
    line = await one.answered(C1, asked.ts)

    assert line.text.startswith("About: slow question")
    assert {"There is nothing of yours to stop here."} == {*one.told("U1"), *one.told("U2")}


async def test_who_asked_stops_it_from_their_channel_only(one: Office) -> None:
    """A reference that is pressed in another channel stops nothing."""
    one.slack.world.add_channel("other", channel_id="C9", members=["UBOT", "U1"])
    asked, writing = await one.write()
    reference = next(button.value for button in one.slack.line(writing).buttons if button.action_id == "locus_stop")
    other = one.slack.say("C9", "U1", "Something")
    one.slack.press(other, "U1", "locus_stop", reference, forged=True)
    await one.until_told("U1", "C9")
    one.answerer.release.set()

    assert (await one.answered(C1, asked.ts)).text.startswith("About: slow question")


@pytest.mark.parametrize(("action", "value"), PRESSES)
async def test_forged_handles_do_nothing(one: Office, action: str, value: str) -> None:
    """Unknown, malformed and endless handles get the sentence of old ones, whatever the button."""
    answer, _ = await one.ask()
    before = stored(one)
    for forged in ("x" * 22, "../../given", "x" * 2000, "{}", "*"):
        one.slack.press(answer, "U1", action, value.format(forged), forged=True)
    told = await one.until_told("U1", count=5)
    await one.idle()

    assert 1 == len(set(told))
    assert ([], before, None) == (await one.opinions(), stored(one), one.slack.shown("U1"))
    assert 1 == len(one.answerer.asked)


@pytest.mark.parametrize(("action", "value"), PRESSES)
async def test_buttons_of_an_old_answer_say_so(one: Office, action: str, value: str) -> None:
    """What is not stored any more can be neither judged nor shown nor asked again."""
    answer, handle = await one.ask()
    await one.expire(handle)
    one.slack.press(answer, "U1", action, value.format(handle), forged=True)
    told = await one.until_told("U1")
    await one.idle()

    assert "ask the question again" in told[0]
    assert ([], None, []) == (await one.opinions(), one.slack.shown("U1"), stored(one, "CSTEW"))


@pytest.mark.parametrize(("action", "value"), PRESSES)
async def test_a_handle_works_in_its_own_channel_only(one: Office, action: str, value: str) -> None:
    """A handle of a channel is nothing in another one, even for the person who asked."""
    one.slack.world.add_channel("other", channel_id="C9", members=["UBOT", "U1"])
    _, handle = await one.ask()
    await one.add_passages(handle)
    elsewhere = one.slack.say("C9", "U1", "Look")
    one.slack.press(elsewhere, "U1", action, value.format(handle), forged=True)
    told = await one.until_told("U1", "C9")
    await one.idle()

    assert "ask the question again" in told[0]
    assert ([], None, []) == (await one.opinions(), one.slack.shown("U1"), stored(one, "CSTEW"))


@pytest.mark.parametrize(("action", "value"), PRESSES)
async def test_a_guest_presses_in_vain(one: Office, action: str, value: str) -> None:
    """A person of another organisation sees no passages and asks nothing, in a channel they are in."""
    one.slack.world.add_team("T2", "Elsewhere")
    guest = one.slack.world.add_user("eve", user_id="UEVE", team="T2")
    one.slack.world.channels[C1].members.add(guest.id)
    answer, handle = await one.ask()
    await one.add_passages(handle)
    one.slack.press(answer, "UEVE", action, value.format(handle), forged=True)
    await one.until_told("UEVE")
    await one.idle()

    assert ([], None, []) == (await one.opinions(), one.slack.shown("UEVE"), stored(one, "CSTEW"))
    assert 1 == len(one.answerer.asked)


async def test_a_question_is_handed_over_once(one: Office) -> None:
    """The steward gets question, answer, sources and the way there; a second press changes nothing."""
    answer, handle = await one.ask("unknown strain <!channel>")
    await one.change(handle, scopes=("public",))
    for user in ("U1", "U2", "U1"):
        one.slack.press(answer, user, "locus_hand_over")
        await one.idle()

    (line,) = [line for line in one.slack.transcript("CSTEW") if line.author == "locus"]
    assert ("ada asks for a person" in line.text, "unknown strain" in line.text) == (True, True)
    assert ("I found no answer:" in line.text, "A document" in line.text) == (True, True)
    assert any(answer.ts.replace(".", "") in link.url for link in line.links)
    said = "I have passed this question on to a person, who will answer here."
    assert 1 == stored(one).count(said)
    assert ["This question was passed on to a person already."] * 2 == [*one.told("U1"), *one.told("U2")]
    assert [] == one.slack.pings(by="UBOT")


async def test_what_only_a_channel_may_see_is_handed_over_as_a_link(one: Office) -> None:
    """Neither the answer nor its documents, nor somebody else's question, reach the steward's channel."""
    answer, handle = await one.ask("A secret question?")
    await one.change(handle, scopes=("public", "channel-x"))
    given = await one.given(handle)
    own = f"channel-{given.place.channel_id}"
    await one.change(handle, scopes=("public", own))
    one.slack.press(answer, "U2", "locus_hand_over")
    await one.idle()

    (line,) = [line for line in one.slack.transcript("CSTEW") if line.author == "locus"]
    assert [False] * 3 == [word in line.text for word in ("secret", "About:", "A document")]
    assert ["Open the conversation"] == [link.label for link in line.links]


async def test_what_rests_on_public_documents_is_handed_over_in_full(one: Office) -> None:
    """That the channel has documents of its own, which were searched too, keeps nothing back."""
    answer, handle = await one.ask("unknown strain")
    own = f"channel-{(await one.given(handle)).place.channel_id}"
    await one.change(handle, scopes=("public", own), rests_on=("public",))
    one.slack.press(answer, "U2", "locus_hand_over")
    await one.idle()

    (line,) = [line for line in one.slack.transcript("CSTEW") if line.author == "locus"]
    assert [True] * 3 == [word in line.text for word in ("unknown strain", "About:", "A document")]


@pytest.mark.parametrize(("user", "shown"), [("U1", True), ("U2", False)])
async def test_what_was_asked_in_private_is_passed_on_in_full_by_who_asked_only(
    one: Office, user: str, shown: bool
) -> None:
    """Somebody else of a private channel gives the steward the way there, and no words of it."""
    answer, handle = await one.ask("unknown strain")
    place = dataclasses.replace((await one.given(handle)).place, audience=Audience.PRIVATE)
    await one.change(handle, place=place, rests_on=("public",))
    one.slack.press(answer, user, "locus_hand_over")
    await one.idle()

    (line,) = [line for line in one.slack.transcript("CSTEW") if line.author == "locus"]
    assert [shown] * 3 == [word in line.text for word in ("unknown strain", "About:", "A document")]


async def test_ones_own_question_goes_along_without_its_answer(one: Office) -> None:
    """Who asked and asks for a person passes the question on, not what the channel's documents say."""
    answer, handle = await one.ask("A secret question?")
    own = f"channel-{(await one.given(handle)).place.channel_id}"
    await one.change(handle, scopes=("public", own))
    one.slack.press(answer, "U1", "locus_hand_over")
    await one.idle()

    (line,) = [line for line in one.slack.transcript("CSTEW") if line.author == "locus"]
    assert [True, False] == [word in line.text for word in ("A secret question?", "About:")]


async def test_a_press_after_half_of_handing_over_does_the_rest(one: Office) -> None:
    """Where the thread was not told, the next press tells it and posts nothing to the steward again."""
    answer, _ = await one.ask()
    one.slack.press(answer, "U1", "locus_hand_over")
    await one.idle()
    note = next(m for m in one.slack.messages(channel=C1) if "passed this question on" in m.text)
    note.deleted = True
    one.slack.press(answer, "U1", "locus_hand_over")
    await one.idle()

    assert 1 == len(stored(one, "CSTEW"))
    assert any("passed this question on" in text for text in stored(one))


async def test_a_steward_who_cannot_be_reached_is_said(slack: LocalSlack, store: Store) -> None:
    """A channel without the bot, and no steward at all; the thread is told nothing."""
    for steward, sentence in (
        ("C404", "I could not pass this question on; please tell your operator."),
        ("", "No person is named whom I could ask: your operator can set LOCUS_SLACK_STEWARD."),
    ):
        async with office(slack, store, steward=steward) as one:
            answer, handle = await one.ask(f"What is BXD, steward {steward}?")
            one.slack.press(answer, "U1", "locus_hand_over", handle, forged=True)
            await one.idle()

            assert sentence in one.told("U1")
            assert not any("passed" in text for text in stored(one))


async def test_a_person_can_be_the_steward(slack: LocalSlack, store: Store) -> None:
    """They get it in a direct message."""
    async with office(slack, store, steward="U3") as one:
        answer, _ = await one.ask()
        one.slack.press(answer, "U1", "locus_hand_over")
        await one.idle()

        assert 1 == len(stored(one, slack.world.direct("U3").id))


@pytest.mark.parametrize(("reaction", "votes"), [("+1", ["up"]), ("-1::skin-tone-3", ["down"]), ("tada", [])])
async def test_thumbs_below_an_answer_are_votes(one: Office, reaction: str, votes: list[str]) -> None:
    """By anybody in the channel; other reactions mean nothing, and nobody is told anything."""
    answer, _ = await one.ask()
    one.slack.react(answer, "U2", reaction)
    await one.idle()

    assert votes == [opinion.vote for opinion in await one.opinions()]
    assert [] == one.told("U2")


async def test_reactions_to_other_messages_and_of_the_bot_mean_nothing(one: Office) -> None:
    """A thumb on the question, one on a colleague's message, and one of the bot's own."""
    answer, _ = await one.ask()
    chat = one.slack.say(C1, "U2", "Lunch?")
    one.slack.react(chat, "U1", "+1")
    one.slack.react(answer, "UBOT", "+1")
    await one.idle()

    assert [] == await one.opinions()


async def test_a_thumb_below_the_beginning_of_a_long_answer_counts(one: Office) -> None:
    """The buttons are below its last message, and people react to the first."""
    asked = one.slack.mention(C1, "U1", "Why? " + "A long question. " * 900)
    await one.answered(C1, asked.ts, "")
    await one.settled()
    first, *rest = one.slack.world.replies(C1, asked.ts)
    one.slack.react(first, "U1", "thumbsup")
    await one.idle()

    assert (True, ()) == (bool(rest), one.slack.line(first).buttons)
    assert ["up"] == [opinion.vote for opinion in await one.opinions()]


async def test_a_stop_sign_stops_a_streamed_answer(slack: LocalSlack, store: Store) -> None:
    """A message that is being streamed shows no button; who asked stops all of theirs in its thread."""
    async with office(slack, store, streaming=True) as one:
        asked = slack.mention(C1, "U1", "slow question")
        await one.begun()
        writing = await slack.until(
            lambda: next((m for m in slack.world.replies(C1, asked.ts) if slack.line(m).streaming), None)
        )
        assert writing is not None
        slack.react(writing, "U2", "octagonal_sign")
        await slack.deliveries.settled()
        going_on = slack.line(writing).streaming
        slack.react(writing, "U1", "octagonal_sign")
        await slack.until(lambda: "Stopped" in slack.line(writing).text, timeout_s=DEADLINE_S)

        assert going_on


async def test_a_stop_sign_stops_for_who_asked(one: Office) -> None:
    """A colleague's stop sign changes nothing, the asker's own ends the answer."""
    _, writing = await one.write()
    one.slack.react(writing, "U2", "octagonal_sign")
    await one.slack.deliveries.settled()
    going_on = one.slack.line(writing).button_labels
    one.slack.react(writing, "U1", "octagonal_sign")
    await one.slack.until(lambda: "Stopped" in one.slack.line(writing).text, timeout_s=DEADLINE_S)

    assert ("Stop",) == going_on


async def test_a_message_can_be_asked_about(one: Office) -> None:
    """The question is shown in its thread in the person's name, and the message goes along as somebody's words."""
    message = one.slack.say(C1, "U2", "We crossed <@U3> &lt;BXD&gt; mice.")
    one.slack.shortcut("ask_about", "U1", message)
    view = await one.modal("U1")
    look = one.slack.view_look(view)
    one.slack.submit(view, {"locus_question_text": "What are these mice?"})
    await one.slack.until(lambda: bot_lines(one.slack, C1, message.ts)[1:], timeout_s=DEADLINE_S)
    await one.answered(C1, message.ts)
    await one.settled()

    assert ("Ask about this", True) == (look.title, "BXD" in look.text)
    assert "ada asks about the message of ben: What are these mice?" == bot_lines(one.slack, C1, message.ts)[0].text
    question = one.answerer.asked[0].question
    assert question.startswith("What are these mice?\n\nThis is about the following message, written by ben:\n> We")
    assert "<BXD> mice." in question
    assert [] == one.slack.pings(by="UBOT")


async def test_the_modal_about_a_message_is_prefilled(one: Office) -> None:
    """With the message where it is a question, else with a question about it."""
    suggested = []
    for text in ("What is a QTL?", "Some statement."):
        one.slack.shortcut("ask_about", "U1", one.slack.say(C1, "U2", text))
        view = await one.slack.until(lambda: one.slack.shown("U1"))
        assert view is not None
        suggested.append(view.content["blocks"][-1]["element"]["initial_value"])
        one.slack.close_view(view)

    assert ["What is a QTL?", "What do the documents say about this?"] == suggested


async def test_hostile_messages_can_be_asked_about(one: Office) -> None:
    """Whatever it says, and whoever wrote it, the modal opens and calls nobody."""
    for text in HOSTILE[:60:2]:
        one.slack.shortcut("ask_about", "U1", one.slack.say(C1, "U2", text))
        view = await one.modal("U1")
        look = one.slack.view_look(view)
        one.slack.close_view(view)

        assert ((), (), ()) == (look.pings, look.images, look.links)


async def test_channels_that_are_not_served_are_told_so(slack: LocalSlack, store: Store) -> None:
    """The shortcut opens nothing there."""
    async with office(slack, store, channels=frozenset({"C7"})) as one:
        message = one.slack.say(C1, "U2", "Hello")
        one.slack.shortcut("ask_about", "U1", message)
        await one.until_told("U1")

        assert ["I may not answer in this channel: ask in another one, or in a direct message."] == one.told("U1")
        assert slack.shown("U1") is None


async def test_a_second_delivery_of_a_press_changes_nothing(one: Office) -> None:
    """Slack may deliver again what was acknowledged too late."""
    answer, handle = await one.ask()
    delivery = one.slack.press(answer, "U1", "locus_vote", f"up:{handle}")
    await one.idle()
    one.slack.deliveries.resend(delivery)
    await one.idle()

    assert ["Thank you, noted."] == one.told("U1")


async def test_presses_while_redis_is_away_are_acknowledged_and_explained(
    one: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person reads one sentence, and can press again."""
    answer, handle = await one.ask()

    async def away(*_: object, **__: object) -> None:
        raise UnavailableError("Redis does not answer; Locus goes on as soon as it does.")

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(one.service.reception, "vote", away)
    delivery = one.slack.press(answer, "U1", "locus_vote", f"up:{handle}")
    await one.until_told("U1")
    monkeypatch.setattr(one.service.reception, "vote", broken)
    one.slack.press(answer, "U2", "locus_vote", f"up:{handle}")
    await one.until_told("U2")
    await delivery.settled()

    assert delivery.acknowledged
    assert ["Redis does not answer; Locus goes on as soon as it does."] == one.told("U1")
    assert "Something went wrong here" in one.told("U2")[0]


async def test_presses_without_person_or_place_are_acknowledged(one: Office) -> None:
    """Payloads that lack what they should have do nothing."""
    await one.ask()
    for body in (
        {"type": "block_actions", "actions": [{"action_id": "locus_up", "value": "x", "type": "button"}]},
        {"type": "block_actions", "user": {"id": "U1"}, "actions": [{"action_id": "locus_up", "block_id": "b"}]},
        {"type": "block_actions", "user": "U1", "actions": [{"action_id": "locus_up", "block_id": "b", "value": 7}]},
        {"type": "view_submission", "user": {"id": "U1"}, "view": {"callback_id": "locus_comment", "type": "modal"}},
    ):
        delivery = one.slack.deliveries.send("interactive", body)
        await delivery.settled()
        assert delivery.acknowledged
    await one.idle()

    assert [] == await one.opinions()


async def test_nothing_that_people_write_comes_into_the_log(one: Office, caplog: pytest.LogCaptureFixture) -> None:
    """Comments, questions and names stay out of it, at every level."""
    caplog.set_level(logging.DEBUG, "adapters")
    answer, handle = await one.ask("A secretquestion?")
    one.slack.press(answer, "U1", "locus_vote", f"down:{handle}")
    one.slack.submit(await one.modal("U1"), {"locus_comment_text": "A secretcomment."})
    one.slack.press(answer, "U1", "locus_hand_over")
    await one.idle()

    assert "secret" not in caplog.text
