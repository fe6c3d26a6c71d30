"""The state of a running local Slack that its parts share, and how they learn that something has changed."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tests.slack_server.clock import Clock
from tests.slack_server.deliveries import Deliveries, Delivery, Timing
from tests.slack_server.faults import Faults
from tests.slack_server.looks import Look, look_at
from tests.slack_server.manifest import MANIFEST, Grants
from tests.slack_server.rates import RateLimits, Rates
from tests.slack_server.sockets import Sockets
from tests.slack_server.texts import Reader
from tests.slack_server.values import Json, Message, SlackError
from tests.slack_server.world import World

T = TypeVar("T")

BOT_TOKEN = "xoxb-local"
APP_TOKEN = "xapp-local"
SIGNING_SECRET = "local-signing-secret"

_CALLS_KEPT = 50_000


@dataclass(frozen=True)
class CallRecord:
    """One call of the Web API.

    Attributes:
        method: Its name.
        at: Second of the server's clock when it came.
        arguments: As they were sent, without the token.
        outcome: "ok", the code of an error, "429", an HTTP status, "hang", "dropped" or "lost".
    """

    method: str
    at: float
    arguments: Json
    outcome: str


@dataclass(frozen=True)
class Ping:
    """Somebody was notified: `whom` is as in `Seen.pings`."""

    channel: str
    ts: str
    author: str
    whom: str


@dataclass
class Policies:
    """What a workspace or Slack itself allows.

    Attributes:
        streaming: "" where streams work, else the error that they answer: "unknown_method" in an old workspace,
            "missing_scope", "channel_type_not_supported", "feature_disabled", "method_not_supported_for_channel_type".
        stream_life_s: A stream that began longer ago is not in the streaming state any more.
        edit_window_s: Own messages older than this cannot be changed; None for no such rule.
        keep_versions: How many of a message's versions are kept.
        agent_sessions: False makes agents.sessions.* answer `feature_disabled`.
    """

    streaming: str = ""
    stream_life_s: float = 300.0
    edit_window_s: float | None = None
    keep_versions: int = 500
    agent_sessions: bool = True


@dataclass
class AgentState:
    """What the agent view shows in threads, by (channel, thread)."""

    status: dict[tuple[str, str], str] = field(default_factory=dict)
    statuses: list[tuple[str, str, str]] = field(default_factory=list)
    titles: dict[tuple[str, str], str] = field(default_factory=dict)
    prompts: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    sessions: dict[tuple[str, str], str] = field(default_factory=dict)


class Bench:
    """Everything that the parts of one local Slack share.

    Args:
        manifest: Of the app; what it does not grant is refused.
        timing: When deliveries count as failed, and when they are tried again.
        limits: How many calls are borne.
        clock: Its time.
        policies: What the workspace allows.
        seed: Of what comes by chance.
    """

    def __init__(
        self,
        manifest: Json | None = None,
        *,
        timing: Timing | None = None,
        limits: RateLimits | None = None,
        clock: Clock | None = None,
        policies: Policies | None = None,
        seed: int = 1,
    ) -> None:
        self.manifest = MANIFEST if manifest is None else manifest
        self.grants = Grants.of(self.manifest)
        self.clock = clock or Clock()
        self.world = World(self.clock)
        self.rates = Rates(self.clock, limits or RateLimits())
        self.faults = Faults(seed)
        self.policies = policies or Policies()
        self.deliveries = Deliveries(timing or Timing(), self.clock, self.changed, seed=seed)
        self.sockets = Sockets(self.world.app_id)
        self.deliveries.transport = self.sockets
        self.reader = Reader(self.world)
        self.agent = AgentState()
        self.tokens: dict[str, str] = {BOT_TOKEN: "", APP_TOKEN: ""}  # the error that it answers, or ""
        self.triggers: dict[str, tuple[str, float]] = {}  # the person, and when
        self.response_urls: dict[str, tuple[str, str, str]] = {}  # channel, user, ts of the message
        self.responses_used: Counter[str] = Counter()
        self.pings_seen: list[Ping] = []
        self.unfurls: list[tuple[str, str, str]] = []
        self.base_url = ""
        self._calls: deque[CallRecord] = deque(maxlen=_CALLS_KEPT)
        self._waiters: set[asyncio.Event] = set()

    @property
    def api_base_url(self) -> str:
        """What the slack_sdk takes as `base_url`."""
        return f"{self.base_url}/api/"

    def record_call(self, record: CallRecord) -> None:
        """Keep what was called."""
        self._calls.append(record)
        self.changed()

    def calls(self, method: str = "", *, outcome: str = "") -> list[CallRecord]:
        """Return the calls of a method, or all; newest last."""
        return [call for call in self._calls if method in ("", call.method) and outcome in ("", call.outcome)]

    def changed(self) -> None:
        """Wake everybody who waits for something to become true."""
        for waiter in self._waiters:
            waiter.set()

    async def until(self, happened: Callable[[], T | None], timeout_s: float = 10.0) -> T:
        """Wait until `happened()` returns something true, and return that.

        It is asked again after every change of the server's state, and now and then besides.

        Raises:
            TimeoutError: If it does not within `timeout_s` real seconds.
        """
        waiter = asyncio.Event()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                while not (value := happened()):
                    waiter.clear()
                    try:
                        async with asyncio.timeout(0.02):
                            await waiter.wait()
                    except TimeoutError:
                        continue
                return value
        finally:
            self._waiters.discard(waiter)

    def look(self, message: Message) -> Look:
        """Return how a message looks to a person."""
        return look_at(message, self.reader)

    def emit(self, event: Json, *, channel: str = "") -> Delivery | None:
        """Send an event to the app if it is subscribed to it; `channel` names whose sharing the envelope tells."""
        place = self.world.channels.get(channel)
        kind = str(event["type"])
        name = f"message.{_PLURALS.get(str(event.get('channel_type')), 'channels')}" if kind == "message" else kind
        if name not in self.grants.events:
            return None
        event.setdefault("event_ts", event.get("ts") or self.world.new_ts())
        world = self.world
        payload: Json = {
            "token": "local",
            "team_id": world.team.id,
            "context_team_id": world.team.id,
            "context_enterprise_id": None,
            "api_app_id": world.app_id,
            "event": event,
            "type": "event_callback",
            "event_id": world.new_id("Ev"),
            "event_time": int(self.clock.now()),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": world.team.id,
                    "user_id": world.bot.id,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": bool(place and place.external),
            "event_context": world.new_id("4-"),
        }
        return self.deliveries.send("events_api", payload)

    def new_trigger(self, user: str) -> str:
        """Return a trigger id that opens one modal for a person within three seconds."""
        trigger = self.world.new_id("trigger.")
        self.triggers[trigger] = (user, self.clock.now())
        return trigger

    def new_socket_url(self) -> str:
        """Return an address that takes one Socket Mode connection.

        Raises:
            SlackError: If Socket Mode is off.
        """
        if not self.grants.socket_mode:
            raise SlackError("socket_mode_not_enabled")
        return f"{self.base_url.replace('http', 'ws', 1)}/link?ticket={self.sockets.new_ticket()}"

    def new_response_url(self, channel: str, user: str, ts: str = "") -> str:
        """Return an address to which the app may post answers to an interaction."""
        key = self.world.new_id("R")
        self.response_urls[key] = (channel, user, ts)
        return f"{self.base_url}/response/{key}"


_PLURALS = {"channel": "channels", "group": "groups", "im": "im", "mpim": "mpim"}
