"""Scenarios in Slack: the real adapter with all its listeners, over the local Slack."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import ClassVar

from pydantic import SecretStr

from adapters.slack.adapter import SlackAdapter
from adapters.slack.interactions import Interactions
from adapters.slack.modals import COMMENT_INPUT
from adapters.slack.options import Options
from bot.chat import ChatAdapter
from bot.threads import RecentThreads
from tests.scenarios.driver import DEADLINE_S, SOURCE, Can, Driver
from tests.slack_sending import Fast
from tests.slack_server import APP_TOKEN, BOT_TOKEN, Clock, Line, LocalSlack, Message

HERE, ELSEWHERE = "C1", "C2"
SPEED = 100.0  # of the clock by which the adapter keeps Slack's limits
PEOPLE = {HERE: "U1", ELSEWHERE: "U2"}


class SlackDriver(Driver):
    """People of a workspace; a question is known by its channel and time stamp.

    Args:
        slack: Where.
        redis_url: As of `Driver`.
        prefix: As of `Driver`.
    """

    name = "slack"
    cannot: ClassVar[Mapping[Can, str]] = {}

    def __init__(self, slack: LocalSlack, redis_url: str, prefix: str) -> None:
        super().__init__(redis_url, prefix)
        self._slack = slack
        self._threads = RecentThreads()
        self._asked: dict[str, Message] = {}
        slack.world.add_channel("elsewhere", channel_id=ELSEWHERE, members=[*PEOPLE.values(), slack.world.bot.id])

    def shown(self) -> str:
        lines = [line for channel in PEOPLE for line in self._slack.transcript(channel) if line.is_bot]
        views = [self._slack.view_look(view).text for view in map(self._slack.shown, PEOPLE.values()) if view]
        return "\n".join([*(line.text for line in lines), *(link.url for line in lines for link in line.links), *views])

    def leaks(self) -> list[str]:
        lines = [line for channel in PEOPLE for line in self._slack.transcript(channel) if line.is_bot]
        links = {link.url for line in lines for link in line.links} - {SOURCE}
        pings = [ping.whom for ping in self._slack.pings(by=self._slack.world.bot.id)]
        return [*links, *pings, *self._slack.images(by=self._slack.world.bot.id)]

    async def ask(self, text: str, *, elsewhere: bool = False) -> str:
        channel = ELSEWHERE if elsewhere else HERE
        return self._note(self._slack.mention(channel, PEOPLE[channel], text))

    async def send_file(self, name: str, data: bytes, text: str) -> str:
        return self._note(self._slack.mention(HERE, PEOPLE[HERE], text, files=[(name, data)]))

    async def follow_up(self, question: str, text: str) -> str:
        root = self._asked[question]
        return self._note(self._slack.say(root.channel, root.user, text, thread_ts=root.root))

    async def edit(self, question: str, text: str) -> None:
        self._slack.edit(self._asked[question], f"<@{self._slack.world.bot.id}> {text}")

    async def delete(self, question: str) -> None:
        self._slack.delete(self._asked[question])

    async def deliver_again(self, question: str) -> None:
        asked = self._asked[question]
        for delivery in [one for one in self._slack.deliveries.sent if one.kind == "events_api"]:
            if delivery.payload["event"].get("ts") == asked.ts:
                self._slack.deliveries.resend(delivery)
        await self._slack.deliveries.settled(DEADLINE_S)

    async def stop(self, question: str) -> None:
        asked = self._asked[question]
        await self.until(lambda: any("Stop" in line.button_labels for line in self._answers(asked)))
        self._press(asked, "locus_stop")

    async def again(self, question: str) -> None:
        self._press(self._asked[question], "locus_again")

    async def vote_down(self, question: str, comment: str) -> None:
        asked = self._asked[question]
        self._slack.press(self._message(asked), asked.user, "locus_vote", f"down:{self._handle(question)}")
        view = await self._slack.until(lambda: self._slack.shown(asked.user), timeout_s=DEADLINE_S)
        assert view is not None
        self._slack.submit(view, {COMMENT_INPUT: comment})
        await self._slack.deliveries.settled(DEADLINE_S)

    async def passages(self, question: str) -> None:
        self._press(self._asked[question], "locus_passages")

    async def _open(self, stack: AsyncExitStack) -> ChatAdapter:
        interactions = Interactions()
        adapter = await stack.enter_async_context(
            SlackAdapter(
                SecretStr(BOT_TOKEN),
                SecretStr(APP_TOKEN),
                None,
                Options(api_url=self._slack.api_base_url, ping_s=0.2, streaming=False),
                threads=self._threads,
                register=[interactions.register],
                # Slack's own clock is slow, so that people have time to press; its limits are off.
                limits=Fast(Clock(SPEED)).limits(),
            )
        )
        adapter.draft_interval_s = 0.01
        await stack.enter_async_context(interactions)
        return adapter

    async def _connected(self) -> None:
        await self._slack.connected(2, DEADLINE_S)

    def _handle(self, question: str) -> str:
        (line,) = self._answers(self._asked[question])
        return next(button.value for button in line.buttons if button.action_id == "locus_again")

    def _hang_up(self) -> None:
        pass

    def _note(self, message: Message) -> str:
        name = f"{message.channel} {message.ts}"
        self._asked[name] = message
        return name

    def _answers(self, asked: Message) -> list[Line]:
        lines = self._slack.transcript(asked.channel, asked.root)
        return [line for line in lines if line.is_bot and not line.only_for]

    def _message(self, asked: Message) -> Message:
        found = self._slack.world.message(asked.channel, self._answers(asked)[-1].ts)
        assert found is not None
        return found

    def _press(self, asked: Message, action: str) -> None:
        self._slack.press(self._message(asked), asked.user, action)
