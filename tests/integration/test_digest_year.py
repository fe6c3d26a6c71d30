"""A year of digests: outages, restarts, changed clocks and two schedulers, and every new dataset is posted once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.digest.digests import Digests
from bot.digest.interests import Interest
from bot.digest.subscriptions import Subscription, subscription_id
from bot.errors import UnavailableError
from bot.messages import Place
from bot.scheduling.dates import Dates
from bot.scheduling.scheduler import Scheduler
from bot.store.client import Store
from tests.digests import BXD, HXB, PLACE, DigestStage

WEEKS = 52
BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
CHANNELS = {
    "berlin": ("0 9 * * 1", "Europe/Berlin"),
    "chicago": ("30 8 * * *", "America/Chicago"),
    "night": ("30 2 * * 0", "Europe/Berlin"),  # within the hours that a change of the clocks leaves out or repeats
    "midnight": ("0 0 * * 1", "Europe/Berlin"),
    "monthly": ("0 9 * * mon#1", "Australia/Lord_Howe"),
}


class SimulatedTimer:
    """Calls jobs at their dates when a test says that time has passed; has the methods of the real timer."""

    def __init__(self) -> None:
        self.jobs: dict[str, tuple[Dates, Callable[[], Awaitable[None]], datetime]] = {}
        self.paused = True

    def resume(self) -> None:
        """Call what is due."""
        self.paused = False

    def pause(self) -> None:
        """Call nothing more."""
        self.paused = True

    def set(self, handle: str, dates: Dates, call: Callable[[], Awaitable[None]], *, first: datetime) -> None:
        """Plan a job."""
        self.jobs[handle] = (dates, call, first)

    def remove(self, handle: str) -> None:
        """Forget one."""
        self.jobs.pop(handle, None)

    def clear(self) -> None:
        """Forget all."""
        self.jobs.clear()

    def handles(self) -> list[str]:
        """Return all."""
        return sorted(self.jobs)

    async def close(self) -> None:
        """Stop."""
        self.clear()

    async def pass_to(self, now: datetime) -> None:
        """Call everything that is due, the earliest first."""
        while not self.paused:
            due = [(first, handle) for handle, (_, _, first) in self.jobs.items() if first <= now]
            if not due:
                return
            _, handle = min(due)
            dates, call, _ = self.jobs[handle]
            following = dates.after(now)
            self.jobs[handle] = (dates, call, following or now + timedelta(days=10_000))
            await call()


class Process:
    """A process with a scheduler of its own."""

    def __init__(self, stage: DigestStage, name: str) -> None:
        self.timer = SimulatedTimer()
        self.scheduler = Scheduler(
            stage.store,
            name,
            lease_s=60.0,
            clock=stage.clock,
            timer=lambda: self.timer,  # type: ignore[arg-type, return-value]
        )
        self.digests: Digests = stage.make()
        self.digests.register(self.scheduler)

    async def start(self) -> None:
        """Start, and try to lead."""
        await self.scheduler.start()
        await self.digests.prepare(self.scheduler.schedules)

    async def die(self, store: Store) -> None:
        """Die at once: its tasks are gone, and its lease ends by itself."""
        for task in [*self.scheduler._tasks, *self.scheduler._running]:
            task.cancel()
        await asyncio.gather(*self.scheduler._tasks, return_exceptions=True)
        await store.call("DEL", store.key("leader", "scheduler"))


def place_of(name: str) -> Place:
    return replace(PLACE, channel=name)


@pytest.mark.timeout(290)
async def test_a_year_with_outages_and_two_schedulers_posts_every_dataset_exactly_once(store: Store) -> None:
    """In five channels with schedules of their own; missed dates are made up for once."""
    chance = random.Random(7)
    stage = DigestStage(store)
    stage.clock.now = BEGIN.timestamp()
    for number in range(5):
        stage.catalogue.add(f"Old{number}")
    processes = [Process(stage, f"p{number}") for number in range(2)]
    for process in processes:
        await process.start()
    for name, (cron, zone) in CHANNELS.items():
        handle = subscription_id(place_of(name), Interest(), cron, zone)
        await processes[0].digests.roster.begin(
            Subscription(handle, place_of(name), Interest(), cron, cron, zone, True, stage.clock())
        )
    added: list[str] = []
    posted_at: dict[str, list[datetime]] = {name: [] for name in CHANNELS}
    seen = outages = handovers = lost = 0
    for hour in range(0, WEEKS * 7 * 24, 3):
        now = BEGIN + timedelta(hours=hour)
        stage.clock.now = now.timestamp()
        draw = chance.random()
        if draw < 0.02 and hour > 48:
            name = f"New{len(added)}"
            stage.catalogue.add(name, key=chance.choice([BXD, HXB]), dated="2001-01-01")
            added.append(name)
        outage = 0.06 < draw < 0.08
        stage.catalogue.away = 0.03 < draw < 0.05
        stage.catalogue.unknown = {BXD} if 0.05 < draw < 0.06 else set()
        if draw > 0.99:
            stage.chat.lost.append(UnavailableError("Lost."))
        elif draw > 0.98:
            stage.chat.failures.append(UnavailableError("Away."))
        outages += outage
        handovers += 0.08 < draw < 0.11
        lost += draw > 0.98
        if outage:  # all processes are gone for up to three weeks, one of them in the middle of something
            for process in processes:
                await process.die(store)
            stage.clock.now += chance.choice([3600.0, 86_400.0])
            processes = [Process(stage, f"h{hour}-{number}") for number in range(2)]
            for process in processes:
                await process.start()
        elif 0.08 < draw < 0.1:  # the one that leads ends in order, and the other goes on
            leading = next((one for one in processes if one.scheduler.leading), processes[0])
            await leading.scheduler.stop()
            processes.remove(leading)
            processes[0].scheduler._changed.set()
            processes.append(Process(stage, f"s{hour}"))
            await processes[1].start()
        elif 0.1 < draw < 0.11:  # a lease ends though its process is alive: it finds out when it writes
            await store.call("DEL", store.key("leader", "scheduler"))
            for process in reversed(processes):
                process.scheduler._changed.set()
        await _led(processes)
        for process in processes:
            await process.timer.pass_to(datetime.fromtimestamp(stage.clock(), UTC))
        for post in list(stage.chat.posts.values())[seen:]:
            seen += 1
            if not post.place.thread:
                posted_at[post.place.channel].append(now)
    stage.catalogue.away, stage.catalogue.unknown = False, set()
    stage.chat.lost.clear()
    stage.chat.failures.clear()
    for day in range(40):  # calm, so that all is told at last
        stage.clock.now = (BEGIN + timedelta(weeks=WEEKS, days=day)).timestamp()
        await _led(processes)
        for process in processes:
            await process.timer.pass_to(datetime.fromtimestamp(stage.clock(), UTC))
    for process in processes:
        await process.scheduler.stop()

    told: dict[str, list[str]] = {name: [] for name in CHANNELS}
    for post in stage.chat.posts.values():
        for section in post.now.sections:
            told[post.place.channel] += [entry.url.rpartition("/")[2] for entry in section.entries]
    assert min(len(added), outages, handovers, lost) > 30
    assert {name: sorted(added) for name in CHANNELS} == {name: sorted(names) for name, names in told.items()}
    weekly = posted_at["berlin"]
    assert weekly
    assert sum(one.astimezone(ZoneInfo("Europe/Berlin")).weekday() == 0 for one in weekly) >= 0.7 * len(weekly)


async def _led(processes: list[Process]) -> None:
    """Wait until one process leads and has planned everything."""
    async with asyncio.timeout(60):
        while True:
            for process in processes:
                if process.scheduler.leading and len(process.timer.handles()) >= len(CHANNELS) + 1:
                    return
                process.scheduler._changed.set()
            await asyncio.sleep(0.002)
