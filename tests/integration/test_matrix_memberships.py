"""Which rooms Locus is in: whose invitations it accepts, what it says then, where a channel goes on, when it leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.messages import Place
from bot.replies import Reply, Stage
from tests.matrix_adapter import DEADLINE_S, Asker, until
from tests.matrix_adapter import Stage as MatrixStage
from tests.matrix_server.onlooker import Onlooker, onlooker
from tests.matrix_server.person import Person, person


@asynccontextmanager
async def inviting(stage: MatrixStage, name: str = "ada") -> AsyncIterator[tuple[Person, Onlooker]]:
    """Yield somebody who has not met Locus, as a plain client and as one that is open."""
    account = stage.synapse.register(name)
    folder = stage.data.parent / account.name
    async with person(stage.synapse.url, account) as client, onlooker(stage.synapse.url, account, folder) as who:
        yield client, who


async def membership(who: Onlooker, room: str, user: str, wanted: str) -> None:
    """Wait for somebody's part in a room."""
    await until(lambda: who.views[room].members.get(user) == wanted, f"{user} {wanted}: {who.views[room].members}")


async def test_an_invitation_is_accepted_with_a_greeting(stage: MatrixStage) -> None:
    """It says how to ask and what is stored; in a direct room, that nobody needs to mention Locus."""
    async with inviting(stage) as (client, who), stage.serving() as locus:
        room = await client.create_room(stage.bot.user_id, encrypted=True, name="Lab")
        direct = await client.create_room(stage.bot.user_id, direct=True)
        ada, alone = Asker(who, room, stage.bot.user_id), Asker(who, direct, stage.bot.user_id)
        greeting = await ada.sees("", "Mention me to ask")
        await alone.sees("", "Here, just write.")
        await ada.knows_locus()
        asked = await ada.ask("What is BXD?")
        await ada.answered(asked)
        path = f"/_matrix/client/v3/user/{stage.bot.user_id}/account_data/m.direct"
        marked = await locus.adapter.parts.client.call("GET", path)

    assert "forget me" in greeting.body
    assert (200, {who.user_id: [direct]}) == marked


async def test_an_invitation_that_came_while_nobody_was_there_is_accepted(stage: MatrixStage) -> None:
    """Also the first time ever that Locus starts."""
    async with inviting(stage) as (client, who):
        room = await client.create_room(stage.bot.user_id, name="Lab")
        async with stage.serving():
            await Asker(who, room, stage.bot.user_id).sees("", "Hello, I am Locus.")


async def test_an_invitation_from_elsewhere_is_declined(stage: MatrixStage) -> None:
    """With a reason; whoever is on the list is welcome."""
    async with (
        inviting(stage) as (ada, ada_sees),
        inviting(stage, "mallory") as (mallory, mallory_sees),
        stage.serving(allowed_users=frozenset({ada.user_id})),
    ):
        refused = await mallory.create_room(stage.bot.user_id, name="Free keys")
        await membership(mallory_sees, refused, stage.bot.user_id, "leave")
        welcome = await ada.create_room(stage.bot.user_id, name="Lab")
        await membership(ada_sees, welcome, stage.bot.user_id, "join")
        events = await mallory.history(refused)
        leaving = events[-1]

    assert "leave" == leaving["content"]["membership"]
    assert "ask whoever runs it" in leaving["content"]["reason"]


async def test_a_room_goes_on_in_the_one_that_replaces_it(stage: MatrixStage) -> None:
    """A private one, for which Locus has to be invited; what belongs to the channel is there, also after a restart."""
    async with inviting(stage) as (client, who):
        room = await client.create_room(stage.bot.user_id, name="Lab", version="10")
        async with stage.serving() as first:
            old = Asker(who, room, stage.bot.user_id)
            await old.sees("", "Hello, I am Locus.")
            asked = await old.ask("What is BXD?")
            await old.answered(asked)
            replacement = await client.upgrade(room, "12")
            new = Asker(who, replacement, stage.bot.user_id)
            await client.invite(replacement, stage.bot.user_id)
            await until(lambda: first.adapter.parts.book.room(room) == replacement)
        async with stage.serving() as second:
            place = Place("matrix", "localhost", room)  # as a subscription of before knows it
            await second.adapter.post(place, Reply(Stage.FINAL, "A digest."), key="digest-1", answers="")
            await new.sees("", "A digest.")
            asked = await new.ask("What is a QTL?")
            line = await new.answered(asked)
            given = await second.service.given.find(line.handle)

    assert given is not None
    assert room == given.place.channel


async def test_a_room_that_only_claims_to_replace_another_inherits_nothing(stage: MatrixStage) -> None:
    """Whoever makes a room may name any other as its predecessor; that other one has to agree."""
    async with inviting(stage) as (client, who), inviting(stage, "mallory") as (mallory, mallory_sees):
        room = await client.create_room(stage.bot.user_id, name="Lab")
        async with stage.serving() as locus:
            await Asker(who, room, stage.bot.user_id).sees("", "Hello, I am Locus.")
            wanted = {
                "preset": "private_chat",
                "invite": [stage.bot.user_id],
                "name": "Lab",
                "creation_content": {"predecessor": {"room_id": room, "event_id": "$x"}},
            }
            claimed = str((await mallory.call("POST", "/createRoom", wanted))["room_id"])
            other = Asker(mallory_sees, claimed, stage.bot.user_id)
            asked = await other.ask("What is BXD?")
            await until(lambda: stage.bot.user_id in mallory_sees.views[claimed].members)
            line = await other.answered(asked)
            given = await locus.service.given.find(line.handle)

    assert given is not None
    assert claimed == given.place.channel


async def test_a_room_where_nobody_else_is_left_is_left(stage: MatrixStage) -> None:
    """Locus does not stay behind."""
    async with inviting(stage) as (client, who), stage.serving() as locus:
        room = await client.create_room(stage.bot.user_id, name="Lab")
        await Asker(who, room, stage.bot.user_id).sees("", "Hello, I am Locus.")
        await client.leave(room)
        await until(lambda: room not in locus.adapter.parts.client.rooms, within_s=DEADLINE_S)
