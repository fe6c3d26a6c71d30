"""People of other organisations: two real homeservers that reach each other, Locus at home on one of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.messages import Audience
from bot.store.client import Store
from bot.texts import not_allowed_here
from tests.matrix_adapter import DEADLINE_S, Asker, Stage, until
from tests.matrix_server.onlooker import onlooker
from tests.matrix_server.person import Person, person
from tests.matrix_server.synapse import MISSING, SYNAPSE_PYTHON, Synapse
from tests.redis_servers import RedisServer

Pair = tuple[Synapse, Synapse]


@pytest.fixture(scope="module")
def homeservers() -> Iterator[Pair]:
    """The lab's and another one."""
    if not SYNAPSE_PYTHON.exists():
        pytest.skip(MISSING)
    with Synapse(federated=True) as home, Synapse(federated=True) as other:
        yield home, other


@pytest.fixture
def stage(homeservers: Pair, store: Store, redis_server: RedisServer, tmp_path: Path) -> Stage:
    """A fresh account of Locus on the lab's homeserver."""
    return Stage(homeservers[0], tmp_path, redis_server.url, store.prefix)


@asynccontextmanager
async def guest(other: Synapse, ada: Asker, folder: Path) -> AsyncIterator[Asker]:
    """Yield somebody of the other homeserver whom Ada has let into her room."""
    account = other.register("ben")
    async with person(other.url, account) as ben:
        await ada.who.client.room_invite(ada.room, account.user_id)
        await until_invited(ben, ada.room)
        await ben.join(ada.room)
    async with onlooker(other.url, account, folder / account.name) as who:
        await until(lambda: ada.room in who.client.rooms, "the guest knows the room")
        await until(lambda: account.user_id in ada.who.client.rooms[ada.room].users, "Ada knows the guest")
        asker = Asker(who, ada.room, ada.bot)
        if who.client.rooms[ada.room].encrypted:
            await asker.knows_locus()
        yield asker


async def until_invited(who: Person, room: str) -> None:
    """Wait until an invitation has come from the other homeserver."""
    async with asyncio.timeout(DEADLINE_S):
        while room not in (await who.sync(timeout_s=1)).get("rooms", {}).get("invite", {}):
            pass


@pytest.mark.parametrize("encrypted", [False, True])
async def test_people_of_other_homeservers_are_not_answered(
    homeservers: Pair, stage: Stage, encrypted: bool, tmp_path: Path
) -> None:
    """They are told so; nothing is searched."""
    async with (
        stage.asking(encrypted=encrypted) as ada,
        stage.serving() as locus,
        guest(homeservers[1], ada, tmp_path) as ben,
    ):
        asked = await ben.ask("What is BXD?")
        await ben.sees(asked, not_allowed_here())
        await locus.settled()

        assert [] == locus.questions
        assert [] == ben.answers(asked)


@pytest.mark.parametrize("encrypted", [False, True])
async def test_people_of_other_homeservers_are_answered_where_the_lab_wants_it(
    homeservers: Pair, stage: Stage, encrypted: bool, tmp_path: Path
) -> None:
    """From public documents, in a room that counts as shared."""
    async with (
        stage.asking(encrypted=encrypted) as ada,
        stage.serving(settings={"answer_external": True}) as locus,
        guest(homeservers[1], ada, tmp_path) as ben,
    ):
        asked = await ben.ask("What is BXD?")
        line = await ben.answered(asked)
        given = await locus.service.given.find(line.handle)

        assert given is not None
        assert (Audience.SHARED, ("public",)) == (given.place.audience, given.scopes)
        assert "What is BXD?" in line.body
