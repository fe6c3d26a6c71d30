"""Encrypted rooms on a real homeserver, and what matrix-nio leaves open there: adapters/matrix/nio_gaps.py."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from nio.events import Event, MegolmEvent, RoomMessageText
from nio.responses import ErrorResponse, RoomSendResponse

from adapters.matrix.cross_signing import Standing
from adapters.matrix.errors import ClearTextError, OutcomeUnknownError, checked, error_of, translated
from adapters.matrix.session import Session
from adapters.matrix.trust import Trust
from bot.errors import RefusedError, UnavailableError
from tests.matrix_server.encrypting import EncryptingPerson, StrictPerson, encrypting
from tests.matrix_server.faulty_proxy import FaultyProxy, Trouble
from tests.matrix_server.locus import join, locus_session, sync_once
from tests.matrix_server.person import person
from tests.matrix_server.synapse import Account, Synapse

TEXT = {"msgtype": "m.notice", "body": "Shh is on chromosome 5."}


def body_of(event: Event) -> str:
    """The text of a message that could be read, or ""."""
    return str(event.body) if isinstance(event, RoomMessageText) else str(event.source["content"].get("body", ""))


def is_encrypted(event: Event) -> bool:
    """Whether an event came encrypted and could not be read."""
    return isinstance(event, MegolmEvent)


def is_event(event_id: str) -> Callable[[Event], bool]:
    """Whether an event has this id."""
    return lambda event: bool(event_id == event.event_id)


async def heard(session: Session, text: str) -> Event:
    """Sync until Locus has read a text."""
    async with asyncio.timeout(30):
        while True:
            answer = await sync_once(session, timeout_s=2)
            for room in answer.rooms.join.values():
                for event in room.timeline.events:
                    if isinstance(event, RoomMessageText) and text == event.body:
                        return event


async def say(session: Session, room_id: str, text: str = TEXT["body"]) -> str:
    """Let Locus write, and return the event's id."""
    content = {"msgtype": "m.notice", "body": text}
    answer = await session.client.room_send(room_id, "m.room.message", content, secrets.token_hex(8))
    return checked(answer, RoomSendResponse).event_id


async def encrypted_room(synapse: Synapse, asker: Account, *others: Account) -> str:
    """Make an encrypted room in which everybody but the first has an invitation."""
    async with person(synapse.url, asker) as plain:
        return await plain.create_room(*(other.user_id for other in others), encrypted=True)


@pytest.mark.parametrize("kind", [EncryptingPerson, StrictPerson])
async def test_m7_a_person_and_locus_read_each_other_from_the_first_message(
    synapse: Synapse, tmp_path: Path, kind: type[EncryptingPerson]
) -> None:
    """Also somebody who gives keys to cross-signed devices only reads Locus and is read by it."""
    ada, bot = synapse.register("ada"), synapse.register("locus")
    async with locus_session(synapse.url, bot, tmp_path / "m") as locus:
        room = await encrypted_room(synapse, ada, bot)
        await join(locus, room)
        async with encrypting(synapse.url, ada, tmp_path / "ada", kind) as asker:
            await asker.say(room, "Where is Shh?")
            await heard(locus, "Where is Shh?")
            answer = await say(locus, room)
            seen = await asker.wait_for(is_event(answer), room)
            async with person(synapse.url, ada) as plain:
                stored = await plain.event(room, answer)

    assert TEXT["body"] == body_of(seen)
    assert "m.room.encrypted" == stored["type"]


async def test_m7_a_strict_person_gives_no_keys_to_a_device_nobody_vouches_for(
    synapse: Synapse, tmp_path: Path
) -> None:
    """The strict peer of these tests is one: without cross-signing Locus would read nothing of hers."""
    ada, bot = synapse.register("ada"), synapse.register("locus")
    room = await encrypted_room(synapse, ada, bot)
    async with encrypting(synapse.url, bot, tmp_path / "unsigned") as unsigned:
        await unsigned.join(room)
        async with encrypting(synapse.url, ada, tmp_path / "ada", StrictPerson) as asker:
            said = await asker.say(room, "Where is Shh?")
        seen = await unsigned.wait_for(is_event(said), room)

    assert is_encrypted(seen)


async def test_m7_sixty_claimed_one_time_keys_shut_nobody_out(synapse: Synapse, tmp_path: Path) -> None:
    """The homeserver always has a key to give: a fallback key when all fifty are taken, and new ones after a sync."""
    ada, bot = synapse.register("ada"), synapse.register("locus")
    async with locus_session(synapse.url, bot, tmp_path / "m") as locus:
        await sync_once(locus)
        counts = [await claim(synapse, ada, locus) for _ in range(60)]
        refilled = await sync_once(locus)
        after = await sync_once(locus)
        async with encrypting(synapse.url, ada, tmp_path / "ada") as asker:
            room = await encrypted_room(synapse, ada, bot)
            await join(locus, room)
            await asker.say(room, "Where is Shh?")
            await heard(locus, "Where is Shh?")

    assert 60 == sum(counts)
    assert 0 == refilled.device_key_count.signed_curve25519
    assert 50 == after.device_key_count.signed_curve25519


async def claim(synapse: Synapse, who: Account, locus: Session) -> int:
    """Take one of Locus's keys away, as a new device of somebody does; return how many were given."""
    wanted = {"one_time_keys": {locus.user_id: {locus.device_id: "signed_curve25519"}}}
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(
            f"{synapse.url}/_matrix/client/v3/keys/claim",
            json=wanted,
            headers={"Authorization": f"Bearer {who.access_token}"},
        )
    given: dict[str, Any] = answer.json()["one_time_keys"]
    return len(given.get(locus.user_id, {}).get(locus.device_id, {}))


async def test_m7_a_new_device_reads_what_is_written_after_it_came(synapse: Synapse, tmp_path: Path) -> None:
    """Somebody who logs in on a phone in the middle of an answer reads its next edit."""
    ada, bot = synapse.register("ada"), synapse.register("locus")
    async with locus_session(synapse.url, bot, tmp_path / "m") as locus:
        room = await encrypted_room(synapse, ada, bot)
        await join(locus, room)
        async with encrypting(synapse.url, ada, tmp_path / "ada"):
            first = await say(locus, room)
            phone = await new_device(synapse, ada)
            async with encrypting(synapse.url, phone, tmp_path / "phone") as asker:
                await sync_once(locus, timeout_s=5)
                second = await say(locus, room, "Shh is on chromosome 5 of the mouse.")
                seen = await asker.wait_for(is_event(second), room)
                old = next(event for _, event in asker.seen if event.event_id == first)

    assert "Shh is on chromosome 5 of the mouse." == body_of(seen)
    assert is_encrypted(old)


async def new_device(synapse: Synapse, account: Account) -> Account:
    """Log in once more."""
    wanted = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": account.user_id}}
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{synapse.url}/_matrix/client/v3/login", json=wanted | {"password": account.password})
    made = answer.raise_for_status().json()
    return Account(account.user_id, made["device_id"], made["access_token"], account.password)


async def test_after_a_restart_the_same_keys_open_and_close_messages(synapse: Synapse, tmp_path: Path) -> None:
    """What was written while Locus was away is read, and its answer is read by who knew it before."""
    ada, bot = synapse.register("ada"), synapse.register("locus")
    room = await encrypted_room(synapse, ada, bot)
    async with encrypting(synapse.url, ada, tmp_path / "ada") as asker:
        async with locus_session(synapse.url, bot, tmp_path / "m") as locus:
            await join(locus, room)
            await say(locus, room)
            device, position = locus.device_id, locus.client.next_batch
        await asker.say(room, "And Pax6?")
        async with locus_session(synapse.url, bot, tmp_path / "m") as locus:
            locus.client.next_batch = ""
            answer = await locus.client.sync(since=position, full_state=True)
            events = answer.rooms.join[room].timeline.events
            texts = [body_of(event) for event in events if ada.user_id == event.sender]
            said = await say(locus, room, "On chromosome 2.")
            seen = await asker.wait_for(is_event(said), room)

            assert device == locus.device_id
            assert Standing.SIGNED is locus.standing
    assert ["And Pax6?"] == texts
    assert "On chromosome 2." == body_of(seen)


async def test_m6_nothing_is_written_in_clear_into_an_encrypted_room(synapse: Synapse, tmp_path: Path) -> None:
    """Without keys Locus refuses to write there, and nothing is on the homeserver."""
    ada, bot = synapse.register("ada"), synapse.register("locus")
    room = await encrypted_room(synapse, ada, bot)
    async with locus_session(synapse.url, bot, tmp_path / "m", encryption=False) as locus:
        await join(locus, room)
        with pytest.raises(ClearTextError, match="LOCUS_MATRIX_ENCRYPTION"):
            await say(locus, room)
    async with person(synapse.url, ada) as plain:
        stored = [event["type"] for event in await plain.history(room)]

    assert not [kind for kind in stored if kind in ("m.room.message", "m.room.encrypted")]


async def test_nothing_is_written_into_a_room_that_is_not_known(synapse: Synapse, tmp_path: Path) -> None:
    """Before the first sync nobody knows whether a room is encrypted: nothing is sent, later it may be."""
    ada, bot = synapse.register("ada"), synapse.register("locus")
    room = await encrypted_room(synapse, ada, bot)
    async with locus_session(synapse.url, bot, tmp_path / "m", encryption=False) as locus:
        checked(await locus.client.join(room), object)
        with pytest.raises(UnavailableError):
            await say(locus, room)


async def test_a_room_that_becomes_encrypted_is_written_to_encrypted(synapse: Synapse, tmp_path: Path) -> None:
    """From the moment on that Locus has heard of it, and also after a restart."""
    ada, bot = synapse.register("ada"), synapse.register("locus")
    async with (
        person(synapse.url, ada) as plain,
        encrypting(synapse.url, ada, tmp_path / "ada"),
    ):
        room = await plain.create_room(bot.user_id)
        async with locus_session(synapse.url, bot, tmp_path / "m") as locus:
            await join(locus, room)
            before = await plain.event(room, await say(locus, room))
            await plain.encrypt(room)
            await sync_once(locus, timeout_s=5)
            after = await plain.event(room, await say(locus, room))
        async with locus_session(synapse.url, bot, tmp_path / "m") as locus:
            await sync_once(locus)
            restarted = await plain.event(room, await say(locus, room))

    kinds = [event["type"] for event in (before, after, restarted)]
    assert ["m.room.message", "m.room.encrypted", "m.room.encrypted"] == kinds


@pytest.mark.parametrize("path", ["/keys/claim", "/sendToDevice/", "/keys/query"])
@pytest.mark.parametrize(
    "trouble", [Trouble(status=502), Trouble(cut=True), Trouble(status=429, body={"errcode": "M_LIMIT_EXCEEDED"})]
)
async def test_a_room_key_that_did_not_arrive_is_given_again(
    synapse: Synapse, tmp_path: Path, path: str, trouble: Trouble
) -> None:
    """A failure while keys are given sends nothing that nobody could read, and hangs nothing: the next try works."""
    ada, bot = synapse.register("ada"), synapse.register("locus")
    room = await encrypted_room(synapse, ada, bot)
    async with (
        encrypting(synapse.url, ada, tmp_path / "ada") as asker,
        FaultyProxy(synapse.url) as proxy,
        locus_session(proxy.url, bot, tmp_path / "m") as locus,
    ):
        checked(await locus.client.join(room), object)
        await locus.client.sync(full_state=True)
        proxy.trouble(path, trouble)
        with pytest.raises(UnavailableError), translated():
            await say(locus, room, "lost")
        proxy.clear()
        async with asyncio.timeout(20):
            said = await say(locus, room)
        seen = await asker.wait_for(is_event(said), room)
        texts = [body_of(event) for _, event in asker.seen]

    assert TEXT["body"] == body_of(seen)
    assert "lost" not in texts


async def test_who_leaves_while_keys_are_given_reads_nothing_and_who_comes_does(
    synapse: Synapse, tmp_path: Path
) -> None:
    """Membership that changes between encrypting and sending is looked at once more before anything is sent."""
    ada, eve, ben, bot = (synapse.register(name) for name in ("ada", "eve", "ben", "locus"))
    room = await encrypted_room(synapse, ada, eve, ben, bot)
    async with (
        person(synapse.url, ada) as plain,
        encrypting(synapse.url, eve, tmp_path / "eve") as leaving,
        encrypting(synapse.url, ben, tmp_path / "ben") as coming,
        FaultyProxy(synapse.url) as proxy,
        locus_session(proxy.url, bot, tmp_path / "m") as locus,
    ):
        await plain.kick(room, ben.user_id)  # his invitation is taken back
        await leaving.join(room)
        await join(locus, room)
        proxy.trouble("/sendToDevice/", Trouble(delay_s=1.0), times=1)
        sending = asyncio.create_task(say(locus, room))
        await proxy.requests("/sendToDevice/", 1)
        await plain.kick(room, eve.user_id)
        await plain.invite(room, ben.user_id)
        await coming.join(room)
        await sync_once(locus)
        said = await sending
        seen = await coming.wait_for(is_event(said), room)
        await leaving.sync()
        machine = leaving.client.olm
        assert machine is not None
        stored = await plain.event(room, said)
        keys = machine.inbound_group_store.get(room, stored["content"]["sender_key"], stored["content"]["session_id"])

    assert TEXT["body"] == body_of(seen)
    assert keys is None


async def test_many_messages_at_once_share_one_key(synapse: Synapse, tmp_path: Path) -> None:
    """Twenty messages that are sent at the same time all arrive and can all be read."""
    ada, bot = synapse.register("ada"), synapse.register("locus")
    room = await encrypted_room(synapse, ada, bot)
    async with (
        encrypting(synapse.url, ada, tmp_path / "ada") as asker,
        locus_session(synapse.url, bot, tmp_path / "m") as locus,
    ):
        await join(locus, room)
        said = await asyncio.gather(*(say(locus, room, f"message {number}") for number in range(20)))
        for event_id in said:
            await asker.wait_for(is_event(event_id), room)
        texts = {body_of(event) for _, event in asker.seen if event.event_id in said}

    assert {f"message {number}" for number in range(20)} == texts


async def test_thirty_devices_in_a_room_all_read(synapse: Synapse, tmp_path: Path) -> None:
    """A room's key goes to every device of every member."""
    ada, bot = synapse.register("ada"), synapse.register("locus")
    room = await encrypted_room(synapse, ada, bot)
    devices = [ada, *[await new_device(synapse, ada) for _ in range(29)]]
    for number, device in enumerate(devices):
        async with encrypting(synapse.url, device, tmp_path / str(number)):
            pass  # its keys are on the homeserver now
    async with locus_session(synapse.url, bot, tmp_path / "m") as locus:
        await join(locus, room)
        said = await say(locus, room)
    texts = []
    for number in (0, 15, 29):
        async with encrypting(synapse.url, devices[number], tmp_path / str(number)) as asker:
            texts.append(body_of(await asker.wait_for(is_event(said), room)))

    assert [TEXT["body"]] * 3 == texts


async def test_an_allow_list_gives_keys_to_the_devices_it_names(synapse: Synapse, tmp_path: Path) -> None:
    """With LOCUS_MATRIX_TRUST=allow-list others see that something was written and not what."""
    ada, ben, bot = (synapse.register(name) for name in ("ada", "ben", "locus"))
    room = await encrypted_room(synapse, ada, ben, bot)
    trust = Trust("allow-list", frozenset({f"{ada.user_id}/{ada.device_id}"}))
    async with (
        encrypting(synapse.url, ada, tmp_path / "ada") as named,
        encrypting(synapse.url, ben, tmp_path / "ben") as other,
    ):
        await other.join(room)
        async with locus_session(synapse.url, bot, tmp_path / "m", trust=trust) as locus:
            await join(locus, room)
            first = await say(locus, room)
            seen = await named.wait_for(is_event(first), room)
            unread = await other.wait_for(is_event(first), room)
        async with locus_session(synapse.url, bot, tmp_path / "m") as locus:
            await sync_once(locus)
            second = await say(locus, room)
            read = await other.wait_for(is_event(second), room)

    assert TEXT["body"] == body_of(seen)
    assert is_encrypted(unread)
    assert TEXT["body"] == body_of(read)


async def test_a_proxys_page_is_no_success(synapse: Synapse, tmp_path: Path) -> None:
    """Calls that answer nothing, such as leaving a room, fail with a 502 instead of having worked."""
    bot = synapse.register("locus")
    async with FaultyProxy(synapse.url) as proxy, locus_session(proxy.url, bot, tmp_path / "m") as locus:
        proxy.trouble("/leave", Trouble(status=502))
        proxy.trouble("/typing/", Trouble(status=502))
        left = await locus.client.room_leave("!nowhere:localhost")
        proxy.trouble("/media/", Trouble(status=502))
        typing = await locus.client.room_typing("!nowhere:localhost")
        file = await locus.client.download("mxc://localhost/picture")

    for answer in (left, typing, file):
        assert isinstance(answer, ErrorResponse)
        assert isinstance(error_of(answer), OutcomeUnknownError)


async def test_power_levels_of_version_12_rooms_are_never_asked_for(synapse: Synapse, tmp_path: Path) -> None:
    """matrix-nio takes the creator of such a room for nobody, so asking it for rights is an error."""
    ada, bot = synapse.register("ada"), synapse.register("locus")
    async with person(synapse.url, ada) as plain, locus_session(synapse.url, bot, tmp_path / "m") as locus:
        room = await plain.create_room(bot.user_id, version="12")
        await join(locus, room)

        assert 0 == locus.client.rooms[room].power_levels.get_user_level(ada.user_id)
        with pytest.raises(RefusedError):
            await locus.client.has_permission(room, "kick")
        with pytest.raises(RefusedError):
            await locus.client.has_event_permission(room, "m.room.message")
