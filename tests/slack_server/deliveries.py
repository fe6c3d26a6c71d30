"""What is sent to the app: at least once, acknowledged in time or tried again."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from tests.slack_server.clock import Clock
from tests.slack_server.values import Json

Kind = Literal["events_api", "interactive", "slash_commands"]


@dataclass
class Timing:
    """When a delivery counts as failed, and when it is tried again; in real seconds.

    Attributes:
        acknowledge_within_s: Slack's limit for an acknowledgement is 3 seconds.
        retry_after_s: Pauses before each further attempt of an event: at once, after about a minute, after about five.
    """

    acknowledge_within_s: float = 3.0
    retry_after_s: tuple[float, ...] = (0.0, 60.0, 300.0)


@dataclass
class Disorder:
    """How often events arrive as Slack does not promise that they do not; shares are 0 to 1, times real seconds.

    Attributes:
        twice: Share of events that are delivered again though they were acknowledged.
        twice_within_s: Longest time before that second delivery.
        held: Share of events whose first delivery is held back, so that later ones overtake them.
        held_s: Longest time one is held back.
    """

    twice: float = 0.0
    twice_within_s: float = 3.0
    held: float = 0.0
    held_s: float = 0.5


@dataclass
class Attempt:
    """One attempt of a delivery.

    Attributes:
        number: 0 for the first.
        reason: Why it was made, "" for the first.
        envelope_id: Of the envelope, or "" over HTTP.
        sent_at: Monotonic real seconds.
        through: Id of the connection that carried it, "" when there was none.
        took_s: Real seconds until it was acknowledged; None if it was not.
        failure: Why it failed, or "".
        cut: True where the connection that carried it was gone before it was acknowledged.
    """

    number: int
    reason: str
    envelope_id: str = ""
    sent_at: float = 0.0
    through: str = ""
    took_s: float | None = None
    failure: str = ""
    cut: bool = False


@dataclass
class Delivery:
    """Something sent to the app.

    Attributes:
        kind: As in an envelope's `type`.
        payload: The same in all attempts.
        attempts: So far.
        response: What the acknowledgement carried, or None.
        status: "open" until it was acknowledged or given up.
    """

    kind: Kind
    payload: Json
    attempts: list[Attempt] = field(default_factory=list)
    response: Json | None = None
    status: Literal["open", "acknowledged", "failed"] = "open"
    _done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def event_id(self) -> str:
        """Id of the event, "" for interactions."""
        return str(self.payload.get("event_id", ""))

    @property
    def acknowledged(self) -> bool:
        """True when the app has acknowledged it in time."""
        return self.status == "acknowledged"

    async def settled(self, timeout_s: float = 10.0) -> Delivery:
        """Wait until it was acknowledged or given up.

        Raises:
            TimeoutError: If that takes longer.
        """
        async with asyncio.timeout(timeout_s):
            await self._done.wait()
        return self

    def settle(self, status: Literal["acknowledged", "failed"]) -> None:
        """Note how it ended."""
        self.status = status
        self._done.set()


@dataclass(frozen=True)
class Outcome:
    """How an attempt went: `failure` is "" when it was acknowledged; `again` is False when no retry is wanted."""

    failure: str = ""
    response: Json | None = None
    again: bool = True


class Transport(Protocol):
    """How deliveries reach the app."""

    async def attempt(self, delivery: Delivery, attempt: Attempt, timeout_s: float) -> Outcome:
        """Send once and wait for the acknowledgement."""
        ...


class Deliveries:
    """Sends, waits, tries again; keeps everything for the tests.

    Args:
        timing: See there.
        clock: Of the server.
        changed: Called when something has happened.
        seed: Of what comes by chance.

    Attributes:
        sent: All deliveries, oldest first.
        transport: Socket Mode or HTTP; set by the server.
        on_acknowledged: Called with a delivery that was acknowledged in time, for the first time.
        disorder: See there; none unless a test sets it.
        copies: How many deliveries of the same event are begun at once, each acknowledged for itself; 1 is normal.
    """

    def __init__(self, timing: Timing, clock: Clock, changed: Callable[[], None], *, seed: int = 1) -> None:
        self.timing = timing
        self.disorder = Disorder()
        self._random = random.Random(seed)
        self.sent: list[Delivery] = []
        self.transport: Transport | None = None
        self.on_acknowledged: Callable[[Delivery], None] | None = None
        self.copies = 1
        self._clock = clock
        self._changed = changed
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, kind: Kind, payload: Json) -> Delivery:
        """Begin a delivery."""
        delivery = Delivery(kind, payload)
        self.sent.append(delivery)
        if kind != "events_api":
            self._begin(delivery)
            return delivery
        disorder, chance = self.disorder, self._random
        held_s = chance.uniform(0, disorder.held_s) if chance.random() < disorder.held else 0.0
        for _ in range(self.copies):
            self._begin(delivery, held_s)
        if chance.random() < disorder.twice:
            self._begin(delivery, held_s + chance.uniform(0, disorder.twice_within_s))
        return delivery

    def resend(self, delivery: Delivery) -> None:
        """Deliver once more what was acknowledged already, as Slack may."""
        self._begin(delivery)

    def _begin(self, delivery: Delivery, after_s: float = 0.0) -> None:
        task = asyncio.get_running_loop().create_task(self._deliver(delivery, after_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def of_type(self, event_type: str) -> list[Delivery]:
        """Return the deliveries of events, interactions or commands of a type ("message", "block_actions", ...)."""
        return [
            delivery
            for delivery in self.sent
            if event_type in (delivery.payload.get("type"), delivery.payload.get("event", {}).get("type"))
        ]

    async def settled(self, timeout_s: float = 10.0) -> None:
        """Wait until everything sent so far was acknowledged or given up."""
        async with asyncio.timeout(timeout_s):
            for delivery in list(self.sent):
                await delivery.settled(timeout_s)

    async def close(self) -> None:
        """Give everything up."""
        for task in list(self._tasks):
            task.cancel()
        for task in list(self._tasks):
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _deliver(self, delivery: Delivery, after_s: float) -> None:
        """Try until it is acknowledged; only events are tried again."""
        if after_s:
            await asyncio.sleep(after_s)
        pauses = self.timing.retry_after_s if delivery.kind == "events_api" else ()
        reason = ""
        for number in range(len(pauses) + 1):
            if number:
                await asyncio.sleep(pauses[number - 1])
            outcome = await self._attempt(delivery, number, reason)
            if not outcome.failure:
                delivery.response = outcome.response or delivery.response
                first = delivery.status != "acknowledged"
                delivery.settle("acknowledged")
                if first and self.on_acknowledged:
                    self.on_acknowledged(delivery)
                self._changed()
                return
            reason = outcome.failure
            self._changed()
            if not outcome.again:
                break
        if delivery.status != "acknowledged":
            delivery.settle("failed")
        self._changed()

    async def _attempt(self, delivery: Delivery, number: int, reason: str) -> Outcome:
        loop = asyncio.get_running_loop()
        attempt = Attempt(number, reason, sent_at=loop.time())
        delivery.attempts.append(attempt)
        self._changed()
        if self.transport is None:
            outcome = Outcome("connection_failed")
        else:
            outcome = await self.transport.attempt(delivery, attempt, self.timing.acknowledge_within_s)
        attempt.failure = outcome.failure
        if not outcome.failure:
            attempt.took_s = loop.time() - attempt.sent_at
        return outcome
