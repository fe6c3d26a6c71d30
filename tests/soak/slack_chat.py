"""The soak's Slack: the local Slack as a process, to which the replicas connect as `locus run` does."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from adapters.slack.connection import CONNECTIONS
from bot.messages import Audience, Place, request_id
from tests.chat_records import ChatEvent, EventKind, Snapshot
from tests.slack_server import APP_TOKEN, BOT_TOKEN
from tests.slack_server.remote import RemoteSlack, slack_process
from tests.soak.chat import AWAY_S, Chat
from tests.soak.plan import Planned
from tests.soak.slack_records import BOT, DIED, NOBODY, TEAM, UNACKNOWLEDGED, Act, missed, read_snapshot

RETRY_AFTER_S: Final = (0.0, 60.0, 300.0)  # as Slack does it
SPEED: Final = 4.0  # seconds of Slack's limits in a real one
TWICE, TWICE_WITHIN_S = 0.2, 3.0
HELD, HELD_S = 0.1, 0.5
MOST_VERSIONS: Final = 500  # of a message that are looked at
LOST, FAILED, SLOW, SLOW_S = 0.03, 0.02, 0.3, 0.02


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that was written.

    Attributes:
        channel: Where.
        ts: Its time stamp.
        root: Of its thread; its own time stamp where it begins one.
        user: Who wrote it.
        mention: True when it names the bot.
    """

    channel: str
    ts: str
    root: str
    user: str
    mention: bool

    @property
    def reference(self) -> str:
        """Handle of its request."""
        return request_id(Place("slack", TEAM, self.channel, self.root), self.ts)


class SlackSoakChat(Chat):
    """People of a workspace. Each conversation of a plan is a thread: of a channel, or of the direct messages.

    A thread begins with a mention; follow-ups need none as soon as the bot has said something there.

    Args:
        seed: Of its chances.
        speed: How much faster Slack's limits pass than time.
        retry_after_s: Pauses before each further attempt of an event that was not acknowledged, real seconds.
    """

    name = "slack"

    def __init__(self, seed: int, *, speed: float = SPEED, retry_after_s: Sequence[float] = RETRY_AFTER_S) -> None:
        self._options = {
            "--seed": seed,
            "--speed": speed,
            "--retry-after": ",".join(map(str, retry_after_s)),
            "--keep-versions": MOST_VERSIONS,
        }
        self._speed = speed
        self._stack = AsyncExitStack()
        self._slack: RemoteSlack
        self._directs: dict[str, str] = {}
        self._roots: dict[tuple[str, str], str] = {}
        self._asked: dict[str, Asked] = {}
        self._acts: list[Act] = []

    async def __aenter__(self) -> Self:
        given = [str(part) for option in self._options.items() for part in option]
        url = self._stack.enter_context(slack_process(*given))
        self._slack = await self._stack.enter_async_context(RemoteSlack(url))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def arguments(self) -> Sequence[str]:
        return ("--slack-speed", str(self._speed))

    @property
    def settings(self) -> Mapping[str, str]:
        return {
            "LOCUS_SLACK_API_URL": self._slack.api_base_url,
            "LOCUS_SLACK_BOT_TOKEN": BOT_TOKEN,
            "LOCUS_SLACK_APP_TOKEN": APP_TOKEN,
        }

    async def prepare(self, plan: Sequence[Planned]) -> None:
        people = sorted({one.event.user for one in plan})
        for person in people:
            await self._slack.act("add_user", name=person, user_id=_user(person))
        members = [BOT, *map(_user, people)]
        for name, audience in sorted({(one.event.channel, one.event.audience) for one in plan}):
            if audience is not Audience.DIRECT:
                kind = "public" if audience is Audience.PUBLIC else "private"
                channel = {"name": name, "kind": kind, "channel_id": _channel(name), "members": members}
                await self._slack.act("add_channel", **channel)
        direct = {(one.event.user, one.event.channel) for one in plan if one.event.audience is Audience.DIRECT}
        for person in sorted({person for person, _ in direct}):
            made = await self._slack.act("add_channel", name="", kind="im", members=[BOT, _user(person)])
            self._directs |= {channel: str(made["id"]) for owner, channel in direct if owner == person}

    async def misbehave(self) -> None:
        disorder = {"twice": TWICE, "twice_within_s": TWICE_WITHIN_S, "held": HELD, "held_s": HELD_S}
        await self._slack.configure(disorder=disorder)
        await self._slack.by_chance("*", LOST, drop="after")
        await self._slack.by_chance("*", FAILED, status=500)
        await self._slack.by_chance("*", SLOW, delay_s=SLOW_S)

    async def fail(self, number: int) -> None:
        """Answer 503, or 429; cut all connections, or ask the app to open others."""
        match number % 4:
            case 0:
                await self._always(status=503)
            case 1:
                await self._always(limited_s=math.ceil(AWAY_S * self._speed))
            case 2:
                await self._slack.sockets("abort")
            case _:
                await self._slack.sockets("disconnect", reason="refresh_requested")

    async def _always(self, **fault: object) -> None:
        await self._slack.always("*", **fault)
        await asyncio.sleep(AWAY_S)
        await self._slack.clear_faults()
        await self.misbehave()

    async def say(self, event: ChatEvent) -> None:
        channel, user = self._directs.get(event.channel, _channel(event.channel)), _user(event.user)
        root = self._roots.get(event.conversation, "")
        direct = event.audience is Audience.DIRECT
        mention = not direct and not (root and await self._takes_part(channel, root))
        sent_at = time.monotonic()
        written = {"channel": channel, "user": user, "text": _text(event.text, mention=mention)}
        try:
            place = await self._slack.act("say", **written, thread_ts=root)
        except ValueError:
            # The thread is gone with its root: people begin another one.
            root, mention = "", not direct
            place = await self._slack.act("say", **{**written, "text": _text(event.text, mention=mention)})
        ts = str(place["ts"])
        self._roots[event.conversation] = root or ts
        asked = self._asked[event.message_id] = Asked(channel, ts, root or ts, user, mention)
        self._note(event, asked, sent_at, ("message", channel, ts))

    async def edit(self, event: ChatEvent) -> None:
        asked, sent_at = self._asked[event.message_id], time.monotonic()
        text = _text(event.text, mention=asked.mention)
        try:
            await self._slack.act("edit", message={"channel": asked.channel, "ts": asked.ts}, text=text)
        except ValueError:
            return
        self._note(event, asked, sent_at, ("edit", asked.channel, asked.ts, text))

    async def delete(self, event: ChatEvent) -> None:
        asked, sent_at = self._asked[event.message_id], time.monotonic()
        await self._slack.act("delete", message={"channel": asked.channel, "ts": asked.ts})
        self._note(event, asked, sent_at, ("delete", asked.channel, asked.ts))

    async def stop(self, event: ChatEvent) -> None:
        """Press Stop below an answer, or Slack's own while it is streamed; where there is neither, nothing is done."""
        asked = self._asked[event.message_id]
        answer = await self._answer(asked)
        if answer is None:
            return
        sent_at, message = time.monotonic(), {"channel": asked.channel, "ts": answer["ts"]}
        try:
            if (answer["stream"] or {}).get("state") == "streaming":
                await self._slack.act("stop_stream", message=message, user=asked.user)
                # It stops all that the person waits for in the thread.
                about = Act(self._event(event, asked, message_id=""), sent_at, ("stopped", asked.channel, asked.root))
                self._acts.append(about)
                return
            await self._slack.act("press", message=message, user=asked.user, action_id="locus_stop")
        except ValueError:
            return
        self._note(event, asked, sent_at, ("press", asked.channel, answer["ts"], asked.user))

    async def snapshot(self) -> Snapshot:
        state = await self._slack.state()
        deliveries = await self._slack.deliveries(by="people")
        return read_snapshot(self._acts, state, deliveries, await self._slack.messages(by=BOT))

    async def bears_a_kill(self) -> bool:
        return len((await self._slack.state())["connections"]) >= 2 * CONNECTIONS

    async def particulars(self) -> Sequence[tuple[str, str]]:
        state = await self._slack.state()
        made = state["accepted"]
        deliveries = await self._slack.deliveries(by="people")
        why = Counter(missed(attempt) for delivery in deliveries for attempt in delivery["attempts"])
        streams = sum(made.get(f"chat.{name}Stream", 0) for name in ("start", "append", "stop"))
        return (
            ("connections of replicas", f"{state['connections_opened']}"),
            ("sent while no Locus was connected", f"{why[NOBODY]}"),
            ("sent over a connection then lost", f"{why[DIED]}"),
            ("not acknowledged otherwise", f"{why[UNACKNOWLEDGED]}"),
            ("calls to Slack", f"{sum(made.values())}"),
            ("posts, edits, streams' pieces", f"{made['chat.postMessage']}, {made['chat.update']}, {streams}"),
            ("calls answered with 429", f"{sum(state['limited'].values())}"),
        )

    async def _takes_part(self, channel: str, root: str) -> bool:
        return any(line["is_bot"] for line in await self._slack.transcript(channel, root))

    async def _answer(self, asked: Asked) -> Mapping[str, Any] | None:
        """Return the bot's message that answers a question, as it is now."""
        for message in await self._slack.messages(by=BOT, channel=asked.channel):
            key = message["metadata"].get("event_payload", {}).get("key")
            if key == asked.reference and not message["deleted"]:
                return message
        return None

    def _note(self, event: ChatEvent, asked: Asked, sent_at: float, about: tuple[str, ...]) -> None:
        self._acts.append(Act(self._event(event, asked, message_id=asked.ts), sent_at, about))

    def _event(self, event: ChatEvent, asked: Asked, *, message_id: str) -> ChatEvent:
        """Return a planned event with the ids that it has in Slack."""
        return ChatEvent(
            event.kind,
            asked.channel,
            message_id,
            asked.user,
            event.text if event.kind in (EventKind.MESSAGE, EventKind.EDIT) else "",
            asked.root,
            float(asked.ts),
            event.version,
            event.audience,
            self.name,
            TEAM,
        )


def _user(name: str) -> str:
    return f"U{name.upper()}"


def _channel(name: str) -> str:
    return f"C{name.upper()}"


def _text(text: str, *, mention: bool) -> str:
    return f"<@{BOT}> {text}" if mention else text
