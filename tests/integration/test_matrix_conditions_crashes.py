"""Processes that die and homeservers that go away, while questions are asked in Matrix: each is answered once."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters.matrix.account import MatrixAccount
from adapters.matrix.options import Credentials, Options
from bot.messages import Place
from bot.replies import Reply
from bot.store.client import Store
from tests.matrix_adapter import Asker, Stage, until
from tests.matrix_server.faulty_proxy import FaultyProxy, Trouble
from tests.matrix_server.person import person
from tests.matrix_server.synapse import MISSING, SYNAPSE_PYTHON, Synapse
from tests.redis_servers import RedisServer
from tests.writing_answerer import WritingAnswerer

OUTAGE_S = 10.0
BOTH = pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])


def position_of(stage: Stage) -> Path:
    """The file that holds up to where events were accepted."""
    return stage.data / "position.json"


async def ready(ada: Asker, *, encrypted: bool) -> None:
    """Wait until she may ask."""
    if encrypted:
        await ada.knows_locus()


@BOTH
async def test_m1_a_crash_between_receiving_and_answering(stage: Stage, encrypted: bool) -> None:
    """The next process goes on where the dead one was, also from an older position: one message, one answer."""
    answerer = WritingAnswerer()
    async with stage.asking(encrypted=encrypted) as ada:
        async with stage.serving(answerer) as first:
            await ready(ada, encrypted=encrypted)
            before = stage.data.parent / "before.json"
            shutil.copy(position_of(stage), before)
            asked = await ada.ask("What is BXD?")
            await first.begun()
            answerer.write("half an answer ")
            await ada.sees(asked, "half an answer")
            posted = [line.event_id for line in ada.lines()]
            await first.kill()
        shutil.copy(before, position_of(stage))  # as after a crash before the position was stored
        async with stage.serving() as second:
            await ada.answered(asked)
            await second.settled()
            await ada.caught_up()

            assert posted == [line.event_id for line in ada.lines()]
            assert ["About: What is BXD? [1]"] == [line.body.splitlines()[0] for line in ada.lines()]


async def test_m1_an_answer_that_was_given_is_not_given_again_from_an_older_position(stage: Stage) -> None:
    """What is delivered a second time after a restart was accepted already."""
    async with stage.asking() as ada:
        async with stage.serving() as first:
            before = position_of(stage).read_bytes()
            asked = await ada.ask("What is BXD?")
            await ada.answered(asked)
            await first.settled()
            edits = ada.lines()[0].edits
        position_of(stage).write_bytes(before)
        async with stage.serving() as second:
            following = await ada.ask("What is a QTL?")
            await ada.answered(following)
            await second.settled()

            assert ["What is a QTL?"] == second.questions
            assert edits == ada.lines(asked)[0].edits
            assert 2 == len(ada.lines())


@BOTH
async def test_m1_a_crash_between_a_post_and_its_record(
    stage: Stage, encrypted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The homeserver knows the transaction: the next process makes that message the answer."""
    posted = asyncio.Event()
    async with stage.asking(encrypted=encrypted) as ada:
        async with stage.serving() as first:
            await ready(ada, encrypted=encrypted)
            post = first.adapter.post

            async def post_and_die(place: Place, reply: Reply, *, key: str, answers: str) -> str:
                event_id = await post(place, reply, key=key, answers=answers)
                first.store.dead = True
                posted.set()
                return event_id

            monkeypatch.setattr(first.adapter, "post", post_and_die)
            asked = await ada.ask("What is LOD?")
            async with asyncio.timeout(30):
                await posted.wait()
            await first.kill()
        async with stage.serving() as second:
            await ada.answered(asked)
            await second.settled()
            await ada.caught_up()

        assert 1 == len(ada.lines())


async def test_m1_the_store_is_away_while_a_question_arrives(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is confirmed to the homeserver that is not stored: the question is heard again and answered once."""
    async with stage.asking() as ada, stage.serving() as one:
        before = position_of(stage).read_bytes()
        one.store.dead = True
        asked = await ada.ask("What is BXD?")
        await ada.caught_up()
        await until(lambda: "Matrix: " in caplog.text, "the question was not stored")
        while_away = position_of(stage).read_bytes()
        one.store.dead = False
        await ada.answered(asked)
        await one.settled()

        assert before == while_away
        assert before != position_of(stage).read_bytes()
        assert 1 == len(ada.lines())


PAGES = {
    "502": Trouble(status=502),
    "cut": Trouble(cut=True),
    "lost": Trouble(lose=True),
    "no JSON": Trouble(status=200),
}


@pytest.mark.parametrize("kind", PAGES)
async def test_m2_a_proxy_fails_for_ten_seconds_in_the_middle_of_an_answer(stage: Stage, kind: str) -> None:
    """Fewer than twenty requests are made meanwhile, and afterwards one answer is there, whole."""
    answerer = WritingAnswerer()
    async with (
        FaultyProxy(stage.synapse.url) as proxy,
        stage.asking() as ada,
        stage.serving(answerer, url=proxy.url) as one,
    ):
        asked = await ada.ask("What happens?")
        await one.begun()
        answerer.write("word0 ")
        await ada.sees(asked, "word0")
        before, begun = proxy.count(), time.monotonic()
        proxy.trouble("", PAGES[kind])
        answerer.write("word1 ", "word2")
        answerer.finish()
        await until(lambda: time.monotonic() >= begun + OUTAGE_S)
        during = proxy.count() - before
        proxy.clear()
        line = await ada.answered(asked)
        await one.settled()
        await ada.caught_up()

        assert 20 > during
        assert "word0 word1 word2" == line.body.splitlines()[0]
        assert 1 == len(ada.lines())


async def test_m2_the_homeserver_is_killed_in_the_middle_of_an_answer(
    tmp_path: Path, store: Store, redis_server: RedisServer
) -> None:
    """What is asked before and after is answered once when it is back."""
    if not SYNAPSE_PYTHON.exists():
        pytest.skip(MISSING)
    answerer = WritingAnswerer()
    with Synapse() as synapse:
        stage = Stage(synapse, tmp_path, redis_server.url, store.prefix)
        async with (
            FaultyProxy(synapse.url) as proxy,
            stage.asking() as ada,
            stage.serving(answerer, url=proxy.url) as one,
        ):
            asked = await ada.ask("What happens?")
            await one.begun()
            answerer.write("word0 ")
            await ada.sees(asked, "word0")
            before = proxy.count()
            await asyncio.to_thread(synapse.kill)
            begun = time.monotonic()
            answerer.write("word1 ")
            await until(lambda: time.monotonic() >= begun + 6)
            during = proxy.count() - before
            await asyncio.to_thread(synapse.start)
            answerer.write("word2")
            answerer.finish()
            line = await ada.answered(asked)
            following = await ada.ask("And now?")
            answerer.finish()
            await ada.answered(following)
            await one.settled()

            assert 20 > during
            assert "word0 word1 word2" == line.body.splitlines()[0]
            assert [1, 1] == [len(ada.lines(root)) for root in (asked, following)]


@BOTH
async def test_m3_thirty_five_questions_while_it_was_away(stage: Stage, encrypted: bool) -> None:
    """Each is answered once, however many messages of others stand between them."""
    async with stage.asking(encrypted=encrypted) as ada:
        async with stage.serving() as first:
            await ready(ada, encrypted=encrypted)
            await ada.answered(await ada.ask("Are you there?"))
            await first.settled()
        asked = []
        for number in range(35):
            asked.append(await ada.ask(f"What is trait {number}?"))
            for _ in range(2):
                await ada.say("We talk about something else.")
        async with stage.serving() as second:
            for question in asked:
                await ada.answered(question)
            await second.settled()
            await ada.caught_up()

            assert [f"What is trait {number}?" for number in range(35)] == sorted(
                second.questions, key=lambda text: int(text[14:-1])
            )
            assert [1] * 35 == [len(ada.lines(question)) for question in asked]
            assert 36 == len(ada.lines())


async def test_m5_a_token_is_revoked_in_the_middle_of_an_answer(stage: Stage) -> None:
    """The question is kept until an operator has logged in again, and is answered then in the same message."""
    answerer = WritingAnswerer()
    async with stage.asking() as ada:
        async with stage.serving(answerer) as first:
            asked = await ada.ask("What happens?")
            await first.begun()
            answerer.write("half an answer ")
            line = await ada.sees(asked, "half an")
            async with person(stage.synapse.url, stage.bot) as bot:
                await bot.log_out()
            await until(lambda: not first.service.health.ready(), "the part is down")
            answerer.write("and more")
            await first.kill()
        options = Options(stage.synapse.url, stage.bot.user_id)
        await MatrixAccount(options, stage.data, Credentials(password=SecretStr(stage.bot.password))).log_in()
        async with stage.serving() as second:
            await ada.answered(asked)
            await second.settled()
            await ada.caught_up()

            assert [line.event_id] == [one.event_id for one in ada.lines()]
            assert ["What happens?"] == second.questions


async def test_m5_a_token_is_revoked(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """One line in the log says what to do, the part is down, and the homeserver is not asked again and again."""
    async with FaultyProxy(stage.synapse.url) as proxy, stage.asking() as ada, stage.serving(url=proxy.url) as one:
        await ada.answered(await ada.ask("What is BXD?"))
        await one.settled()
        before = proxy.count()
        with caplog.at_level(logging.WARNING):
            async with person(stage.synapse.url, stage.bot) as bot:
                await bot.log_out()
            await until(lambda: not one.service.health.ready(), "the part is down")
            begun = time.monotonic()
            await until(lambda: time.monotonic() >= begun + 6)
        during = proxy.count() - before
        alerts = [record for record in caplog.records if record.name == "bot.health"]
        others = [record for record in caplog.records if record.levelno > logging.WARNING]

        assert 1 == len(alerts)
        assert "locus matrix login" in alerts[0].getMessage()
        assert [] == others
        assert 12 > during
        assert not one.task.done()
