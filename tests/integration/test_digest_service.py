"""Digests from the local GeneNetwork to a chat, through the service and the command line."""

from __future__ import annotations

import asyncio
import datetime
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from bot.cli.digests import LEADER, baseline_digests, list_digests, preview_digest, release_digests, run_digests
from bot.digest.floods import MANY
from bot.digest.interests import Interest
from bot.digest.names import LOOK
from bot.digest.parts import make_digest_parts
from bot.errors import InvalidRequestError, NotFoundError, RefusedError, SettingsError, UnavailableError
from bot.health import State
from bot.messages import Audience, Place
from bot.pictures.drawing import Drawing
from bot.replies import Reply
from bot.service import ALL_ROLES, Service
from bot.settings import Settings
from bot.store.client import Store
from bot.store.schedules import Schedules
from tests.fakes import HeldAnswerer, MemoryChat, held_application, message
from tests.genenetwork import client_of
from tests.gn_server import Fault, GeneNetworkServer
from tests.redis_servers import RedisServer

DEADLINE_S = 30.0
ALL = Interest()


def settings_for(server: GeneNetworkServer, redis_server: RedisServer, store: Store) -> Settings:
    """Settings that reach the local servers."""
    return Settings.model_validate(
        {
            "genenetwork_url": server.url,
            "genenetwork_gn3_url": server.gn3_url,
            "genenetwork_pause_s": 0.0,
            "redis_url": redis_server.url,
            "redis_prefix": store.prefix,
            "lease_s": 10.0,
            "rate_person": 0,
            "administrators": "memory/w1/boss",
            "time_zone": "Europe/Berlin",
        }
    )


@pytest.fixture
async def genenetwork() -> AsyncIterator[GeneNetworkServer]:
    """The local GeneNetwork."""
    async with GeneNetworkServer() as server:
        yield server


@pytest.fixture
def settings(genenetwork: GeneNetworkServer, redis_server: RedisServer, store: Store) -> Settings:
    """Settings that reach it, with Redis."""
    return settings_for(genenetwork, redis_server, store)


async def test_a_preview_shows_what_is_new(
    genenetwork: GeneNetworkServer, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a baseline, with facts and links; what is not public does not appear; nothing is remembered."""
    await baseline_digests(settings, as_json=False)
    genenetwork.world.add_dataset(
        "Fresh_BXD_Liver_1126",
        created=datetime.date(2003, 1, 1),
        platform="Illumina NovaSeq",
        samples=88,
        summary="<p>Livers of aged BXD mice were sequenced in 2026. More follows.</p>",
    )
    genenetwork.world.add_dataset("Hidden_BXD_Liver_1126", confidentiality=1)
    capsys.readouterr()
    for _ in range(2):
        await preview_digest(settings, ALL, since="", handle="", as_json=False)
        shown = capsys.readouterr().out

        assert "1 new dataset of BXD in GeneNetwork (1 mRNA)." in shown
        assert "Fresh_BXD_Liver_1126" in shown
        assert "dated 2003-01-01" in shown
        assert f"{genenetwork.url}/" in shown
        assert "Hidden" not in shown


async def test_a_preview_as_json_can_be_read_by_programs(
    genenetwork: GeneNetworkServer, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """One object."""
    await baseline_digests(settings, as_json=True)
    genenetwork.world.add_dataset("Fresh_BXD_Liver_1126")
    figures = json.loads(capsys.readouterr().out)
    await preview_digest(settings, Interest(groups=("BXD",)), since="", handle="", as_json=True)
    found = json.loads(capsys.readouterr().out)

    assert figures["datasets"] > 5
    assert ["Fresh_BXD_Liver_1126"] == [one["name"] for one in found["datasets"]]


async def test_before_a_baseline_a_preview_says_that_there_is_nothing_to_compare_with(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what to do."""
    await preview_digest(settings, ALL, since="", handle="", as_json=False)

    assert "`locus digest baseline` takes them as known" in capsys.readouterr().out


async def test_a_look_back_needs_no_redis(
    genenetwork: GeneNetworkServer, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes by the dates of curators."""
    genenetwork.world.add_dataset("Fresh_BXD_Liver_1126", created=datetime.date(2026, 11, 2))
    without = settings.model_copy(update={"redis_url": None})
    await preview_digest(without, Interest(groups=("BXD",)), since="2026-01-01", handle="", as_json=True)
    found = json.loads(capsys.readouterr().out)

    assert ["Fresh_BXD_Liver_1126"] == [one["name"] for one in found["datasets"]]
    assert "By the dates of curators since 2026-01-01" in found["notes"][0]


async def test_no_secret_of_the_local_genenetwork_is_shown(
    genenetwork: GeneNetworkServer, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not in a look back over everything either."""
    await preview_digest(settings, ALL, since="1900-01-01", handle="", as_json=True)
    shown = capsys.readouterr().out

    assert "HC_M2_0606_P" in shown
    assert [] == [secret for secret in genenetwork.world.secrets if secret and secret in shown]


async def test_wrong_options_are_sentences(genenetwork: GeneNetworkServer, settings: Settings) -> None:
    """They name the word."""
    with pytest.raises(InvalidRequestError, match="--since is a day such as"):
        await preview_digest(settings, ALL, since="last week", handle="", as_json=False)
    await baseline_digests(settings, as_json=True)
    with pytest.raises(NotFoundError, match="There is no digest 'x'"):
        await preview_digest(settings, ALL, since="", handle="x", as_json=False)
    with pytest.raises(NotFoundError, match="There is no digest 'x'"):
        await run_digests(settings, "x", 1.0)
    with pytest.raises(UnavailableError, match="No Locus runs that could post"):
        await run_digests(settings, "", 1.0)
    with pytest.raises(SettingsError, match="LOCUS_GENENETWORK is off"):
        await baseline_digests(settings.model_copy(update={"genenetwork": "off"}), as_json=True)
    genenetwork.fail("/*", Fault.page(500))
    with pytest.raises(UnavailableError):
        await baseline_digests(settings, as_json=True)


async def test_an_empty_list_says_so(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """And that nothing was looked at yet."""
    await list_digests(settings, as_json=False)

    assert "No channel has a digest." in capsys.readouterr().out


class Running:
    """A service with digests, and its chat."""

    def __init__(self, service: Service, chat: MemoryChat, stop: asyncio.Event) -> None:
        self.service = service
        self.chat = chat
        self.stop = stop
        self._number = 0

    async def type(self, text: str, *, thread: str = "") -> str:
        """Write in the channel and return what is answered."""
        self._number += 1
        asked = message(text, number=self._number, thread=thread, audience=Audience.PRIVATE)
        await self.service.reception.message(asked)
        await self.chat.until(asked, timeout_s=DEADLINE_S)
        return self.chat.of(asked)[0].now.text


@asynccontextmanager
async def running(
    server: GeneNetworkServer, settings: Settings, store: Store, answerer: HeldAnswerer
) -> AsyncIterator[Running]:
    """Run everything that `locus run` does, with a chat in memory."""
    chat, stop, drawing = MemoryChat(), asyncio.Event(), Drawing()
    async with client_of(server) as opened:
        parts = await make_digest_parts(settings, opened.catalogue, drawing)
        service = Service(settings, held_application(answerer), store, [chat], ALL_ROLES, digest=parts)
        task = asyncio.create_task(service.run(stop))
        try:
            async with asyncio.timeout(DEADLINE_S):
                await service.started.wait()
                while not await store.call("EXISTS", store.key(*LEADER)):  # noqa: ASYNC110 - as below
                    await asyncio.sleep(0.01)
            yield Running(service, chat, stop)
        finally:
            stop.set()
            await task
            drawing.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that has no event of its own."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.01)


async def looked(one: Running) -> None:
    """Wait until the scheduler has taken the first look, which it does as soon as somebody is subscribed."""
    assert one.service.digests is not None
    async with asyncio.timeout(DEADLINE_S):
        while await one.service.digests.known.looks() is None:  # noqa: ASYNC110 - polled on purpose, with a deadline
            await asyncio.sleep(0.01)


async def test_a_channel_subscribes_and_is_told_once(
    genenetwork: GeneNetworkServer,
    settings: Settings,
    store: Store,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From the mention to the post, with the operator's `run` in place of Monday; its thread is a conversation."""
    answerer = HeldAnswerer()
    async with running(genenetwork, settings, store, answerer) as one:
        said = await one.type("digest subscribe weekly mon 9:00 group:bxd type:mrna")
        await looked(one)
        refused = await one.type("digest subscribe weekly group:BDX")
        genenetwork.world.add_dataset("Fresh_BXD_Liver_1126", summary="Livers of aged BXD mice were sequenced.")
        genenetwork.world.add_dataset("Fresh_BXD_Secret_1126", confidentiality=2)
        genenetwork.world.add_dataset("Fresh_LXS_1126", group="LXS")
        for _ in range(2):
            await run_digests(settings, "", DEADLINE_S)
        told = capsys.readouterr().out
        posts = [(post_id, post) for post_id, post in one.chat.posts.items() if post.now.sections]
        await list_digests(settings, as_json=True)
        listed = json.loads(capsys.readouterr().out)["digests"]
        await one.type("Which tissue is it?", thread=posts[0][0])
        history = answerer.asked[-1].history

    assert "BXD, mRNA, every Monday at 9:00 (Europe/Berlin)" in said
    assert "GeneNetwork has no group 'BDX'" in refused
    assert ["1 dataset posted", "0 datasets posted"] == [line.partition(": ")[2] for line in told.splitlines()]
    assert ["Fresh_BXD_Liver_1126"] == [
        entry.url.rpartition("/")[2] for _, post in posts for section in post.now.sections for entry in section.entries
    ]
    assert 1 == listed[0]["told"]
    assert "Fresh_BXD_Liver_1126" in history[1].content


async def test_a_channel_without_the_bot_is_paused_and_shown(
    genenetwork: GeneNetworkServer, settings: Settings, store: Store
) -> None:
    """In the list, and on the health page until it is resumed."""
    async with running(genenetwork, settings, store, HeldAnswerer()) as one:
        await one.type("digest subscribe weekly")
        await looked(one)
        genenetwork.world.add_dataset("Fresh_BXD_Liver_1126")
        post = one.chat.post

        async def closed(place: Place, reply: Reply, *, key: str, answers: str) -> str:
            if reply.sections:
                raise RefusedError("The bot is not in that channel.")
            return await post(place, reply, key=key, answers=answers)

        one.chat.post = closed  # type: ignore[method-assign]
        await run_digests(settings, "", DEADLINE_S)
        part = one.service.health.find("digests")
        said = await one.type("digest list")
        told = [post.now.text for post in one.chat.posts.values() if post.place.channel == "direct-boss"]

    assert part is not None
    assert State.DEGRADED is part.state
    assert 1 == len(told)
    assert "PAUSED: The bot may not post in this channel" in said


async def test_nobody_looks_at_genenetwork_for_nobody(
    genenetwork: GeneNetworkServer, settings: Settings, store: Store
) -> None:
    """Without a subscription it is never asked."""
    async with running(genenetwork, settings, store, HeldAnswerer()) as one:
        schedules = Schedules(store)
        async with asyncio.timeout(DEADLINE_S):
            while await schedules.last_run(LOOK) is None:  # noqa: ASYNC110 - polled on purpose, with a deadline
                await asyncio.sleep(0.01)

        assert one.service.digests is not None
        assert await one.service.digests.known.looks() is None
    assert [] == genenetwork.requests


async def test_a_flood_is_held_until_the_operator_says(
    genenetwork: GeneNetworkServer, settings: Settings, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """The administrator is asked, the list says so, and `release` lets the digest tell it."""
    async with running(genenetwork, settings, store, HeldAnswerer()) as one:
        await one.type("digest subscribe weekly")
        await looked(one)
        for number in range(MANY + 1):
            genenetwork.world.add_dataset(f"Flood_BXD_Liver_{number:04}")
        await run_digests(settings, "", DEADLINE_S)
        told = [post.now.text for post in one.chat.posts.values() if post.place.channel == "direct-boss"]
        capsys.readouterr()
        await list_digests(settings, as_json=False)
        await release_digests(settings)
        await release_digests(settings)
        shown = capsys.readouterr().out
        part = one.service.health.find("digests")

    assert [f"GeneNetwork lists {MANY + 1} datasets that were not there before"] == [
        text.partition(",")[0] for text in told
    ]
    assert not [post for post in one.chat.posts.values() if post.now.sections]
    assert f"GeneNetwork lists {MANY + 1} datasets" in shown
    assert f"The next digests tell of {MANY + 1} datasets" in shown
    assert "No dataset is held." in shown
    assert part is not None
    assert State.DEGRADED is part.state


async def test_a_declared_digest_begins_when_the_service_starts(
    genenetwork: GeneNetworkServer,
    settings: Settings,
    store: Store,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Without anybody typing."""
    file = tmp_path_factory.mktemp("lab") / "digests.toml"
    file.write_text('[[digest]]\nname = "lab"\nchannel = "memory/w1/c1"\nwhen = "daily 8:30"\n')
    declared = settings.model_copy(update={"digest_file": file})
    async with running(genenetwork, declared, store, HeldAnswerer()) as one:
        await looked(one)
        said = await one.type("digest list")

    assert "declared by the operator as 'lab'" in said
