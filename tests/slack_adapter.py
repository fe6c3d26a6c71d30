"""What tests of the Slack adapter share: a real service over the local Slack."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from pydantic import SecretStr

from adapters.slack.accepting import OnAccepted
from adapters.slack.adapter import SlackAdapter
from adapters.slack.options import Options
from bot.service import Role, Service
from bot.settings import Settings
from bot.store.client import Store, number
from bot.threads import Threads
from bot.unheard import Unheard
from tests.fakes import HeldAnswerer, held_application
from tests.slack_sending import Fast
from tests.slack_server import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, Line, LocalSlack

DEADLINE_S = 15.0
ROLES = frozenset({Role.ADAPTER, Role.WORKER})


class SlackService:
    """A service that is connected to a local Slack, in a task; `kill` ends it as `kill -9` does.

    Args:
        slack: Where.
        store: The shared state.
        adapter: Connected to `slack`, and entered.
        settings: Further settings.
    """

    def __init__(
        self, slack: LocalSlack, store: Store, adapter: SlackAdapter, answerer: HeldAnswerer, **settings: object
    ) -> None:
        self.slack = slack
        self.adapter = adapter
        self.answerer = answerer
        values = {"lease_s": 1.0, "rate_person": 0, "rate_channel": 0, "shutdown_grace_s": 5.0, **settings}
        self.service = Service(Settings.model_validate(values), held_application(answerer), store, [adapter], ROLES)
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self.service.run(self.stop))
        self.killed = False

    async def answered(self, channel: str, thread: str, beginning: str = "About: ") -> Line:
        """Wait for the final answer in a thread, and return it as it is seen."""

        def found() -> Line | None:
            lines = bot_lines(self.slack, channel, thread)
            done = (line for line in lines if line.text.startswith(beginning) and line.buttons and not line.streaming)
            return next(iter([line for line in done if "Stop" not in line.button_labels]), None)

        line = await self.slack.until(found, timeout_s=DEADLINE_S)
        assert line is not None
        return line

    async def begun(self) -> None:
        """Wait until an answer is being written."""
        async with asyncio.timeout(DEADLINE_S):
            await self.answerer.begun.wait()
        self.answerer.begun.clear()

    async def settled(self) -> None:
        """Wait until every delivery is over and every request is done."""
        await self.slack.deliveries.settled(DEADLINE_S)
        store, keys = self.service.inbox.store, self.service.inbox.keys
        async with asyncio.timeout(DEADLINE_S):
            while number(await store.call("XLEN", keys.inbox)):  # noqa: ASYNC110 - polled, with a deadline
                await asyncio.sleep(0.005)

    async def kill(self) -> None:
        """End at once, without finishing anything."""
        self.killed = True
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


def bot_lines(slack: LocalSlack, channel: str, thread: str) -> list[Line]:
    """Return what the bot has said in a thread."""
    return [line for line in slack.transcript(channel, thread) if line.author == "locus"]


def make_adapter(
    slack: LocalSlack,
    threads: Threads | None = None,
    accepted: Sequence[OnAccepted] = (),
    documents: int = 0,
    unheard: Unheard | None = None,
    **options: object,
) -> SlackAdapter:
    """Return an adapter for a local Slack, which pings often so that tests need not wait."""
    chosen = Options(**{"api_url": slack.api_base_url, "ping_s": 0.2, "http_port": 0, **options})  # type: ignore[arg-type]
    return SlackAdapter(
        SecretStr(BOT_TOKEN),
        SecretStr(APP_TOKEN),
        SecretStr(SIGNING_SECRET),
        chosen,
        threads=threads,
        accepted=accepted,
        documents=lambda: documents,
        unheard=unheard,
        limits=Fast(slack.clock).limits(),
    )


@asynccontextmanager
async def serving(
    slack: LocalSlack,
    store: Store,
    *,
    answerer: HeldAnswerer | None = None,
    threads: Threads | None = None,
    accepted: Sequence[OnAccepted] = (),
    documents: int = 0,
    settings: dict[str, object] | None = None,
    unheard: Unheard | None = None,
    **options: object,
) -> AsyncIterator[SlackService]:
    """Run a service for the time of a test, connected unless it cannot."""
    async with AsyncExitStack() as stack:
        adapter = await stack.enter_async_context(make_adapter(slack, threads, accepted, documents, unheard, **options))
        one = SlackService(slack, store, adapter, answerer or HeldAnswerer(), **(settings or {}))
        try:
            async with asyncio.timeout(DEADLINE_S):
                await one.service.started.wait()
            yield one
        finally:
            one.answerer.release.set()
            one.stop.set()
            if not one.killed:
                await one.task
