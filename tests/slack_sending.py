"""What tests of sending share: a sender to the local Slack, and messages as the renderer would make them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import JsonValue, SecretStr

from adapters.slack.client import SlackClient
from adapters.slack.limits import Limits
from adapters.slack.sending import Sender
from adapters.slack.sending_calls import Calls
from adapters.slack.sending_values import Recipient, Spot
from tests.slack_server import BOT_TOKEN, Clock, LocalSlack, Message

ADA = Recipient("T1", "U1")
GENERAL = "C1"


@dataclass(frozen=True)
class Text:
    """A message of one text; with blocks where `block` says so."""

    content: str
    block: JsonValue = None

    def arguments(self) -> dict[str, JsonValue]:
        """As the renderer gives them."""
        content: dict[str, JsonValue] = {"text": self.content}
        if self.block is not None:
            content = {"text": self.content[:100], "blocks": [self.block]}
        return {**content, "parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False}

    def plain(self, limit: int) -> str:
        """All of it, cut."""
        return self.content[:limit]

    def markdown(self, limit: int) -> str:
        """All of it, cut."""
        return self.content[:limit]


def section(content: str) -> Text:
    """A message of one section."""
    return Text(content, {"type": "section", "text": {"type": "mrkdwn", "text": content}})


class Escape:
    """Shows pieces as they are, but for the brackets by which Slack's markup begins."""

    def feed(self, piece: str) -> str:
        """Return the piece, escaped."""
        return piece.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class Fast:
    """Limits of this process on the clock of a local Slack."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def limits(self) -> Limits:
        """Limits that wait as much less as the clock is fast."""

        async def sleep(seconds: float) -> None:
            await asyncio.sleep(self._clock.real_s(seconds))

        return Limits(clock=self._clock.now, sleep=sleep)


@asynccontextmanager
async def sender(slack: LocalSlack, *, limits: Limits | None = None, timeout_s: float = 5.0) -> AsyncIterator[Sender]:
    """A sender as of a process of its own."""
    client = SlackClient(SecretStr(BOT_TOKEN), api_base_url=slack.api_base_url, timeout_s=timeout_s)
    async with client:
        yield Sender(Calls(client, limits or Fast(slack.clock).limits()), Escape)


def thread_of(message: Message) -> Spot:
    """The thread that begins with a message."""
    return Spot(message.channel, message.ts)


def texts(slack: LocalSlack, spot: Spot) -> list[str]:
    """What the bot has said in a thread, as a person sees it."""
    return [line.text for line in slack.transcript(spot.channel, spot.thread_ts) if line.author == "locus"]
