"""Direct rooms that Locus makes, on a real homeserver."""

from __future__ import annotations

import pytest

from bot.errors import NotFoundError
from bot.messages import Audience
from bot.replies import Reply, Stage
from tests.matrix_adapter import Stage as Scene
from tests.matrix_server.person import person

TOLD = Reply(Stage.FINAL, "I paused a digest.", answered=False)


async def test_a_person_is_invited_to_a_direct_room_once(stage: Scene) -> None:
    """Also after a restart the same room is found, before and after they have joined."""
    account = stage.synapse.register("boss")
    async with stage.serving() as locus:
        made = await locus.adapter.direct(account.user_id)
        await locus.adapter.post(made, TOLD, key="k1", answers="")
        again = await locus.adapter.direct(account.user_id)
    async with person(stage.synapse.url, account) as boss, stage.serving() as locus:
        waiting = await locus.adapter.direct(account.user_id)
        await boss.join(made.channel)
        joined = await locus.adapter.direct(account.user_id)
        found = await locus.adapter.find(joined, "k1", answers="")

    assert (Audience.DIRECT, "") == (made.audience, made.thread)
    assert {made} == {again, waiting, joined}
    assert found is not None


async def test_a_room_that_the_person_has_made_is_used(stage: Scene) -> None:
    """Nobody is invited anew."""
    async with stage.asking(direct=True) as ada, stage.serving() as locus:
        place = await locus.adapter.direct(ada.who.account.user_id)

    assert ada.room == place.channel


@pytest.mark.parametrize("user", ["@nobody-at-all:{server}", "ada", "", "U123"])
async def test_who_is_not_there_is_not_found(stage: Scene, user: str) -> None:
    """And no room is made for them."""
    async with stage.serving() as locus:
        before = len(locus.client.rooms)
        with pytest.raises(NotFoundError):
            await locus.adapter.direct(user.format(server=stage.bot.user_id.partition(":")[2]))

        assert before == len(locus.client.rooms)


async def test_locus_writes_to_itself_never(stage: Scene) -> None:
    """It is nobody to talk to."""
    async with stage.serving() as locus:
        with pytest.raises(NotFoundError):
            await locus.adapter.direct(stage.bot.user_id)
