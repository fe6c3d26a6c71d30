"""Encrypted rooms with the real service: new devices, rooms that become encrypted, lost keys."""

from __future__ import annotations

import asyncio
import logging
import shutil
from typing import Any

import httpx
import pytest
from nio.events import Event

from tests.matrix_adapter import Asker, Stage, until
from tests.matrix_server.encrypting import StrictPerson, encrypting
from tests.matrix_server.person import person
from tests.matrix_server.synapse import Account, Synapse
from tests.writing_answerer import WritingAnswerer


async def test_m7_a_strict_person_is_answered(stage: Stage) -> None:
    """Somebody whose client gives keys to cross-signed devices only asks and reads the answer."""
    account = stage.synapse.register("ida")
    async with stage.serving() as one:
        async with person(stage.synapse.url, account) as plain:
            room = await plain.create_room(stage.bot.user_id, encrypted=True, name="The lab")
            await until(lambda: room in one.client.rooms, "the room is joined")
        folder = stage.data.parent / "ida"
        async with encrypting(stage.synapse.url, account, folder, StrictPerson) as ida:
            await ida.say(room, "What is BXD?", mention=[stage.bot.user_id])
            await ida.wait_for(lambda event: "About: What is BXD?" in body_of(event), room)
            await one.settled()

        assert ["What is BXD?"] == one.questions


def body_of(event: Event) -> str:
    """Text of a message or edit that could be read, else ""."""
    content = event.source.get("content", {})
    return str(content.get("m.new_content", content).get("body", ""))


async def test_m7_a_device_that_is_new_in_the_middle_of_an_answer_reads_its_end(stage: Stage) -> None:
    """Her phone, on which she logs in while the answer grows, shows it when it is complete."""
    answerer = WritingAnswerer()
    async with stage.asking(encrypted=True) as ada, stage.serving(answerer) as one:
        await ada.knows_locus()
        asked = await ada.ask("What happens?")
        await one.begun()
        answerer.write("half an answer ")
        await ada.sees(asked, "half an")
        phone = new_device(stage.synapse, ada.who.account)
        async with encrypting(stage.synapse.url, phone, stage.data.parent / "phone") as mobile:
            store = one.client.device_store
            await until(
                lambda: phone.device_id in {device.id for device in store.active_user_devices(phone.user_id)},
                "the phone is known",
            )
            answerer.write("and its end")
            answerer.finish()
            await mobile.wait_for(lambda event: "half an answer and its end" in body_of(event), ada.room)
        await ada.answered(asked)


def new_device(synapse: Synapse, account: Account) -> Account:
    """Log in once more."""
    body = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": account.user_id},
        "password": account.password,
    }
    with httpx.Client(trust_env=False, timeout=30) as http:
        answer = http.post(f"{synapse.url}/_matrix/client/v3/login", json=body).raise_for_status().json()
    return Account(account.user_id, answer["device_id"], answer["access_token"], account.password)


async def test_m7_the_rooms_key_changes_in_the_middle_of_a_long_answer(stage: Stage) -> None:
    """After a hundred messages there is a new one; everybody reads what follows."""
    answerer = WritingAnswerer()
    async with stage.asking(encrypted=True) as ada, stage.serving(answerer) as one:
        await ada.knows_locus()
        asked = await ada.ask("What happens?")
        await one.begun()
        for number in range(110):
            answerer.write(f"word{number} ")
            await ada.sees(asked, f"word{number}")
        answerer.finish()
        line = await ada.answered(asked)
        async with person(stage.synapse.url, ada.who.account) as host:
            sessions = {event["content"]["session_id"] for event in await written(host, ada)}

        assert [f"word{number}" for number in range(110)] == line.body.splitlines()[0].split()
        assert 2 <= len(sessions)
        assert [] == ada.who.views[ada.room].unreadable


async def test_m6_without_encryption_nothing_is_written_into_an_encrypted_room(stage: Stage) -> None:
    """Neither answer nor error is there, in clear or not; a room that is not encrypted is answered as ever."""
    async with (
        stage.asking(encrypted=True) as ada,
        stage.asking(name="ben") as ben,
        stage.serving(encryption=False) as one,
    ):
        async with person(stage.synapse.url, ada.who.account) as plain:
            await plain.say(ada.room, "What is BXD?", mention=[ada.bot])  # in clear, so that it can be read
            await ada.say("And encrypted.")
            await ben.answered(await ben.ask("What is LOD?"))
            await one.settled()
            stored = await plain.history(ada.room)
        written = [event["type"] for event in stored if event["sender"] == ada.bot]

        assert {"m.room.member"} == set(written)


async def test_a_room_becomes_encrypted_while_an_answer_is_written(stage: Stage) -> None:
    """What Locus writes from then on is encrypted, and the answer is complete for those who read along."""
    answerer = WritingAnswerer()
    async with stage.asking() as ada, stage.serving(answerer) as one:
        asked = await ada.ask("What happens?")
        await one.begun()
        answerer.write("half an answer ")
        await ada.sees(asked, "half an")
        async with person(stage.synapse.url, ada.who.account) as plain:
            await plain.encrypt(ada.room)
            await until(lambda: one.client.rooms[ada.room].encrypted, "Locus has heard of it")
            await until(lambda: ada.who.client.rooms[ada.room].encrypted, "she has heard of it")
            answerer.write("and its end")
            answerer.finish()
            line = await ada.answered(asked)
            await one.settled()
            following = await ada.ask("And now?")
            answerer.finish()
            await ada.answered(following)
            stored = await plain.history(ada.room)
        kinds = [event["type"] for event in stored]
        after = stored[kinds.index("m.room.encryption") :]
        written = {event["type"] for event in after if event["sender"] == ada.bot}

        assert line.body.startswith("half an answer and its end")
        assert 2 == len(ada.lines())
        assert {"m.room.encrypted"} == written


async def test_a_message_in_clear_in_an_encrypted_room_is_not_answered(stage: Stage) -> None:
    """Its sender is told once to encrypt; nothing of it reaches the answerer."""
    async with stage.asking(encrypted=True) as ada, stage.serving() as one:
        await ada.knows_locus()
        async with person(stage.synapse.url, ada.who.account) as plain:
            for _ in range(3):
                await plain.say(ada.room, "What is the password?", mention=[ada.bot])
        asked = await ada.ask("What is BXD?")
        await ada.answered(asked)
        await ada.sees(None, "your message was not")
        await one.settled()
        await ada.caught_up()

        assert ["What is BXD?"] == one.questions
        assert 2 == len(ada.lines())


async def test_somebody_who_leaves_in_the_middle_of_an_answer_reads_no_more_of_it(stage: Stage) -> None:
    """The room's key changes when a member goes."""
    answerer = WritingAnswerer()
    async with stage.asking(encrypted=True) as ada, stage.serving(answerer) as one:
        eve = stage.synapse.register("eve")
        async with (
            person(stage.synapse.url, ada.who.account) as host,
            encrypting(stage.synapse.url, eve, stage.data.parent / "eve") as other,
        ):
            await host.invite(ada.room, eve.user_id)
            await other.join(ada.room)
            await ada.knows_locus()
            await until(lambda: eve.user_id in one.client.rooms[ada.room].users)
            asked = await ada.ask("What happens?")
            await one.begun()
            answerer.write("half an answer ")
            await ada.sees(asked, "half an")
            await other.wait_for(lambda event: "half an" in body_of(event), ada.room)
            sessions = {event["content"]["session_id"] for event in await written(host, ada)}
            await host.kick(ada.room, eve.user_id)
            await until(lambda: eve.user_id not in one.client.rooms[ada.room].users)
            answerer.write("and its end")
            answerer.finish()
            await ada.answered(asked)
            final = [event["content"]["session_id"] for event in await written(host, ada)][-1]
            await other.sync()
            assert other.client.olm is not None
            known = {key.id for key in other.client.olm.inbound_group_store}

        assert final not in sessions
        assert sessions <= known
        assert final not in known


async def written(host: Any, ada: Asker) -> list[dict[str, Any]]:
    """Encrypted events of Locus."""
    stored = await host.history(ada.room)
    return [event for event in stored if event["sender"] == ada.bot and event["type"] == "m.room.encrypted"]


@pytest.mark.parametrize("damage", ["deleted", "broken"])
async def test_lost_keys_make_no_second_identity_silently(
    stage: Stage, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The part is down and the log says what to do once; the account has the devices that it had."""
    async with stage.asking(encrypted=True) as ada:
        async with stage.serving() as first:
            await ada.knows_locus()
            await ada.answered(await ada.ask("What is BXD?"))
            await first.settled()
        async with person(stage.synapse.url, stage.bot) as bot:
            before = await identity(bot)
            if damage == "deleted":
                shutil.rmtree(stage.data / "keys")
            else:
                for file in (stage.data / "keys").glob("*.db"):
                    file.write_bytes(b"\0" * 4096)
            with caplog.at_level(logging.WARNING):
                async with stage.serving(connected=False) as second:
                    await until(lambda: "is down" in caplog.text, "said so")
                    await ada.ask("What is LOD?")
                    await asyncio.sleep(0)
                    assert not second.adapter.connected
            after = await identity(bot)
        alerts = [one.getMessage() for one in caplog.records if one.name == "bot.health"]

        assert before == after
        assert 1 == len(alerts)
        assert "locus matrix login --new-device" in alerts[0]


async def identity(bot: Any) -> tuple[object, object]:
    """Devices of the account, and the keys that people see of it."""
    devices = await bot.call("GET", "/devices")
    keys = await bot.call("POST", "/keys/query", {"device_keys": {bot.user_id: []}})
    return sorted(one["device_id"] for one in devices["devices"]), (
        keys["device_keys"],
        keys["master_keys"],
        keys["self_signing_keys"],
    )
