"""What tests of buttons, commands and tabs share: a real service over the local Slack that listens to all of it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from pydantic import SecretStr

from adapters.slack.adapter import SlackAdapter
from adapters.slack.agent_view import Titles
from adapters.slack.interactions import Interactions
from adapters.slack.options import Options
from bot.evidence import Citation, CitedPassage
from bot.given import GivenAnswer
from bot.store.client import Store
from bot.store.feedback import Opinion
from bot.threads import RecentThreads
from tests.fakes import HeldAnswerer
from tests.slack_adapter import DEADLINE_S, SlackService
from tests.slack_sending import Fast
from tests.slack_server import APP_TOKEN, BOT_TOKEN, Line, LocalSlack, Message, View

C1 = "C1"
TEXT = "Before it.\nThe BXD family descends\nfrom two strains. After it."
QUOTE = "The BXD family descends from two strains."


class Office(SlackService):
    """A running service, and what people do with it.

    Attributes:
        interactions: What listens.
        threads: Where the bot takes part.
    """

    interactions: Interactions
    threads: RecentThreads

    async def ask(self, text: str = "What is BXD?", *, channel: str = C1, user: str = "U1") -> tuple[Message, str]:
        """Have a question answered; returns the answer's message and its handle."""
        asked = self.slack.mention(channel, user, text)
        line = await self.answered(channel, asked.ts)
        await self.settled()
        found = self.slack.world.message(channel, line.ts)
        assert found is not None
        return found, self.handle(line)

    async def write(
        self, text: str = "slow question", *, channel: str = C1, user: str = "U1"
    ) -> tuple[Message, Message]:
        """Have a question be answered until its first words are seen; returns it and the message of its answer."""
        asked = self.slack.mention(channel, user, text)
        await self.begun()

        def stop_shown() -> Message | None:
            messages = self.slack.world.replies(channel, asked.ts)
            return next((one for one in messages if "Stop" in self.slack.line(one).button_labels), None)

        found = await self.slack.until(stop_shown, timeout_s=DEADLINE_S)
        assert found is not None
        return asked, found

    @staticmethod
    def handle(line: Line) -> str:
        """Return the handle that the buttons of an answer carry."""
        return next(button.value for button in line.buttons if button.action_id == "locus_again")

    async def given(self, handle: str) -> GivenAnswer:
        """Return an answer that was given."""
        found = await self.service.given.find(handle)
        assert found is not None
        return found

    async def change(self, handle: str, **values: object) -> None:
        """Change what is stored of an answer."""
        changed = dataclasses.replace(await self.given(handle), **values)  # type: ignore[arg-type]
        await self.service.inbox.store.transaction(*self.service.given.keep(changed))

    async def add_passages(self, handle: str, *passages: CitedPassage) -> None:
        """Store the passages of an answer."""
        await self.change(handle, passages=passages or (passage(1),))

    async def expire(self, handle: str) -> None:
        """Let an answer become too old."""
        given = await self.given(handle)
        await self.service.given.forget(given.person_id, handle)

    async def opinions(self) -> list[Opinion]:
        """Return all votes."""
        return list(await self.service.feedback.list(limit=100))

    def told(self, user: str, channel: str = C1) -> list[str]:
        """Return what one person was shown alone in a channel."""
        return [line.text for line in self.slack.transcript(channel, viewer=user) if line.only_for]

    async def until_told(self, user: str, channel: str = C1, count: int = 1) -> list[str]:
        """Wait until a person was shown so many messages alone."""
        await self.slack.until(lambda: len(self.told(user, channel)) >= count, timeout_s=DEADLINE_S)
        return self.told(user, channel)

    async def modal(self, user: str) -> View:
        """Wait until a person sees a modal."""
        view = await self.slack.until(lambda: self.slack.shown(user), timeout_s=DEADLINE_S)
        assert view is not None
        return view

    async def idle(self) -> None:
        """Wait until all that was pressed is done."""
        await self.slack.deliveries.settled(DEADLINE_S)
        async with asyncio.timeout(DEADLINE_S):
            while any(task.get_name() in NAMES for task in asyncio.all_tasks()):  # noqa: ASYNC110 - with a deadline
                await asyncio.sleep(0.002)
        await self.settled()


NAMES = frozenset(
    (
        "locus_up locus_down locus_passages locus_again locus_hand_over locus_stop|a comment|a shortcut|a command|"
        "a question about a message|the Home tab|the Messages tab|a reaction"
    )
    .replace(" locus", "|locus")
    .split("|")
)


def passage(number: int, text: str = TEXT, quote: str = QUOTE, **values: str) -> CitedPassage:
    """Return a passage that is cited with a number."""
    title = values.get("title", "BXD family")
    citation = Citation(number, title, values.get("source", "bxd.md"), "https://example.org/bxd", quote)
    return CitedPassage(citation, values.get("heading", "Families > BXD"), text)


@asynccontextmanager
async def office(
    slack: LocalSlack,
    store: Store,
    *,
    titles: Titles | None = None,
    settings: dict[str, object] | None = None,
    **options: object,
) -> AsyncIterator[Office]:
    """Run a service in which everything can be pressed; answers are shown by edits, so that Stop is a button."""
    values = {"api_url": slack.api_base_url, "ping_s": 0.5, "streaming": False, **options}
    chosen = Options(**values)  # type: ignore[arg-type]
    threads = RecentThreads()
    async with AsyncExitStack() as stack:
        interactions = Interactions(titles=titles)
        adapter = await stack.enter_async_context(
            SlackAdapter(
                SecretStr(BOT_TOKEN),
                SecretStr(APP_TOKEN),
                None,
                chosen,
                threads=threads,
                register=[interactions.register],
                accepted=[interactions.name_thread],
                limits=Fast(slack.clock).limits(),
            )
        )
        one = Office(slack, store, adapter, HeldAnswerer(), **(settings or {}))
        one.interactions, one.threads = interactions, threads
        try:
            await slack.connected(2, DEADLINE_S)
            async with interactions:
                yield one
        finally:
            one.answerer.release.set()
            one.stop.set()
            await one.task


async def no_titles() -> Sequence[str]:
    """Know no documents."""
    return ()
