"""What tests of digests in Slack share: `locus run` in one task, between a local Slack and a local GeneNetwork."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from pydantic import SecretStr

from adapters.slack.adapter import SlackAdapter
from adapters.slack.interactions import Interactions
from adapters.slack.options import Options
from bot.cli.digests import LEADER, run_digests
from bot.digest.parts import make_digest_parts
from bot.digest.subscriptions import Subscription
from bot.errors import BotError
from bot.pictures.drawing import Drawing
from bot.service import ALL_ROLES, Service
from bot.settings import Settings
from bot.store.client import Store
from bot.store.threads import JoinedThreads
from tests.fakes import HeldAnswerer, held_application
from tests.genenetwork import client_of
from tests.gn_server import GeneNetworkServer
from tests.slack_sending import Fast
from tests.slack_server import APP_TOKEN, BOT_TOKEN, Line, LocalSlack, Message

DEADLINE_S = 60.0


class DigestOffice:
    """A running service.

    Args:
        slack: Where people are.
        genenetwork: Where datasets are.
        settings: Of the service.
        service: That runs, in `task`, until `stop` is set.
        answerer: Of it.
    """

    def __init__(
        self,
        slack: LocalSlack,
        genenetwork: GeneNetworkServer,
        settings: Settings,
        service: Service,
        answerer: HeldAnswerer,
    ) -> None:
        self.slack = slack
        self.genenetwork = genenetwork
        self.service = service
        self.answerer = answerer
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(service.run(self.stop))
        self._settings = settings

    async def mention(self, text: str, channel: str = "C1") -> str:
        """Type a command by mention, and return the reply."""
        asked = self.slack.mention(channel, "U1", text)
        return (await self.answered(asked)).text

    async def answered(self, asked: Message) -> Line:
        """Wait for the next final words of the bot in the thread of a message, after it."""

        def final() -> Line | None:
            lines = self.slack.transcript(asked.channel, asked.root)
            later = [line for line in lines if line.is_bot and float(line.ts) > float(asked.ts) and line.text]
            done = [line for line in later if not line.streaming and "Stop" not in line.button_labels]
            return done[0] if done else None

        line = await self.slack.until(final, timeout_s=DEADLINE_S)
        assert line is not None
        return line

    async def slash(self, text: str, channel: str = "C1") -> str:
        """Type a command behind /locus, and return the reply that only its person sees."""

        def told() -> list[str]:
            return [line.text for line in self.slack.transcript(channel, viewer="U1") if line.only_for]

        before = len(told())
        self.slack.slash("/locus", "U1", channel, text)
        await self.slack.until(lambda: len(told()) > before, timeout_s=DEADLINE_S)
        return told()[before]

    async def subscriptions(self) -> list[Subscription]:
        """Return all that are stored."""
        assert self.service.digests is not None
        return [one.subscription for one in await self.service.digests.subscriptions.list()]

    async def looked(self) -> None:
        """Wait until GeneNetwork was looked at for the first time, and schedules run."""
        assert self.service.digests is not None
        known = self.service.digests.known
        async with asyncio.timeout(DEADLINE_S):
            while not await known.store.call("EXISTS", known.store.key(*LEADER)):  # noqa: ASYNC110 - polled on purpose
                await asyncio.sleep(0.01)
            while await known.looks() is None:  # noqa: ASYNC110 - polled on purpose, with a deadline
                await asyncio.sleep(0.01)

    async def subscribe(self, text: str = "digest subscribe weekly mon 9:00") -> str:
        """Subscribe the channel, and wait for the look that the first digest is compared with."""
        said = await self.mention(text)
        await self.looked()
        return said

    async def publish(self) -> None:
        """Post what is due, as `locus digest run` does."""
        await run_digests(self._settings, "", DEADLINE_S)

    async def kill(self) -> None:
        """End at once, without finishing anything."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    def posts(self, channel: str = "C1") -> list[Line]:
        """Return what the bot has said in the channel itself."""
        lines = self.slack.transcript(channel)
        return [line for line in lines if line.is_bot and not line.only_for and line.thread_ts in ("", line.ts)]

    def thread(self, post: Line, channel: str = "C1") -> list[Line]:
        """Return what the bot has said below one of these."""
        return [line for line in self.slack.transcript(channel, post.ts) if line.is_bot and line.ts != post.ts]

    def add_datasets(self, count: int, group: str = "BXD", *, first: int = 1) -> None:
        """Enter datasets in GeneNetwork."""
        for number in range(first, first + count):
            self.genenetwork.world.add_dataset(
                f"Fresh_{group}_{number:02}",
                group=group,
                full_name=f"Fresh liver {number:02} of {group}",
                summary="Livers of aged mice were sequenced.",
            )


@asynccontextmanager
async def digest_office(
    slack: LocalSlack,
    genenetwork: GeneNetworkServer,
    settings: Settings,
    store: Store,
    *,
    adapter_class: type[SlackAdapter] = SlackAdapter,
) -> AsyncIterator[DigestOffice]:
    """Run everything that `locus run` does for Slack and digests, for the time of a test."""
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(client_of(genenetwork))
        drawing = Drawing()
        stack.callback(drawing.close)
        parts = await make_digest_parts(settings, opened.catalogue, drawing)
        interactions = Interactions()
        adapter = await stack.enter_async_context(
            adapter_class(
                SecretStr(BOT_TOKEN),
                SecretStr(APP_TOKEN),
                None,
                Options(api_url=slack.api_base_url, ping_s=0.5, streaming=False),
                threads=JoinedThreads(store, days=1),
                register=[interactions.register],
                limits=Fast(slack.clock).limits(),
            )
        )
        await stack.enter_async_context(interactions)
        answerer = HeldAnswerer()
        service = Service(settings, held_application(answerer), store, [adapter], ALL_ROLES, digest=parts)
        one = DigestOffice(slack, genenetwork, settings, service, answerer)
        try:
            await slack.connected(2, DEADLINE_S)
            yield one
        finally:
            one.stop.set()
            with contextlib.suppress(asyncio.CancelledError, BotError):
                await one.task
