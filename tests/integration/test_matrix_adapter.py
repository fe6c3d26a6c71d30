"""The Matrix adapter over a real homeserver: what people see of answers, and what they do with them."""

from __future__ import annotations

import dataclasses

from bot.messages import Audience
from tests.matrix_adapter import MatrixService, Stage, until
from tests.matrix_server.person import Event, person
from tests.scenarios.driver import PASSAGE
from tests.writing_answerer import WritingAnswerer


async def test_an_answer_grows_in_one_message_of_a_thread(stage: Stage) -> None:
    """The thread hangs on the question; clients without threads show a reply; nobody is called."""
    answerer = WritingAnswerer()
    async with stage.asking() as ada, stage.serving(answerer) as locus:
        asked = await ada.ask("What is BXD?")
        await locus.begun()
        answerer.write("The family ")
        line = await ada.sees(asked, "The family")
        answerer.write("descends from two strains ")
        await ada.sees(asked, "descends from two")
        answerer.release.set()
        final = await ada.answered(asked)
        await locus.settled()

        assert [line.event_id] == [one.event_id for one in ada.lines(asked)]
        assert asked == final.reply_to
        assert "m.notice" == final.content["msgtype"]
        assert not any(content.get("m.mentions") for content in ada.sent())


async def test_a_room_sees_that_an_answer_is_written_and_that_it_was_received(stage: Stage) -> None:
    """Typing begins and ends; the receipt names the thread."""
    async with stage.asking() as ada, stage.serving() as locus, person(stage.synapse.url, ada.who.account) as client:
        await client.sync()
        asked = await ada.ask("slow question")
        began = await client.wait_for(lambda event: stage.bot.user_id in event["content"].get("user_ids", ()), ada.room)
        locus.answerer.release.set()
        await ada.answered(asked)
        follow_up = await ada.say("And what else?", thread=asked)
        await ada.answered(asked, times=2)

        def ended(event: Event) -> bool:
            return bool(event["type"] == "m.typing" and event["content"] == {"user_ids": []})

        def receipt(event: Event) -> str:
            read = event["content"].get(follow_up, {}).get("m.read", {}).get(stage.bot.user_id, {})
            return str(read.get("thread_id", ""))

        await client.wait_for(ended, ada.room)
        told = await client.wait_for(lambda event: event["type"] == "m.receipt" and bool(receipt(event)), ada.room)

        assert "m.typing" == began["type"]
        assert asked == receipt(told)


async def test_a_follow_up_needs_no_mention(stage: Stage) -> None:
    """In a thread that Locus takes part in; in another one it is silent."""
    async with stage.asking() as ada, stage.serving() as locus:
        asked = await ada.ask("What is BXD?")
        await ada.answered(asked)
        other = await ada.say("A thought about locus control.")
        await ada.say("And another.", thread=other)
        await ada.say("How many strains has it?", thread=asked)
        await ada.answered(asked, times=2)

        assert ["What is BXD?", "How many strains has it?"] == locus.questions


async def test_a_reply_to_an_answer_belongs_to_its_thread(stage: Stage) -> None:
    """Also where the client knows no threads."""
    async with stage.asking() as ada, stage.serving() as locus:
        asked = await ada.ask("What is BXD?")
        answer = await ada.answered(asked)
        reply = {"m.relates_to": {"m.in_reply_to": {"event_id": answer.event_id}}}
        await ada.who.send(ada.room, {"msgtype": "m.text", "body": "How many strains?", **reply})
        await ada.answered(asked, times=2)

        assert ["What is BXD?", "How many strains?"] == locus.questions


async def test_in_a_direct_room_nobody_needs_to_be_mentioned(stage: Stage) -> None:
    """And only the two of them read along."""
    async with stage.asking(direct=True) as ada, stage.serving() as locus:
        asked = await ada.say("What is BXD?")
        await ada.answered(asked)
        given = await locus.service.given.find(ada.answers(asked)[-1].handle)

        assert given is not None
        assert (Audience.DIRECT, ada.room, "localhost") == (
            given.place.audience,
            given.place.channel,
            given.place.workspace,
        )


async def test_rooms_have_the_audience_of_their_rules(stage: Stage) -> None:
    """A room by invitation is private, one that anybody may join is public."""
    async with (
        stage.asking(name="ada", public=True) as ada,
        stage.asking(name="ben") as ben,
        stage.serving() as locus,
    ):
        seen = []
        for asker in (ada, ben):
            asked = await asker.ask("What is BXD?")
            line = await asker.answered(asked)
            given = await locus.service.given.find(line.handle)
            assert given is not None
            seen.append(given.place.audience)

    assert [Audience.PUBLIC, Audience.PRIVATE] == seen


async def opinions(locus: MatrixService) -> list[tuple[str, str]]:
    """The votes that are stored, with their comments."""
    return [(one.vote, one.comment) for one in await locus.service.feedback.list(limit=10)]


async def test_a_reaction_is_an_opinion(stage: Stage) -> None:
    """In any tone of skin; also after a restart, when what Locus has shown is known from the room alone."""
    async with stage.asking(encrypted=True) as ada:
        async with stage.serving() as first:
            await ada.knows_locus()
            asked = await ada.ask("What is BXD?")
            line = await ada.answered(asked)
            await first.settled()
        async with stage.serving() as second:
            await ada.who.react(ada.room, line.event_id, "👍🏾")
            asked_again = await ada.ask("What is a QTL?")
            await ada.answered(asked_again)

            assert [("up", "")] == await opinions(second)


async def test_a_reaction_that_is_withdrawn_is_no_opinion_any_more(stage: Stage) -> None:
    """Also after a restart, when the homeserver does not tell any more what it was."""
    async with stage.asking() as ada:
        async with stage.serving() as first:
            asked = await ada.ask("What is BXD?")
            line = await ada.answered(asked)
            await first.settled()
            reaction = await ada.who.react(ada.room, line.event_id, "👍")
            await ada.answered(await ada.ask("What is a QTL?"))
            before = await opinions(first)
        async with stage.serving() as second:
            await ada.who.redact(ada.room, reaction)
            await ada.answered(await ada.ask("What is LOD?"))

            assert [("up", "")] == before
            assert [] == await opinions(second)


async def test_who_changes_their_mind_keeps_the_later_opinion(stage: Stage) -> None:
    """Clients add the new reaction first and take the old one away, or the other way round."""
    async with stage.asking() as ada, stage.serving() as locus:
        asked = await ada.ask("What is BXD?")
        line = await ada.answered(asked)
        up = await ada.who.react(ada.room, line.event_id, "👍")
        await ada.who.react(ada.room, line.event_id, "👎")
        await ada.who.redact(ada.room, up)
        await ada.answered(await ada.ask("What is a QTL?"))

        assert [("down", "")] == await opinions(locus)


async def test_an_answer_is_stopped_by_a_reaction_to_its_question(stage: Stage) -> None:
    """Of whoever asked; other people's reactions change nothing."""
    async with stage.asking() as ada, stage.serving() as locus:
        asked = await ada.ask("slow question")
        await locus.begun()
        await ada.who.react(ada.room, asked, "🛑")
        await ada.sees(asked, "Stopped, as you asked.")

        assert [] == ada.answers(asked)


async def test_passages_are_shown_for_a_reaction(stage: Stage) -> None:
    """In the thread, in the words of the document."""
    async with stage.asking() as ada, stage.serving() as locus:
        asked = await ada.ask("What is BXD?")
        line = await ada.answered(asked)
        await locus.settled()
        await keep_passage(locus, line.handle)
        await ada.who.react(ada.room, line.event_id, "📄")
        shown = await ada.sees(asked, PASSAGE.text)

        assert "bxd" in shown.body


async def test_help_says_what_can_be_done_in_matrix(stage: Stage) -> None:
    """After what can be asked anywhere."""
    async with stage.asking() as ada, stage.serving():
        asked = await ada.say("!locus help")
        line = await ada.sees(asked, "!locus passages")

        assert "Ask me anything about GeneNetwork" in line.body


async def test_a_command_with_the_prefix_is_carried_out(stage: Stage) -> None:
    """A question after "ask" is asked; what is unknown is a question too."""
    async with stage.asking() as ada, stage.serving() as locus:
        status = await ada.say("!locus status")
        await ada.sees(status, "documents")
        asked = await ada.say("!locus ask What is BXD?")
        await ada.answered(asked)

        assert ["What is BXD?"] == locus.questions


async def test_a_question_is_passed_on_to_a_person(stage: Stage) -> None:
    """Into the room that the lab names, once however often it is wanted, with a link to the conversation."""
    async with (
        stage.asking(name="ada") as ada,
        stage.asking(name="eve") as steward,
        stage.serving(steward=steward.room) as locus,
    ):
        asked = await ada.ask("What is BXD?")
        await ada.answered(asked)
        await locus.settled()
        await ada.say("!locus person", thread=asked)
        await ada.say("!locus person", thread=asked)
        await until(lambda: len([line for line in ada.lines(asked) if "a person" in line.body]) == 2)
        await steward.caught_up()
        passed = [line for line in steward.lines() if "asks for a person's help" in line.body]

        assert [True] == ["> What is BXD?" in line.body and "https://matrix.to" in line.html for line in passed]


async def test_what_cannot_be_done_is_said(stage: Stage) -> None:
    """A word about an answer where there is none."""
    async with stage.asking() as ada, stage.serving():
        asked = await ada.say("!locus passages")
        line = await ada.sees(asked, "no answer of mine here")

        assert asked == line.root


async def keep_passage(locus: MatrixService, handle: str) -> None:
    """Let an answer that was given rest on `PASSAGE`."""
    given = await locus.service.given.find(handle)
    assert given is not None
    changed = dataclasses.replace(given, passages=(PASSAGE,))
    await locus.service.inbox.store.transaction(*locus.service.given.keep(changed))
