"""Rooms that come and go, and very many of them: the real service over a real homeserver."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from bot.messages import Audience, Place
from bot.replies import Reply
from bot.replies import Stage as ReplyStage
from bot.store.client import Store
from tests.matrix_adapter import Asker, Stage, until
from tests.matrix_server.faulty_proxy import FaultyProxy
from tests.matrix_server.person import Person, person
from tests.matrix_server.synapse import MISSING, SYNAPSE_PYTHON, Synapse
from tests.redis_servers import RedisServer
from tests.writing_answerer import WritingAnswerer

ROOMS = int(os.environ.get("MATRIX_ROOMS", "100"))  # 500 in `make soak-matrix`
STORM = 60
BOTH = pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])


async def membership(by: Person, room: str, user_id: str) -> str:
    """What somebody is in a room."""
    return (await by.members(room)).get(user_id, "")


async def becomes(by: Person, room: str, user_id: str, wanted: str) -> None:
    """Wait until somebody is this in a room."""
    async with asyncio.timeout(45):
        while await membership(by, room, user_id) != wanted:  # noqa: ASYNC110 - polled on purpose, with a deadline
            await asyncio.sleep(0.05)


@BOTH
async def test_m10_an_upgraded_room_goes_on_in_the_new_one(stage: Stage, encrypted: bool) -> None:
    """Locus accepts the invitation to the private replacement and answers; what goes to the old room comes there."""
    async with (
        stage.asking(encrypted=encrypted, version="10") as ada,
        stage.serving() as one,
        person(stage.synapse.url, ada.who.account) as host,
    ):
        if encrypted:
            await ada.knows_locus()
        await ada.answered(await ada.ask("What is BXD?"))
        await one.settled()
        new = await host.upgrade(ada.room, "12")
        if encrypted:
            await host.encrypt(new)
        await host.invite(new, ada.bot)
        await becomes(host, new, ada.bot, "join")
        await until(lambda: one.room_of(ada.room) == new, "moved")
        there = Asker(ada.who, new, ada.bot)
        await until(lambda: new in ada.who.client.rooms)
        answered = await there.answered(await there.ask("What is LOD?"))
        await one.settled()
        place = Place("matrix", "localhost", ada.room, "", Audience.PRIVATE)
        digest = await one.adapter.post(place, Reply(ReplyStage.FINAL, "News.", answered=False), key="news", answers="")
        seen = await there.sees(None, "News.")

        assert ["What is BXD?", "What is LOD?"] == one.questions
        assert 1 == len({asked.scopes for asked in one.answerer.asked})  # the channel's documents are found in both
        assert answered.body.startswith("About: What is LOD?")
        assert digest == seen.event_id


async def test_m10_a_room_is_upgraded_in_the_middle_of_an_answer(stage: Stage) -> None:
    """The answer is complete in the room where people are now, and told once."""
    answerer = WritingAnswerer()
    async with (
        stage.asking(version="10") as ada,
        stage.serving(answerer) as one,
        person(stage.synapse.url, ada.who.account) as host,
    ):
        asked = await ada.ask("What happens?")
        await one.begun()
        answerer.write("half an answer ")
        await ada.sees(asked, "half an")
        new = await host.upgrade(ada.room, "12")
        await host.invite(new, ada.bot)
        await until(lambda: one.room_of(ada.room) == new, "moved")
        answerer.write("and its end")
        answerer.finish()
        there = Asker(ada.who, new, ada.bot)
        await until(lambda: new in ada.who.client.rooms)
        await one.settled()
        await there.sees(None, "half an answer and its end")

        assert 1 == len([line for line in there.lines() if "and its end" in line.body])
        assert 0 == await one.dead_letters()


async def test_m10_a_tombstone_that_lies_moves_nothing(stage: Stage) -> None:
    """A room that does not name this one as its predecessor is not its successor, whatever the tombstone says."""
    async with (
        stage.asking() as ada,
        stage.asking(name="eve") as eve,
        stage.serving() as one,
        person(stage.synapse.url, ada.who.account) as host,
    ):
        await host.state(ada.room, "m.room.tombstone", {"body": "moved", "replacement_room": eve.room})
        await ada.answered(await ada.ask("What is BXD?"))
        await one.settled()

        assert ada.room == one.room_of(ada.room)


@pytest.mark.parametrize("way", ["kicked", "banned"])
async def test_m10_it_is_thrown_out_in_the_middle_of_an_answer(stage: Stage, way: str) -> None:
    """The question ends there with few calls; other rooms are answered, and it comes back when it is invited again."""
    answerer = WritingAnswerer()
    async with (
        stage.asking() as ada,
        stage.asking(name="ben") as ben,
        stage.serving(answerer) as one,
        person(stage.synapse.url, ada.who.account) as host,
    ):
        asked = await ada.ask("What happens?")
        await one.begun()
        answerer.write("half an answer ")
        await ada.sees(asked, "half an")
        await host.kick(ada.room, ada.bot, ban=way == "banned")
        await until(lambda: ada.room not in one.client.rooms, "it has heard of it")
        answerer.write("and more")
        answerer.finish()
        await one.settled()
        other = await ben.ask("And here?")
        answerer.finish()
        await ben.answered(other)
        if way == "banned":
            await host.call("POST", f"/rooms/{ada.room}/unban", {"user_id": ada.bot})
        await host.invite(ada.room, ada.bot)
        await until(lambda: ada.room in one.client.rooms, "it is back")
        again = await ada.ask("And now?")
        answerer.finish()
        await ada.answered(again)
        await one.settled()

        assert 1 == await one.dead_letters()
        assert one.service.health.ready()


async def test_m10_a_storm_of_invitations_does_not_hold_up_answers(stage: Stage) -> None:
    """While many rooms are joined, questions elsewhere are answered; in the end it is in all of them."""
    async with (
        stage.asking() as ada,
        stage.serving() as one,
        person(stage.synapse.url, ada.who.account) as host,
    ):
        rooms = await make_rooms(host, STORM, ada.bot)
        asked = await ada.ask("What is BXD?")
        await ada.answered(asked)
        await until(lambda: set(rooms) <= set(one.client.rooms), "all are joined", within_s=150)
        last = rooms[-1]
        there = Asker(ada.who, last, ada.bot)
        await there.sees(None, "Locus")
        await there.answered(await there.ask("What is LOD?"))
        await one.settled()

        assert ["What is BXD?", "What is LOD?"] == one.questions
        assert one.service.health.ready()


async def make_rooms(host: Person, number: int, *invited: str) -> list[str]:
    """Make rooms, several at once."""
    several = asyncio.Semaphore(8)

    async def make(one: int) -> str:
        async with several:
            return await host.create_room(*invited, name=f"Room {one}")

    return await asyncio.gather(*(make(one) for one in range(number)))


@pytest.mark.parametrize("allowed", ["another user", "another server"])
async def test_m10_an_invitation_from_outside_the_allow_list_is_declined(stage: Stage, allowed: str) -> None:
    """Locus leaves with a reason, says nothing there, and answers those who may invite it."""
    ben = stage.synapse.register("ben")
    users = frozenset({ben.user_id}) if allowed == "another user" else frozenset()
    servers = frozenset({"example.org"}) if allowed == "another server" else frozenset()
    async with (
        stage.serving(allowed_users=users, allowed_servers=servers) as one,
        person(stage.synapse.url, stage.synapse.register("eve")) as eve,
        person(stage.synapse.url, ben) as friend,
    ):
        refused = await eve.create_room(stage.bot.user_id, name="Come")
        await becomes(eve, refused, stage.bot.user_id, "leave")
        own = [one for one in await eve.history(refused) if one.get("state_key") == stage.bot.user_id]
        if allowed == "another user":
            welcome = await friend.create_room(stage.bot.user_id, name="Come")
            await becomes(friend, welcome, stage.bot.user_id, "join")

        assert "not told to trust" in own[-1]["content"]["reason"]
        assert ["invite", "leave"] == [event["content"]["membership"] for event in own]
        assert refused not in one.client.rooms


async def test_m10_joins_that_the_homeserver_slows_down_are_made_in_time(
    tmp_path: Path, store: Store, redis_server: RedisServer
) -> None:
    """Of invitations that come faster than the homeserver lets anybody join none is lost, with few calls."""
    if not SYNAPSE_PYTHON.exists():
        pytest.skip(MISSING)
    slow = {"local": {"per_second": 1, "burst_count": 3}, "remote": {"per_second": 1, "burst_count": 3}}
    with Synapse(rc_joins=slow) as synapse:
        stage = Stage(synapse, tmp_path, redis_server.url, store.prefix)
        async with (
            FaultyProxy(synapse.url) as proxy,
            stage.serving(url=proxy.url) as one,
            person(synapse.url, synapse.register("ada")) as host,
        ):
            rooms = await make_rooms(host, 9, stage.bot.user_id)
            await until(lambda: set(rooms) <= set(one.client.rooms), "all are joined", within_s=90)

            assert 2 * len(rooms) >= proxy.count("/join/")
            assert one.service.health.ready()


async def test_hundreds_of_rooms_at_the_first_start(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing that was said before is answered, in no room; what is said afterwards is, in the first and the last."""
    account = stage.synapse.register("ada")
    loop = asyncio.get_running_loop()
    async with person(stage.synapse.url, account) as host, person(stage.synapse.url, stage.bot) as bot:
        begun = loop.time()
        rooms = await make_rooms(host, ROOMS, bot.user_id)
        several = asyncio.Semaphore(8)

        async def fill(room: str) -> None:
            async with several:
                await bot.join(room)
                await host.say(room, "What was BXD?", mention=[bot.user_id])

        await asyncio.gather(*(fill(room) for room in rooms))
        made = loop.time()
        async with stage.serving() as one:
            connected = loop.time()
            asked = [
                (room, await host.say(room, "What is BXD?", mention=[bot.user_id])) for room in (rooms[0], rooms[-1])
            ]
            await until(lambda: len(one.questions) == 2, "both are answered")
            await one.settled()
            events = [await host.history(room) for room in (rooms[0], rooms[len(rooms) // 2], rooms[-1])]
            said = [[event for event in room if event["sender"] == bot.user_id] for room in events]
            roots = {
                event["content"]["m.relates_to"]["event_id"]
                for room in said
                for event in room
                if event["content"].get("m.relates_to", {}).get("rel_type") == "m.thread"
            }
            with capsys.disabled():
                print(f"\n{ROOMS} rooms: made in {made - begun:.1f} s, connected in {connected - made:.1f} s")  # noqa: T201

            assert ["What is BXD?"] * 2 == one.questions
            assert {event_id for _, event_id in asked} == roots
            assert {"m.room.member"} == {event["type"] for event in said[1]}
