"""Slack: how fast events are acknowledged when many arrive, and how fifty answers at once keep its limits."""

from __future__ import annotations

import asyncio
import math
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest

from adapters.slack.adapter import SlackAdapter
from adapters.slack.limits import RATES
from adapters.slack.options import Options
from adapters.slack.parts import Parts
from benchmarks.report import Report, shown
from bot.messages import Place
from bot.replies import Reply, Stage
from bot.service import Role, Service
from bot.settings import Settings
from bot.store.opening import open_store
from bot.texts import reading_documents
from tests.slack_sending import Fast
from tests.slack_server import APP_TOKEN, BOT_TOKEN, CallRecord, Clock, LocalSlack, RateLimits

MOST_P99_MS = 100.0
EVENTS_PER_S = 200
SECONDS = 10
CHANNELS = 50
PEOPLE = 40
STREAMS = 50
PIECES = 40
SPEED = 20.0  # of the clock by which fifty answers are written: a minute lasts three seconds
PIECE_S = 1.5  # seconds of that clock between two pieces

Event = dict[str, object]
Dispatch = Callable[[Event], Awaitable[None]]


def run(report: Report) -> None:
    """Print both."""
    ours = asyncio.run(_ours())
    bolts = asyncio.run(_bolts())
    rows: list[list[object]] = [
        [name, statistics.median(values), _p99(values), max(values)]
        for name, values in (("adapter, inbox and Redis", ours), ("slack-bolt alone, nothing stored", bolts))
    ]
    report.table(
        f"Acknowledgement, {EVENTS_PER_S} events a second for {SECONDS} s, ms", ("", "p50", "p99", "max"), rows
    )
    met = "met" if _p99(ours) < MOST_P99_MS else "not met"
    report.line(f"Target: p99 below {MOST_P99_MS:.0f} ms: {met} ({shown(_p99(ours))}).")
    asyncio.run(_streams(report))


async def _ours() -> list[float]:
    """Return the milliseconds until events are acknowledged by the adapter of a service, which stores them."""
    async with _adapter(Clock()) as (slack, adapter, apps):
        for number in range(CHANNELS):
            slack.world.add_channel(f"c{number}", channel_id=f"C{number + 100}", members=["UBOT"])
        for number in range(PEOPLE):
            slack.world.add_user(f"u{number}", user_id=f"U{number + 100}")
        with tempfile.TemporaryDirectory(prefix="lb-") as folder:
            settings = Settings(data_dir=Path(folder), rate_person=0, rate_channel=0, queue_limit=100_000)
            async with open_store(settings) as store:
                # No worker: what is measured is accepting, which all of Locus' processes share.
                service = Service(settings, None, store, [adapter], frozenset({Role.ADAPTER}), alone=True)
                stop = asyncio.Event()
                running = asyncio.create_task(service.run(stop))
                await slack.connected(2)
                try:
                    taken = await _load(_dispatch(apps[-1]))
                    stored = await service.inbox.store.call("XLEN", service.inbox.keys.inbox)
                    if stored != EVENTS_PER_S * (SECONDS + 1):
                        raise RuntimeError(f"{stored} events were stored")
                    return taken
                finally:
                    stop.set()
                    await running


async def _bolts() -> list[float]:
    """Return the same of slack-bolt with a listener that does nothing."""

    async def authorize(**_: object) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id="T1", bot_user_id="UBOT", bot_id="B0", bot_token=BOT_TOKEN)

    app = AsyncApp(authorize=authorize, signing_secret="", request_verification_enabled=False)

    @app.event("app_mention")
    async def answer() -> None:
        pass

    return await _load(_dispatch(app))


def _dispatch(app: AsyncApp) -> Dispatch:
    async def dispatch(body: Event) -> None:
        response = await app.async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode"))
        if response.status != 200:
            raise RuntimeError(f"an event was not acknowledged: {response.status}")

    return dispatch


async def _load(dispatch: Dispatch) -> list[float]:
    """Return the time of each event that arrives at a steady pace, in ms, after a second of warming up."""
    taken: list[float] = []
    epoch = int(time.time())

    async def deliver(number: int) -> None:
        body = _event(number, epoch)
        begun = time.perf_counter()
        await dispatch(body)
        taken.append(1000 * (time.perf_counter() - begun))

    for warm in range(EVENTS_PER_S):
        await deliver(warm)
    taken.clear()
    begin = time.perf_counter()
    tasks: list[asyncio.Task[None]] = []
    for place in range(EVENTS_PER_S * SECONDS):
        await asyncio.sleep(max(0.0, begin + place / EVENTS_PER_S - time.perf_counter()))
        tasks.append(asyncio.create_task(deliver(EVENTS_PER_S + place)))
    await asyncio.gather(*tasks)
    return taken


def _event(number: int, epoch: int) -> Event:
    event: Event = {
        "type": "app_mention",
        "user": f"U{100 + number % PEOPLE}",
        "text": f"<@UBOT> question {number}",
        "ts": f"{epoch}.{number:06d}",
        "channel": f"C{100 + number % CHANNELS}",
        "channel_type": "channel",
        "team": "T1",
    }
    return {"type": "event_callback", "team_id": "T1", "event_id": f"Ev{number}", "api_app_id": "A1", "event": event}


async def _streams(report: Report) -> None:
    """Print what fifty answers that are written at once cost of Slack's limits."""
    async with _adapter(Clock(SPEED), RateLimits(burst=1)) as (slack, adapter, _):
        first = slack.mention("C1", "U1", "Who is there?")  # so that the adapter knows who it is, as when it runs
        await adapter.find(Place("slack", "T1", "C1", first.ts), "none", answers=first.ts)
        finals = await asyncio.gather(*(_write(slack, adapter, number) for number in range(STREAMS)))
        seen = [line.text for line in slack.transcript("C1") if line.is_bot]
        complete = sum(any(final in text for text in seen) for final in finals)
        calls = slack.calls()
        rows: list[list[object]] = [
            [
                method,
                len(slack.calls(method)),
                _most_in_a_minute(slack.calls(method)),
                RATES[method].calls if method in RATES else "",
                slack.rates.limited[method],
            ]
            for method in sorted({call.method for call in calls})
        ]
    report.table(
        f"{STREAMS} answers of {PIECES} pieces at once, each for {PIECES * PIECE_S:.0f} s",
        ("method", "calls", "most in a minute", "Slack's limit", "429s"),
        rows,
    )
    limited: Counter[str] = slack.rates.limited
    report.line(
        f"Complete at the end: {complete} of {STREAMS}, in {len(seen)} messages; 429s: {sum(limited.values())}."
    )


async def _write(slack: LocalSlack, adapter: SlackAdapter, number: int) -> str:
    """Write one answer as the pipeline does, drafts as often as the adapter bears; returns its final text."""
    asked = slack.mention("C1", "U1", f"Question {number}")
    place = Place("slack", "T1", "C1", asked.ts)
    waiting = Reply(Stage.WAITING, reading_documents(), reference=f"r{number}", begins_stream=True)
    posted = await adapter.post(place, waiting, key=f"k{number}", answers=asked.ts)
    text = ""
    for piece in range(PIECES):
        text += f"answer{number}piece{piece} "
        await adapter.edit(place, posted, Reply(Stage.DRAFT, text, reference=f"r{number}"))
        await asyncio.sleep(slack.clock.real_s(PIECE_S))
    text = text.strip()
    await adapter.edit(place, posted, Reply(Stage.FINAL, text, handle=f"{number:022d}"))
    return text


@asynccontextmanager
async def _adapter(
    clock: Clock, limits: RateLimits | None = None
) -> AsyncIterator[tuple[LocalSlack, SlackAdapter, list[AsyncApp]]]:
    """Give a local Slack, an adapter for it, and the apps of its connections."""
    apps: list[AsyncApp] = []

    def register(app: AsyncApp, _: Parts) -> None:
        apps.append(app)

    async with LocalSlack(clock=clock, limits=limits or RateLimits(allowance=math.inf)) as slack:
        options = Options(api_url=slack.api_base_url)
        adapter = SlackAdapter(
            SecretStr(BOT_TOKEN),
            SecretStr(APP_TOKEN),
            None,
            options,
            register=[register],
            limits=Fast(clock).limits(),
        )
        async with adapter:
            yield slack, adapter, apps


def _most_in_a_minute(calls: Sequence[CallRecord]) -> int:
    times = sorted(call.at for call in calls)
    return max((sum(begin <= at < begin + 60 for at in times) for begin in times), default=0)


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[int(0.99 * len(values))]
