"""GeneNetwork's data in Slack: what is seen while it computes, the picture, the table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from pydantic import SecretStr

from adapters.slack.adapter import SlackAdapter
from adapters.slack.interactions import Interactions
from adapters.slack.options import Options
from bot.application import Application
from bot.service import Role, Service
from bot.settings import Settings
from bot.store.client import Store
from tests.fakes import HeldAnswerer, NoRetriever, OneRevision
from tests.gn_server import Fault as Trouble
from tests.gn_server import GeneNetworkServer
from tests.live import live_answers
from tests.slack_sending import Fast
from tests.slack_server import APP_TOKEN, BOT_TOKEN, Clock, Fault, Line, LocalSlack, Message

C1 = "C1"
DEADLINE_S = 60.0
ROLES = frozenset({Role.ADAPTER, Role.WORKER})
MAPPING = "/api/v_pre1/mapping"


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A Slack whose minutes last a second."""
    async with LocalSlack(clock=Clock(speed=60.0)) as local:
        yield local


@pytest.fixture
async def genenetwork() -> AsyncIterator[GeneNetworkServer]:
    """The local GeneNetwork."""
    async with GeneNetworkServer() as server:
        yield server


@asynccontextmanager
async def looking(
    slack: LocalSlack, store: Store, genenetwork: GeneNetworkServer, **options: object
) -> AsyncIterator[None]:
    """Run a service that says every moment how long GeneNetwork has taken."""
    chosen = Options(**{"api_url": slack.api_base_url, "ping_s": 0.5, **options})  # type: ignore[arg-type]
    async with AsyncExitStack() as stack:
        live = await stack.enter_async_context(live_answers(genenetwork, every_s=0.02))
        answerer, interactions = HeldAnswerer(), Interactions()
        application = Application(NoRetriever(), OneRevision(), answerer, answerer, top_k=3, live=live)
        adapter = await stack.enter_async_context(
            SlackAdapter(
                SecretStr(BOT_TOKEN),
                SecretStr(APP_TOKEN),
                None,
                chosen,
                register=[interactions.register],
                limits=Fast(slack.clock).limits(),
            )
        )
        adapter.draft_interval_s = 0.01
        await stack.enter_async_context(interactions)
        settings = Settings.model_validate({"lease_s": 5.0, "rate_person": 0, "rate_channel": 0})
        stop = asyncio.Event()
        task = asyncio.create_task(Service(settings, application, store, [adapter], ROLES).run(stop))
        try:
            await slack.connected(2, DEADLINE_S)
            yield
        finally:
            stop.set()
            await task


async def final(slack: LocalSlack, asked: Message) -> Line:
    """Wait for the complete answer to a question."""

    def found() -> Line | None:
        lines = slack.transcript(asked.channel, asked.root)
        later = [line for line in lines if line.is_bot and float(line.ts) > float(asked.ts)]
        return next((line for line in later if "Ask again" in line.button_labels), None)

    line = await slack.until(found, timeout_s=DEADLINE_S)
    assert line is not None
    return line


def below(slack: LocalSlack, asked: Message) -> list[str]:
    """Return the sentences that stood below a thread while the bot worked, in order."""
    calls = slack.calls("assistant.threads.setStatus")
    mine = [call.arguments for call in calls if call.arguments.get("thread_ts") == asked.root]
    return [str((one.get("loading_messages") or [one.get("status", "")])[0]) for one in mine]


async def files_below(slack: LocalSlack, asked: Message, count: int) -> list[str]:
    """Wait for so many files in a thread, and return their names."""

    def names() -> list[str]:
        return [name for line in slack.transcript(asked.channel, asked.root) for name in line.files]

    await slack.until(lambda: len(names()) >= count, timeout_s=DEADLINE_S)
    return names()


async def test_a_mapping_says_how_long_it_takes_and_brings_its_picture(
    slack: LocalSlack, store: Store, genenetwork: GeneNetworkServer
) -> None:
    """Below the thread while the answer is streamed; the picture has words for those who cannot see it."""
    held = asyncio.Event()
    genenetwork.fail(MAPPING, Trouble.slow(held))
    async with looking(slack, store, genenetwork):
        asked = slack.mention(C1, "U1", "map BXD_10001")
        await slack.until(
            lambda: any("GeneNetwork maps BXD_10001" in one for one in below(slack, asked)), timeout_s=DEADLINE_S
        )
        held.set()
        answer = await final(slack, asked)
        names = await files_below(slack, asked, 1)
        (picture,) = slack.world.files.values()

        assert slack.calls("chat.startStream")
        assert "BXD_10001" in answer.text
        assert ["BXD_10001_map.png"] == names
        assert any("/api/v_pre1/mapping?" in link.url for link in answer.links)
        assert "BXD_10001" in picture.alt
        assert {} == slack.agent.status
        assert [] == [line.text for line in slack.transcript(C1, asked.ts) if "so far" in line.text]


async def test_where_slack_shows_no_status_the_message_itself_says_it(
    slack: LocalSlack, store: Store, genenetwork: GeneNetworkServer
) -> None:
    """The answer is then edited instead of streamed."""
    slack.faults.always("assistant.threads.setStatus", Fault(error="missing_scope"))
    held = asyncio.Event()
    genenetwork.fail(MAPPING, Trouble.slow(held))
    async with looking(slack, store, genenetwork):
        asked = slack.mention(C1, "U1", "map BXD_10001")
        await slack.until(
            lambda: any("GeneNetwork maps BXD_10001" in line.text for line in slack.transcript(C1, asked.ts)),
            timeout_s=DEADLINE_S,
        )
        held.set()
        answer = await final(slack, asked)

        assert "so far" not in answer.text
        assert 1 == len([line for line in slack.transcript(C1, asked.ts) if line.is_bot and not line.files])


async def test_the_data_come_as_a_table_when_they_are_asked_for(
    slack: LocalSlack, store: Store, genenetwork: GeneNetworkServer
) -> None:
    """One word in the thread, without a mention, is enough."""
    async with looking(slack, store, genenetwork):
        asked = slack.mention(C1, "U1", "values of BXD_10001")
        await final(slack, asked)
        await files_below(slack, asked, 1)
        more = slack.say(C1, "U1", "csv", thread_ts=asked.ts)
        await final(slack, more)
        names = await files_below(slack, asked, 3)

        assert ["BXD_10001_values.csv"] == [name for name in names if name.endswith(".csv")]
        assert b"BXD" in next(file.data or b"" for file in slack.world.files.values() if file.name.endswith(".csv"))
