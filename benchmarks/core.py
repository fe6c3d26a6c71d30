"""What the durable core adds to a message, beside the same echo over bare slack-bolt dispatch."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest

from benchmarks.report import Report, shown
from bot.application import Application
from bot.chat import Reception
from bot.evidence import Answer, Evidence
from bot.messages import Audience, IncomingMessage, Place, Sender, Turn
from bot.ports import Asked, IndexFacts
from bot.replies import Reply
from bot.service import Role, Service
from bot.settings import Settings
from bot.store.opening import open_store

MOST_P50_MS = 5.0
MOST_P99_MS = 25.0
MESSAGES = 1000
WARM_UP = 50
PACE_S = 0.02  # 50 messages a second


@dataclass
class Times:
    """When a message passed each point, in seconds of one clock."""

    accepted: float = 0.0
    agent_called: float = 0.0
    agent_returned: float = 0.0
    posted: float = 0.0

    @property
    def overhead_ms(self) -> float:
        """All that is not the agent's: accept to agent call, and agent return to post."""
        return 1000 * (self.agent_called - self.accepted + self.posted - self.agent_returned)


@dataclass
class Clock:
    """The times of all messages, and an event when one is posted."""

    times: dict[str, Times] = field(default_factory=dict)
    done: dict[str, asyncio.Event] = field(default_factory=dict)

    def begin(self, text: str) -> None:
        """A message arrives."""
        self.done[text] = asyncio.Event()
        self.times[text] = Times(accepted=time.perf_counter())

    def end(self, text: str) -> None:
        """Its answer goes out."""
        self.times[text].posted = time.perf_counter()
        self.done[text].set()


class _Echo:
    """An agent that says what it hears; also the retriever and the index, which are not what is measured."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def rewrite(self, asked: Asked) -> Asked:
        return asked

    async def stream(self, asked: Asked, evidence: Evidence) -> AsyncGenerator[str | Answer]:
        times = self._clock.times[asked.question]
        times.agent_called = times.agent_returned = time.perf_counter()
        yield Answer(asked.question, asked.question, "quotes", True, (), 0.9)

    async def search(
        self, question: str, *, scopes: Sequence[str], history: Sequence[Turn] = (), top_k: int = 10
    ) -> Evidence:
        return Evidence(question, (), 0.9)

    async def has_documents(self) -> bool:
        return True

    async def revision(self) -> int:
        return 1

    async def facts(self) -> IndexFacts:
        return IndexFacts(1, "2026-11-01T09:00:00+00:00", 1)


class _Chat:
    """A chat whose calls take no time."""

    name = "bench"
    draft_interval_s = 1.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def run(self, reception: Reception) -> None:
        await asyncio.Event().wait()

    async def post(self, place: Place, reply: Reply, *, key: str, answers: str) -> str:
        return key

    async def edit(self, place: Place, post_id: str, reply: Reply) -> None:
        if reply.final:
            self._clock.end(reply.text)

    async def remove(self, place: Place, post_id: str) -> None:
        raise NotImplementedError

    async def find(self, place: Place, key: str, *, answers: str) -> str | None:
        return None


def run(report: Report) -> None:
    """Print the overhead of the core and of bolt's dispatch, one message at a time and at a steady pace."""
    rows: list[list[object]] = []
    ours = asyncio.run(_core())
    bolts = asyncio.run(_bolt())
    for load, mine, theirs in zip(("one at a time", "50 a second"), ours, bolts, strict=True):
        for name, values in (("durable core", mine), ("bare slack-bolt dispatch", theirs)):
            rows.append([f"{load}: {name}", statistics.median(values), _p99(values), max(values)])
    report.table(f"Overhead per message, {MESSAGES} messages, ms", ("", "p50", "p99", "max"), rows)
    p50, p99 = statistics.median(ours[1]), _p99(ours[1])
    met = "met" if p50 < MOST_P50_MS and p99 < MOST_P99_MS else "not met"
    report.line(
        f"Target at 50 a second: p50 below {MOST_P50_MS:.0f} ms and p99 below {MOST_P99_MS:.0f} ms: {met} "
        f"({shown(p50)} and {shown(p99)}; {shown(p50 / statistics.median(bolts[1]))} times bolt's p50, which keeps "
        "nothing)."
    )


async def _core() -> tuple[list[float], list[float]]:
    clock = Clock()
    echo = _Echo(clock)
    application = Application(echo, echo, echo, echo, top_k=1)
    with tempfile.TemporaryDirectory(prefix="lb-") as folder:
        settings = Settings(data_dir=Path(folder), rate_person=0, rate_channel=0, queue_limit=100_000)
        async with open_store(settings) as store:
            service = Service(
                settings,
                application,
                store,
                [_Chat(clock)],
                frozenset({Role.ADAPTER, Role.WORKER}),
                alone=True,
            )
            stop = asyncio.Event()
            running = asyncio.create_task(service.run(stop))
            await service.started.wait()

            async def deliver(text: str, number: int) -> None:
                place = Place("bench", "w", f"c{number % 50}", audience=Audience.PRIVATE)
                sender = Sender("bench", "w", f"u{number % 40}")
                clock.begin(text)
                await service.reception.message(IncomingMessage(place, sender, text, text, float(number)))

            try:
                return await _loads(clock, deliver)
            finally:
                stop.set()
                await running


async def _bolt() -> tuple[list[float], list[float]]:
    clock = Clock()

    async def authorize(**_: object) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None,
            team_id="T1",
            bot_user_id="UBOT",
            bot_id="B0",
            bot_token="xoxb-bench",  # noqa: S106 - opens nothing
        )

    app = AsyncApp(authorize=authorize, signing_secret="", request_verification_enabled=False)

    @app.event("app_mention")
    async def answer(event: dict[str, str]) -> None:
        times = clock.times[event["text"]]
        times.agent_called = times.agent_returned = time.perf_counter()
        clock.end(event["text"])

    async def deliver(text: str, number: int) -> None:
        clock.begin(text)
        event = {
            "type": "app_mention",
            "user": f"U{number % 40}",
            "text": text,
            "ts": f"{number}.0",
            "channel": f"C{number % 50}",
        }
        body = {"type": "event_callback", "team_id": "T1", "event_id": f"E{number}", "event": event}
        await app.async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode"))

    return await _loads(clock, deliver)


async def _loads(clock: Clock, deliver: Callable[[str, int], Awaitable[None]]) -> tuple[list[float], list[float]]:
    """Return the overhead of each message, in ms: one after the other, and at a steady pace."""
    number = 0
    for _ in range(WARM_UP + MESSAGES):
        number += 1
        await deliver(f"message {number}", number)
        await clock.done[f"message {number}"].wait()
    serial = [times.overhead_ms for times in list(clock.times.values())[WARM_UP:]]
    clock.times.clear()
    begin = time.perf_counter()
    tasks: list[asyncio.Task[None]] = []
    for place in range(MESSAGES):
        number += 1
        await asyncio.sleep(max(0.0, begin + place * PACE_S - time.perf_counter()))
        tasks.append(asyncio.ensure_future(deliver(f"message {number}", number)))
    await asyncio.gather(*tasks)
    await asyncio.gather(*(clock.done[text].wait() for text in clock.times))
    return serial, [times.overhead_ms for times in clock.times.values()]


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[int(0.99 * len(values))]
