"""The sync loop on a real homeserver: what is said reaches the handler, whatever fails in between."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from nio.events import Event, RoomMessageText
from nio.responses import SyncResponse

from adapters.matrix.errors import SessionEndedError
from adapters.matrix.session import Session
from adapters.matrix.syncing import Syncing
from bot.errors import StorageError, UnavailableError
from tests.matrix_server.encrypting import encrypting
from tests.matrix_server.faulty_proxy import FaultyProxy, Trouble
from tests.matrix_server.locus import locus_session
from tests.matrix_server.person import Person, person
from tests.matrix_server.synapse import MISSING, SYNAPSE_PYTHON, Account, Synapse

PATIENCE_S = 60.0


class Clock:
    """Pauses that take no time; they are counted, and others may run meanwhile."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    async def pause(self, seconds: float) -> None:
        """Let this time pass."""
        self.now += seconds
        self.pauses.append(seconds)
        await asyncio.sleep(0)


class Heard:
    """A handler that remembers what it was given; `fail` lets it raise.

    Attributes:
        answers: With whether each was the first ever.
    """

    def __init__(self) -> None:
        self.answers: list[tuple[SyncResponse, bool]] = []
        self.tries = 0
        self.fail: list[BaseException] = []
        self._changed = asyncio.Condition()

    async def __call__(self, response: SyncResponse, first: bool) -> None:
        async with self._changed:
            self.tries += 1
            self._changed.notify_all()
            if self.fail:
                raise self.fail.pop(0)
            self.answers.append((response, first))

    @property
    def texts(self) -> list[str]:
        """What was said in answers that were not the first."""
        events: list[Event] = [
            event
            for response, first in self.answers
            if not first
            for room in response.rooms.join.values()
            for event in room.timeline.events
        ]
        return [event.body for event in events if isinstance(event, RoomMessageText)]

    async def until(self, *texts: str) -> None:
        """Wait until all of this was heard."""
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: set(texts) <= set(self.texts))

    async def left(self, room_id: str) -> None:
        """Wait until a room was left."""
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: any(room_id in answer.rooms.leave for answer, _ in self.answers))

    async def tried(self, number: int) -> None:
        """Wait until it was called so often."""
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: self.tries >= number)


@asynccontextmanager
async def syncing(session: Session, heard: Heard, clock: Clock | None = None) -> AsyncIterator[Syncing]:
    """Yield a loop that runs, after its first answer was handled."""
    loop = Syncing(session, session.folder.position, heard, pause=clock.pause if clock else asyncio.sleep)
    running = asyncio.create_task(loop.run())
    ready = asyncio.create_task(loop.ready.wait())
    try:
        await asyncio.wait({running, ready}, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        yield loop
    finally:
        ready.cancel()
        running.cancel()
        await asyncio.gather(running, ready, return_exceptions=True)


@asynccontextmanager
async def room_of(synapse: Synapse, bot: Account) -> AsyncIterator[tuple[Person, str]]:
    """Yield a person and a room that Locus is in."""
    async with (
        person(synapse.url, synapse.register("ada")) as asker,
        person(synapse.url, bot) as itself,
    ):
        room = await asker.create_room(bot.user_id)
        await itself.join(room)
        yield asker, room


@pytest.fixture
def bot(synapse: Synapse) -> Account:
    """Locus's account."""
    return synapse.register("locus")


def position(folder: Path) -> str:
    """The stored position."""
    return str(json.loads((folder / "position.json").read_text())["next_batch"])


async def test_the_first_start_ever_skips_what_was_said_before(synapse: Synapse, bot: Account, tmp_path: Path) -> None:
    """The past is handed over as such, and everything from then on is not."""
    heard = Heard()
    async with room_of(synapse, bot) as (asker, room), locus_session(synapse.url, bot, tmp_path / "m") as session:
        await asker.say(room, "long ago")
        async with syncing(session, heard):
            await asker.say(room, "now")
            await heard.until("now")

    assert ["now"] == heard.texts
    assert [True, False] == [first for _, first in heard.answers][:2]


async def test_what_is_said_while_it_is_away_is_heard_after(synapse: Synapse, bot: Account, tmp_path: Path) -> None:
    """A restart goes on where the last position was stored, and knows all rooms and members again."""
    heard = Heard()
    async with room_of(synapse, bot) as (asker, room):
        async with locus_session(synapse.url, bot, tmp_path / "m") as session, syncing(session, heard):
            pass
        await asker.say(room, "while you were away")
        async with locus_session(synapse.url, bot, tmp_path / "m") as session, syncing(session, heard):
            await heard.until("while you were away")
            members = set(session.client.rooms[room].users)
        async with locus_session(synapse.url, bot, tmp_path / "m") as session, syncing(session, heard):
            again = set(session.client.rooms[room].users)  # nothing was said, and yet it knows

    assert ["while you were away"] == heard.texts
    assert {asker.user_id, bot.user_id} == members == again


async def test_m1_the_position_is_stored_after_the_events_are_accepted(
    synapse: Synapse, bot: Account, tmp_path: Path
) -> None:
    """An event that was not accepted comes again, in the same process and after its death."""
    heard, clock = Heard(), Clock()
    async with room_of(synapse, bot) as (asker, room):
        async with locus_session(synapse.url, bot, tmp_path / "m") as session, syncing(session, heard, clock):
            before = position(tmp_path / "m")
            tries = heard.tries
            heard.fail = [*[UnavailableError("Redis is away.")] * 3, asyncio.CancelledError()]
            await asker.say(room, "question")
            await heard.tried(tries + 4)  # it dies in the middle of the fourth

            assert before == position(tmp_path / "m")
        heard.fail = []
        async with locus_session(synapse.url, bot, tmp_path / "m") as session, syncing(session, heard):
            await heard.until("question")

    assert ["question"] == heard.texts
    assert [0.5, 1.0, 2.0] == clock.pauses[:3]


@pytest.mark.parametrize("encrypted", [False, True])
async def test_m12_a_handler_that_raises_gets_the_same_again(
    synapse: Synapse, bot: Account, tmp_path: Path, encrypted: bool
) -> None:
    """Nothing is lost, nothing ends, and an encrypted message is decrypted the second time too."""
    heard, clock = Heard(), Clock()
    ada = synapse.register("ada")
    async with (
        person(synapse.url, ada) as plain,
        person(synapse.url, bot) as itself,
        locus_session(synapse.url, bot, tmp_path / "m") as session,
        encrypting(synapse.url, ada, tmp_path / "ada") as asker,
    ):
        room = await plain.create_room(bot.user_id, encrypted=encrypted)
        await itself.join(room)
        async with syncing(session, heard, clock):
            heard.fail = [ValueError("a mistake"), KeyError("another")]
            await asker.say(room, "question")
            await asker.say(room, "second question")
            await heard.until("question", "second question")

    assert ["question", "second question"] == heard.texts


async def test_m3_thirty_five_messages_while_away_are_each_heard_once(
    synapse: Synapse, bot: Account, tmp_path: Path
) -> None:
    """More than fits into one answer of the homeserver is fetched page by page, in order, also encrypted."""
    heard = Heard()
    ada = synapse.register("ada")
    async with (
        person(synapse.url, ada) as plain,
        person(synapse.url, bot) as itself,
        encrypting(synapse.url, ada, tmp_path / "ada") as asker,
    ):
        open_room = await plain.create_room(bot.user_id)
        closed_room = await plain.create_room(bot.user_id, encrypted=True)
        async with locus_session(synapse.url, bot, tmp_path / "m") as session:
            await itself.join(open_room)
            await itself.join(closed_room)
            async with syncing(session, heard):
                pass
        for number in range(135):
            await plain.say(open_room, f"plain {number}")
        for number in range(110):
            await asker.say(closed_room, f"secret {number}")
        async with locus_session(synapse.url, bot, tmp_path / "m") as session, syncing(session, heard):
            await heard.until("plain 134", "secret 109")

    assert [f"plain {number}" for number in range(135)] == [text for text in heard.texts if "plain" in text]
    assert [f"secret {number}" for number in range(110)] == [text for text in heard.texts if "secret" in text]


async def test_a_room_it_is_invited_to_begins_with_the_invitation(
    synapse: Synapse, bot: Account, tmp_path: Path
) -> None:
    """What was said in a room before Locus was invited is not handed over as new; what came after is."""
    heard = Heard()
    async with (
        person(synapse.url, synapse.register("ada")) as asker,
        locus_session(synapse.url, bot, tmp_path / "m") as session,
        syncing(session, heard),
    ):
        room = await asker.create_room()
        await asker.say(room, "before")
        await asker.invite(room, bot.user_id)
        await asker.say(room, "while invited")
        await session.client.join(room)
        await asker.say(room, "after")
        await heard.until("while invited", "after")

    assert "before" not in heard.texts


@pytest.mark.parametrize("way", ["left", "kicked", "banned"])
async def test_m10_leaving_and_being_thrown_out_are_noticed(
    synapse: Synapse, bot: Account, tmp_path: Path, way: str
) -> None:
    """The handler is told, and the room is not known any more: nothing is sent there."""
    heard = Heard()
    async with (
        room_of(synapse, bot) as (asker, room),
        person(synapse.url, bot) as itself,
        locus_session(synapse.url, bot, tmp_path / "m") as session,
        syncing(session, heard),
    ):
        assert room in session.client.rooms
        if way == "left":
            await itself.leave(room)
        else:
            await asker.kick(room, bot.user_id, ban=way == "banned")
        await heard.left(room)

        assert room not in session.client.rooms


async def test_an_invitation_that_is_taken_back_is_forgotten(synapse: Synapse, bot: Account, tmp_path: Path) -> None:
    """It does not stay among those that may be accepted."""
    heard = Heard()
    async with (
        person(synapse.url, synapse.register("ada")) as asker,
        locus_session(synapse.url, bot, tmp_path / "m") as session,
        syncing(session, heard),
    ):
        room = await asker.create_room(bot.user_id)
        await heard.tried(heard.tries + 1)
        await asker.kick(room, bot.user_id)
        await heard.left(room)

        assert room not in session.client.invited_rooms


async def test_m5_a_revoked_token_ends_the_loop_with_one_sentence(
    synapse: Synapse, bot: Account, tmp_path: Path
) -> None:
    """No hot loop and no waiting: the way out is named, and the homeserver is asked no more."""
    async with FaultyProxy(synapse.url) as proxy, locus_session(proxy.url, bot, tmp_path / "m") as session:
        loop = Syncing(session, session.folder.position, Heard())
        running = asyncio.create_task(loop.run())
        await asyncio.wait_for(loop.ready.wait(), PATIENCE_S)
        own = Account(session.user_id, session.device_id, session.client.access_token, "")
        async with person(synapse.url, own) as somebody:
            await somebody.log_out()
        proxy.counts.clear()
        with pytest.raises(SessionEndedError, match="locus matrix login"):
            await asyncio.wait_for(running, PATIENCE_S)

        assert 5 > proxy.count()


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(status=502),
        Trouble(status=200, body={}),
        Trouble(cut=True),
        Trouble(status=500, body={"errcode": "M_UNKNOWN", "error": "Internal server error"}),
    ],
)
async def test_m2_ten_seconds_of_failures_cost_few_requests(
    synapse: Synapse, bot: Account, tmp_path: Path, trouble: Trouble
) -> None:
    """Pauses grow; afterwards everything that was said is heard once."""
    heard, clock = Heard(), Clock()
    async with (
        FaultyProxy(synapse.url) as proxy,
        room_of(synapse, bot) as (asker, room),
        locus_session(proxy.url, bot, tmp_path / "m") as session,
        syncing(session, heard, clock),
    ):
        proxy.trouble("", trouble)
        await asker.say(room, "question")
        proxy.counts.clear()
        async with asyncio.timeout(PATIENCE_S):
            while clock.now < 10:
                await proxy.requests("/sync", proxy.count("/sync") + 1)
        failing = proxy.count()
        proxy.clear()
        await heard.until("question")

    assert 20 > failing
    assert ["question"] == heard.texts


async def test_a_rate_limit_is_waited_for_as_long_as_it_asks(synapse: Synapse, bot: Account, tmp_path: Path) -> None:
    """`retry_after_ms` counts, and more than the own pause."""
    heard, clock = Heard(), Clock()
    async with (
        FaultyProxy(synapse.url) as proxy,
        room_of(synapse, bot) as (asker, room),
        locus_session(proxy.url, bot, tmp_path / "m") as session,
        syncing(session, heard, clock),
    ):
        body: dict[str, object] = {"errcode": "M_LIMIT_EXCEEDED", "error": "slow down", "retry_after_ms": 7000}
        proxy.trouble("/sync", Trouble(status=429, body=body), times=2)
        await asker.say(room, "question")
        await heard.until("question")
        await asker.say(room, "second")
        await heard.until("second")

    assert [7.0, 7.0] == clock.pauses


async def test_an_outage_is_logged_once_and_so_is_its_end(
    synapse: Synapse, bot: Account, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten failures are one line, and being back is another; neither holds a token."""
    heard, clock = Heard(), Clock()
    async with (
        FaultyProxy(synapse.url) as proxy,
        room_of(synapse, bot) as (asker, room),
        locus_session(proxy.url, bot, tmp_path / "m") as session,
        syncing(session, heard, clock),
    ):
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="adapters.matrix"):
            proxy.trouble("/sync", Trouble(status=502), times=10)
            await asker.say(room, "question")
            await heard.until("question")
            await asker.say(room, "second")
            await heard.until("second")
        lines = [record.getMessage() for record in caplog.records if record.name.startswith("adapters.matrix")]
        token = session.client.access_token

    assert 2 == len(lines), lines
    assert "back" in lines[1]
    assert token not in "".join(lines)


async def test_m2_a_homeserver_that_is_killed_is_waited_for(tmp_path: Path) -> None:
    """After a SIGKILL and a new start of the homeserver everything that was said is heard once."""
    if not SYNAPSE_PYTHON.exists():
        pytest.skip(MISSING)
    heard = Heard()
    with Synapse() as server:
        bot = server.register("locus")
        async with (
            room_of(server, bot) as (asker, room),
            locus_session(server.url, bot, tmp_path / "m") as session,
            syncing(session, heard),
        ):
            await asker.say(room, "before")
            await heard.until("before")
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await asker.say(room, "after")
            await heard.until("after")

    assert ["before", "after"] == heard.texts


async def test_m11_malformed_events_stop_nothing(synapse: Synapse, bot: Account, tmp_path: Path) -> None:
    """Whatever strange content a person gets past the homeserver, what is said afterwards is heard."""
    heard, clock = Heard(), Clock()
    strange: list[object] = [None, 5, "text", [], [1], {}, {"user_ids": "x"}, {"rel_type": 5, "event_id": []}]
    async with (
        room_of(synapse, bot) as (asker, room),
        locus_session(synapse.url, bot, tmp_path / "m") as session,
        syncing(session, heard, clock),
    ):
        for value in strange:
            for name in ("body", "msgtype", "m.mentions", "m.relates_to", "m.new_content", "formatted_body", "file"):
                content = {"msgtype": "m.text", "body": "x", name: value}
                with contextlib.suppress(httpx.HTTPStatusError):
                    await asker.send(room, content)
            for kind in ("m.room.encrypted", "m.reaction", "m.sticker", "org.example.strange", "m.call.invite"):
                with contextlib.suppress(httpx.HTTPStatusError):
                    await asker.send(room, {"m.relates_to": value, "algorithm": value, "ciphertext": value}, kind)
            for kind, name in (
                ("m.room.name", "name"),
                ("m.room.topic", "topic"),
                ("m.room.avatar", "url"),
                ("m.room.pinned_events", "pinned"),
                ("m.room.history_visibility", "history_visibility"),
                ("m.room.guest_access", "guest_access"),
                ("org.example.state", "strange"),
            ):
                with contextlib.suppress(httpx.HTTPStatusError):
                    await asker.call("PUT", f"/rooms/{room}/state/{kind}/", {name: value})
        await asker.say(room, "the end")
        await heard.until("the end")

    assert [] == clock.pauses


async def test_a_position_of_another_account_is_refused(synapse: Synapse, bot: Account, tmp_path: Path) -> None:
    """It would skip or repeat what was said: the file to look at is named."""
    async with locus_session(synapse.url, bot, tmp_path / "m") as session:
        other = {"version": 1, "user_id": "@other:localhost", "next_batch": "s1"}
        session.folder.position.write_text(json.dumps(other))
        with pytest.raises(StorageError, match="position.json"):
            await Syncing(session, session.folder.position, Heard()).run()
