"""Questions that change while they are answered: the real service over a real homeserver."""

from __future__ import annotations

import pytest

from tests.matrix_adapter import Asker, Stage, until
from tests.matrix_server.onlooker import onlooker
from tests.matrix_server.person import person
from tests.writing_answerer import WritingAnswerer

BOTH = pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])


async def ready(ada: Asker, *, encrypted: bool) -> None:
    """Wait until she may ask."""
    if encrypted:
        await ada.knows_locus()


@BOTH
async def test_m9_a_question_is_edited_while_it_is_answered(stage: Stage, encrypted: bool) -> None:
    """The same message gets the answer to the new words, and nothing of the old one is left."""
    answerer = WritingAnswerer()
    async with stage.asking(encrypted=encrypted) as ada, stage.serving(answerer) as one:
        await ready(ada, encrypted=encrypted)
        asked = await ada.ask("First wording")
        await one.begun()
        answerer.write("wrong ")
        await ada.sees(asked, "wrong")
        await ada.who.edit(ada.room, asked, "Second wording", mention=[ada.bot])
        await until(lambda: len(one.questions) == 2, "asked again")
        answerer.finish()
        line = await ada.answered(asked)
        await one.settled()

        assert ["First wording", "Second wording"] == one.questions
        assert line.body.startswith("Second wording")
        assert "wrong" not in line.body
        assert 1 == len(ada.lines())


@BOTH
async def test_m9_a_question_is_deleted_while_it_is_answered(stage: Stage, encrypted: bool) -> None:
    """Nothing of its answer is left, nothing is tried again, and the next question is answered."""
    answerer = WritingAnswerer()
    async with stage.asking(encrypted=encrypted) as ada, stage.serving(answerer) as one:
        await ready(ada, encrypted=encrypted)
        asked = await ada.ask("What happens?")
        await one.begun()
        answerer.write("half an answer ")
        await ada.sees(asked, "half an")
        await ada.who.redact(ada.room, asked)
        await one.settled()
        await until(lambda: ada.lines() == [], "nothing is left")
        following = await ada.ask("And now?")
        answerer.finish()
        await ada.answered(following)
        await one.settled()
        await ada.caught_up()

        assert 1 == len(ada.lines())
        assert 0 == await one.dead_letters()


@BOTH
async def test_m9_the_root_of_the_thread_is_deleted_while_a_follow_up_is_answered(
    stage: Stage, encrypted: bool
) -> None:
    """The follow-up is still a question, and is answered."""
    answerer = WritingAnswerer()
    async with stage.asking(encrypted=encrypted) as ada, stage.serving(answerer) as one:
        await ready(ada, encrypted=encrypted)
        root = await ada.say("I have a mouse.")
        await ada.ask("Which one?", thread=root)
        await one.begun()
        answerer.write("A brown one ")
        await ada.sees(root, "brown")
        await ada.who.redact(ada.room, root)
        answerer.write("it is.")
        answerer.finish()
        line = await ada.answered(root)
        await one.settled()

        assert line.body.startswith("A brown one it is.")
        assert 1 == len(ada.lines())


@BOTH
async def test_m9_an_edit_by_somebody_else_changes_nothing(stage: Stage, encrypted: bool) -> None:
    """A homeserver takes it; it is no question, neither while the answer is written nor afterwards."""
    answerer = WritingAnswerer()
    async with stage.asking(encrypted=encrypted) as ada, stage.serving(answerer) as one:
        eve = stage.synapse.register("eve")
        async with person(stage.synapse.url, eve) as plain, person(stage.synapse.url, ada.who.account) as host:
            await host.invite(ada.room, eve.user_id)
            await plain.join(ada.room)
        async with onlooker(stage.synapse.url, eve, stage.data.parent / "eve") as somebody:
            await until(lambda: ada.room in somebody.client.rooms)
            other = Asker(somebody, ada.room, ada.bot)
            await ready(ada, encrypted=encrypted)
            await ready(other, encrypted=encrypted)
            asked = await ada.ask("What is BXD?")
            await one.begun()
            answerer.write("BXD is ")
            await ada.sees(asked, "BXD is")
            await other.who.edit(ada.room, asked, "What is the password?", mention=[ada.bot])
            second = await other.ask("What is LOD?")  # was delivered after the edit
            await until(lambda: len(one.questions) == 2)
            answerer.write("a family.")
            answerer.finish()
            answerer.finish()
            await ada.answered(asked)
            await ada.answered(second)
            await one.settled()

        assert ["What is BXD?", "What is LOD?"] == one.questions


@BOTH
@pytest.mark.parametrize("below", ["answer", "question"])
async def test_m9_a_reaction_stops_an_answer(stage: Stage, encrypted: bool, below: str) -> None:
    """🛑 by the person who asked ends it; what was written is kept and says that it was stopped."""
    answerer = WritingAnswerer()
    async with stage.asking(encrypted=encrypted) as ada, stage.serving(answerer) as one:
        await ready(ada, encrypted=encrypted)
        asked = await ada.ask("What happens?")
        await one.begun()
        answerer.write("half an answer ")
        line = await ada.sees(asked, "half an")
        await ada.who.react(ada.room, line.event_id if below == "answer" else asked, "🛑")
        await one.settled()
        await ada.sees(asked, "topped")

        assert 1 == len(ada.lines())
        assert 1 == len(one.questions)


async def test_m9_an_edit_may_make_a_message_a_question_or_none(stage: Stage) -> None:
    """With the mention it is asked, without it what was begun goes; of several edits the last one counts."""
    answerer = WritingAnswerer()
    async with stage.asking() as ada, stage.serving(answerer) as one:
        said = await ada.say("Who knows?")
        await ada.who.edit(ada.room, said, "What is LOD?", mention=[ada.bot])
        await one.begun()
        answerer.write("half an answer ")
        await ada.sees(said, "half an")
        for words in ("What is a QTL?", "What is BXD?"):
            await ada.who.edit(ada.room, said, words, mention=[ada.bot])
        await until(lambda: one.questions[-1] == "What is BXD?", "the last words are asked")
        answerer.write("BXD is ")
        await ada.sees(said, "BXD is")
        before = len(ada.lines())
        await ada.who.edit(ada.room, said, "Never mind.")
        await one.settled()
        await until(lambda: ada.lines() == [], "what was begun is gone")

        assert 1 == before


async def test_m9_a_message_of_locus_is_removed_by_a_moderator_while_it_is_written(stage: Stage) -> None:
    """It is not posted again: somebody did not want it there."""
    answerer = WritingAnswerer()
    async with stage.asking() as ada, stage.serving(answerer) as one:
        asked = await ada.ask("What happens?")
        await one.begun()
        answerer.write("half an answer ")
        line = await ada.sees(asked, "half an")
        await ada.who.redact(ada.room, line.event_id)
        await ada.sees(await ada.ask("help"), "!locus")  # what was before that has been heard of
        answerer.write("and more")
        answerer.finish()
        await one.settled()
        await ada.caught_up()

        assert [] == ada.lines(asked)
        assert 1 == len(one.questions)
