"""One-time keys on a real homeserver: lost answers to uploads, and messages between devices that nobody can open."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from nio.events import RoomMessageText
from nio.responses import SyncResponse

from bot.errors import BotError
from tests.matrix_server.encrypting import encrypting
from tests.matrix_server.faulty_proxy import FaultyProxy, Trouble
from tests.matrix_server.locus import join, locus_session, sync_once
from tests.matrix_server.person import person
from tests.matrix_server.synapse import Synapse

UPLOAD = "/keys/upload"


async def test_keys_whose_upload_was_not_confirmed_can_be_used(synapse: Synapse, tmp_path: Path) -> None:
    """The homeserver has them and gives them away; another process uploads the same ones and reads what comes."""
    bot, ada = synapse.register("locus"), synapse.register("ada")
    async with FaultyProxy(synapse.url) as proxy:
        proxy.trouble(UPLOAD, Trouble(lose=True))
        with pytest.raises(BotError):
            async with locus_session(proxy.url, bot, tmp_path / "locus"):
                pass
        proxy.clear()
        async with locus_session(proxy.url, bot, tmp_path / "locus") as session:
            async with person(synapse.url, ada) as maker:
                room = await maker.create_room(bot.user_id, encrypted=True)
            await join(session, room)
            async with encrypting(synapse.url, ada, tmp_path / "ada") as writer:
                await writer.say(room, "Which strain is this?")
            answer = await sync_once(session)
            events = answer.rooms.join[room].timeline.events

    assert ["Which strain is this?"] == [event.body for event in events if isinstance(event, RoomMessageText)]


@pytest.mark.parametrize("body", ["AwogAAAA", "no base64 at all", ""])
async def test_a_message_between_devices_that_is_none_stops_nothing(
    synapse: Synapse, tmp_path: Path, body: str
) -> None:
    """Anybody may send it; what comes with it and after it is heard."""
    bot, eve = synapse.register("locus"), synapse.register("eve")
    async with locus_session(synapse.url, bot, tmp_path / "locus") as session, person(synapse.url, eve) as writer:
        assert session.client.olm is not None
        ours = session.client.olm.account.identity_keys["curve25519"]
        room = await writer.create_room(bot.user_id)
        await join(session, room)
        sealed = {
            "algorithm": "m.olm.v1.curve25519-aes-sha2",
            "sender_key": "A" * 43,
            "ciphertext": {ours: {"type": 0, "body": body}},
        }
        messages = {"messages": {bot.user_id: {session.device_id: sealed}}}
        await writer.call("PUT", f"/sendToDevice/m.room.encrypted/{secrets.token_hex(8)}", messages)
        await writer.say(room, "Is anybody there?")
        answer = await sync_once(session)
        events = answer.rooms.join[room].timeline.events

    assert ["Is anybody there?"] == [event.body for event in events if isinstance(event, RoomMessageText)]


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.mark.parametrize("step", ["save_session", "save_inbound_group_session"])
async def test_a_process_that_dies_while_it_stores_a_room_key_has_it_after_the_restart(
    synapse: Synapse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The message that carries the key comes again, and can be opened again."""
    bot, ada = synapse.register("locus"), synapse.register("ada")
    async with (
        person(synapse.url, ada) as maker,
        encrypting(synapse.url, ada, tmp_path / "ada") as writer,
    ):
        async with locus_session(synapse.url, bot, tmp_path / "locus") as session:
            room = await maker.create_room(bot.user_id, encrypted=True)
            await join(session, room)
            await sync_once(session)
            position = session.client.next_batch
            await writer.say(room, "Which strain is this?")

            def die(*_: object) -> None:
                raise Killed

            monkeypatch.setattr(session.client.store, step, die)
            with pytest.raises(Killed):
                await sync_once(session)
        async with locus_session(synapse.url, bot, tmp_path / "locus") as session:
            answer = await session.client.sync(timeout=0, since=position, full_state=True)
            assert isinstance(answer, SyncResponse)
            events = answer.rooms.join[room].timeline.events

    assert ["Which strain is this?"] == [event.body for event in events if isinstance(event, RoomMessageText)]
