"""Handlers that raise or take long, clocks that are wrong, very long threads: the real service and homeserver."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from bot.chat import Accepted
from bot.messages import IncomingMessage
from bot.store.client import Store
from tests.fakes import HeldAnswerer
from tests.matrix_adapter import Stage, until
from tests.matrix_server.person import Person, person
from tests.matrix_server.synapse import MISSING, SERVER_NAME, SYNAPSE_PYTHON, Synapse
from tests.redis_servers import RedisServer

THREAD = 1000
DAY_MS = 86_400_000


@pytest.mark.parametrize("times", [1, 100], ids=["once", "always"])
async def test_m12_a_handler_raises(stage: Stage, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails once is answered on the second try; what fails always is left out, and others are answered."""
    failures = iter(range(times))
    async with stage.asking() as ada, stage.asking(name="ben") as ben, stage.serving() as one:
        reception = one.service.reception
        take = reception.message

        async def failing(message: IncomingMessage) -> Accepted | None:
            if "BXD" in message.text and next(failures, None) is not None:
                raise RuntimeError("a defect")
            return await take(message)

        monkeypatch.setattr(reception, "message", failing)
        asked = await ada.ask("What is BXD?")
        other = await ben.ask("What is LOD?")
        await ben.answered(other)
        if times == 1:
            await ada.answered(asked)
        following = await ada.ask("What is QTL?")
        await ada.answered(following)
        await one.settled()

        expected = ["What is LOD?", "What is QTL?"] + (["What is BXD?"] if times == 1 else [])
        assert sorted(expected) == sorted(one.questions)
        assert one.service.health.ready()


async def test_m12_an_answer_that_takes_minutes_holds_up_nothing(stage: Stage) -> None:
    """It outlives its lease many times, others are answered meanwhile, and it is written once."""
    lease_s = 1.0
    async with (
        stage.asking() as ada,
        stage.asking(name="ben") as ben,
        stage.serving(settings={"lease_s": lease_s}) as one,
    ):
        slow = await ada.ask("A slow question")
        await one.begun()
        begun = asyncio.get_running_loop().time()
        number = 0
        while (
            asyncio.get_running_loop().time() < begun + 8 * lease_s or number < 3
        ):  # as three minutes of longer leases
            number += 1
            await ben.answered(await ben.ask(f"What is trait {number}?"))
        one.answerer.release.set()
        line = await ada.answered(slow)
        await one.settled()

        assert 1 == one.questions.count("A slow question")
        assert "About: A slow question [1]" == line.body.splitlines()[0]
        assert 1 == len(ada.lines())


async def test_m12_two_questions_at_once_in_two_rooms(stage: Stage) -> None:
    """Both answers are being written before either is complete, each in its own room."""
    async with stage.asking() as ada, stage.asking(name="ben") as ben, stage.serving() as one:
        first, second = await asyncio.gather(ada.ask("A slow one"), ben.ask("Another slow one"))
        await until(lambda: len(one.questions) == 2, "both are written")
        one.answerer.release.set()
        lines = [await ada.answered(first), await ben.answered(second)]
        await one.settled()

        assert ["About: A slow one [1]", "About: Another slow one [1]"] == [line.body.splitlines()[0] for line in lines]
        assert [1, 1] == [len(ada.lines()), len(ben.lines())]


async def test_m12_questions_of_one_thread_are_answered_in_their_order(stage: Stage) -> None:
    """The second waits for the first, and its answer knows it."""
    async with stage.asking() as ada, stage.serving() as one:
        root = await ada.ask("A slow one")
        await one.begun()
        await ada.ask("And the next?", thread=root)
        elsewhere = await ada.ask("What is LOD?")
        await ada.answered(elsewhere)
        before = list(one.questions)
        one.answerer.release.set()
        await ada.answered(root, 2)
        await one.settled()

        assert ["A slow one", "What is LOD?"] == before
        assert "And the next?" == one.questions[-1]
        assert "A slow one" in str(one.answerer.asked[-1].history)


class Bridge:
    """An application service that may say when an event happened, for people whose names begin with "skewed".

    Args:
        synapse: Registered there.
        token: Of the service.
    """

    def __init__(self, synapse: Synapse, token: str) -> None:
        self._url = synapse.url
        self._token = token

    async def say(self, who: Person, room: str, text: str, mention: str, at_ms: int) -> str:
        """Send a message that claims a time, and return its id. Source: application service API, "Timestamp"."""
        path = f"/_matrix/client/v3/rooms/{quote(room)}/send/m.room.message/{secrets.token_hex(8)}"
        body = {"msgtype": "m.text", "body": text, "m.mentions": {"user_ids": [mention]}}
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            answer = await http.put(
                f"{self._url}{path}",
                json=body,
                params={"user_id": who.user_id, "ts": str(at_ms)},
                headers={"Authorization": f"Bearer {self._token}"},
            )
        return str(answer.raise_for_status().json()["event_id"])


def registration(folder: Path, token: str) -> Path:
    """Write the file that registers the bridge."""
    file = folder / "bridge.yaml"
    users = [{"exclusive": False, "regex": f"@skewed.*:{SERVER_NAME}"}]
    content = {
        "id": "bridge",
        "url": None,
        "as_token": token,
        "hs_token": secrets.token_hex(8),
        "sender_localpart": "bridge",
        "rate_limited": False,
        "namespaces": {"users": users, "aliases": [], "rooms": []},
    }
    file.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    return file


async def test_m12_clocks_that_are_wrong(tmp_path: Path, store: Store, redis_server: RedisServer) -> None:
    """A question of 1970 or of the next century is as new as the moment it arrives, and keeps its place."""
    if not SYNAPSE_PYTHON.exists():
        pytest.skip(MISSING)
    token = secrets.token_hex(8)
    with Synapse(app_service_config_files=[str(registration(tmp_path, token))]) as synapse:
        bridge = Bridge(synapse, token)
        stage = Stage(synapse, tmp_path, redis_server.url, store.prefix)
        async with stage.asking(name="skewed") as ada:
            async with person(synapse.url, ada.who.account) as who, stage.serving() as one:
                times = [1, 4_000_000_000_000, 2, 3_000_000_000_000, 2_000_000 * DAY_MS]
                asked = [
                    await bridge.say(who, ada.room, f"What is {number}?", ada.bot, at_ms)
                    for number, at_ms in enumerate(times)
                ]
                for question in asked:
                    await ada.answered(question)
                await one.settled()
                stored = {event["event_id"]: event["origin_server_ts"] for event in await who.history(ada.room)}
            async with stage.serving() as again:
                late = await ada.ask("What is new?")
                await ada.answered(late)
                await again.settled()

            assert times == [stored[question] for question in asked]
            assert [f"What is {number}?" for number in range(len(times))] == sorted(one.questions)
            assert ["What is new?"] == again.questions
            assert 6 == len(ada.lines())


async def test_m12_a_thread_of_a_thousand_messages(stage: Stage) -> None:
    """After a restart a question in it is answered there once, also by a process that follows one that died."""
    async with stage.asking() as ada, person(stage.synapse.url, ada.who.account) as host:
        answerer = HeldAnswerer()
        async with stage.serving(answerer) as first:
            root = await ada.ask("What is BXD?")
            await ada.answered(root)
            await first.settled()
        several = asyncio.Semaphore(8)

        async def say(number: int) -> None:
            async with several:
                await host.say(ada.room, f"Message {number}", thread=root, mention=["@ben:x"])

        await asyncio.gather(*(say(number) for number in range(THREAD)))
        async with stage.serving() as second:
            await ada.ask("A slow question", thread=root)
            await second.begun()
            await ada.sees(root, "About: ")
            await second.kill()
        async with stage.serving() as third:
            third.answerer.release.set()
            await until(lambda: any("A slow question" in line.body for line in ada.answers(root)), "it is answered")
            await ada.ask("And then?", thread=root)
            await ada.answered(root, 3)
            await third.settled()

            assert 3 == len(ada.lines(root))
            assert ["A slow question", "And then?"] == third.questions
