"""The scheduler: runs jobs at the dates of their schedules, in the one process that leads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bot.errors import BotError, InvalidRequestError, SettingsError, UnavailableError
from bot.extras import installing
from bot.scheduling.jobs import JOB_TIMEOUT_S, Job, Occasion, do
from bot.store.client import Store
from bot.store.errors import AWAY
from bot.store.leader import Leader, LostLeadershipError
from bot.store.schedules import SCHEDULES, Schedule, Schedules

if TYPE_CHECKING:
    from bot.scheduling.dates import Dates
    from bot.scheduling.timer import Timer

logger = logging.getLogger(__name__)

LOOK_S = 10.0  # how often records are read again though nobody said that they changed
LISTEN_PAUSE_S = 2.0
RETRY_S = 60.0  # pause before a job is tried again; doubled each time
MAX_RETRY_S = 3600.0
MAX_SKEW_S = 3600.0  # a last run that lies further in the future was written by a wrong clock


class Scheduler:
    """Runs jobs by kind. Any number of processes have one; the jobs run in one of them.

    A job is done when it returns. Dates that passed while no process led, or while the job ran, are made up for by one
    run. A job that fails in a way that may pass (`BotError.retryable`) is tried again after growing pauses; any other
    failure is logged and waits for the next date. When the process loses the lead its jobs are cancelled.

    Args:
        store: Where.
        holder: Name of this process; unique over all processes and starts.
        lease_s: Seconds after which another process leads when this one is gone.
        clock: Seconds since 1970, by which dates are due; leases go by the clock of the machine.
        timer: Makes what calls jobs at their dates; by default APScheduler, which goes by the clock of the machine.
    """

    def __init__(
        self,
        store: Store,
        holder: str,
        *,
        lease_s: float = 15.0,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], Timer] | None = None,
    ) -> None:
        self.schedules = Schedules(store, clock=clock)
        self._clock = clock
        self._make_timer = timer
        self._store = store
        self._leader = Leader(store, "scheduler", holder, lease_s=lease_s)
        self._jobs: dict[str, tuple[Job, float]] = {}
        self._resting: set[str] = set()
        self._timer: Timer | None = None
        self._known: dict[str, str] = {}  # records as they stood when they were last read
        self._bad: dict[str, str] = {}  # those that were logged
        self._retries: dict[str, float] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self._led = 0  # the fence under which the jobs run in this process, or 0
        self._stopping = False
        self._stale = True  # whether the records may have changed since they were read
        self._looked = 0.0
        self._trouble = ""

    @property
    def leading(self) -> bool:
        """True while the jobs run in this process."""
        return self._led > 0

    def register(self, kind: str, job: Job, *, timeout_s: float = JOB_TIMEOUT_S) -> None:
        """Say what is done for schedules of a kind, and how long it may take; before `start`."""
        self._jobs[kind] = (job, timeout_s)

    def leave(self, kind: str) -> None:
        """Say that schedules of a kind rest while this process leads, as what they need is switched off."""
        self._resting.add(kind)

    async def start(self) -> None:
        """Begin to lead as soon as no other process does.

        Raises:
            SettingsError: If the extra is not installed.
        """
        try:
            make_timer = await asyncio.to_thread(_import_timer) if self._make_timer is None else self._make_timer
        except ImportError as error:
            raise SettingsError(
                f"The scheduler needs the extra 'run': install it with `{installing('run')}`."
            ) from error
        self._stopping = False
        self._timer = make_timer()
        self._tasks = [
            asyncio.create_task(self._lead(), name="scheduler: lead"),
            asyncio.create_task(self._listen(), name="scheduler: listen"),
        ]

    async def stop(self, grace_s: float = 0.0) -> None:
        """Begin nothing more, let running jobs finish within `grace_s`, and give the lead away; safe to call twice."""
        timer, self._timer = self._timer, None
        if timer is None:
            return
        self._stopping = True
        timer.pause()
        if self._running:
            # The lead is kept meanwhile: what they write is refused without it.
            await asyncio.wait(set(self._running), timeout=grace_s)
        await self._cancel_jobs()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._led = 0
        with contextlib.suppress(BotError):
            await self._leader.resign()
        await timer.close()

    async def _lead(self) -> None:
        while True:
            try:
                await self._step()
            except BotError as error:
                self._say_once(str(error))
            except Exception:
                logger.exception("the scheduler stumbled and goes on")
            with contextlib.suppress(TimeoutError):
                # Not `wait_for`, which swallows a cancellation now and then before Python 3.12.
                async with asyncio.timeout(self._leader.lease_s / 3):
                    await self._changed.wait()
                self._changed.clear()
                self._stale = True

    async def _step(self) -> None:
        """Renew or try to get the lead, and read the records where they may have changed."""
        try:
            async with asyncio.timeout(self._leader.lease_s / 3):
                await self._leader.acquire()
        except (BotError, TimeoutError) as error:
            if self._leader.fence is None:
                await self._step_down()
            reason = str(error) if isinstance(error, BotError) else AWAY
            raise UnavailableError(f"Schedules wait for Redis: {reason}") from error
        fence = self._leader.fence or 0
        if fence != self._led:
            await self._step_down()  # also where another process has led in between
        if fence and not self._led and not self._stopping:
            logger.info("this process runs the schedules now", extra={"fence": fence})
            self._led, self._stale = fence, True
            if self._timer is not None:
                self._timer.resume()
        if self._led and not self._stopping and (self._stale or time.monotonic() - self._looked > LOOK_S):
            await self._load()
        self._say_once("")

    async def _step_down(self) -> None:
        if not self._led:
            return
        self._led = 0
        logger.warning("another process may run the schedules now; this one stands by")
        if self._timer is not None:
            self._timer.pause()
            self._timer.clear()
        self._known.clear()
        await self._cancel_jobs()

    async def _load(self) -> None:
        """Take over what changed in the records."""
        records = await self.schedules.records()
        for handle in self._known.keys() - records.keys():
            self._forget(handle)
        for handle, record in records.items():
            if self._known.get(handle) != record:
                self._forget(handle)
                await self._set(handle, record)
                self._known[handle] = record
        self._stale = False
        self._looked = time.monotonic()

    def _forget(self, handle: str) -> None:
        self._known.pop(handle, None)
        self._retries.pop(handle, None)
        if self._timer is not None:
            self._timer.remove(handle)

    async def _set(self, handle: str, record: str) -> None:
        from bot.scheduling.dates import Dates

        try:
            schedule = SCHEDULES.load(record)
            if schedule.kind in self._resting:
                return
            if schedule.kind not in self._jobs:
                raise InvalidRequestError(f"There is no job of the kind {schedule.kind[:60]!r} here.")
            dates = await asyncio.to_thread(Dates, schedule)
        except BotError as error:
            if self._bad.get(handle) != record:
                self._bad[handle] = record
                logger.error("the schedule %.80r is left out: %s", handle, error)
            return
        self._bad.pop(handle, None)
        due = dates.after(await self._last(schedule)) if schedule.enabled else None
        if due is not None and self._timer is not None:
            self._plan(schedule, dates, max(due, self._now()))

    def _plan(self, schedule: Schedule, dates: Dates, first: datetime) -> None:
        async def call() -> None:
            if self._stopping or not self._led:
                return
            task = asyncio.create_task(self._run(schedule, dates), name=f"job: {schedule.schedule_id}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            # Not awaited itself, so that what becomes of it never reaches APScheduler.
            await asyncio.wait({task})

        if self._timer is not None:
            self._timer.set(schedule.schedule_id, dates, call, first=first)

    async def _last(self, schedule: Schedule) -> datetime:
        """Return the moment up to which all dates of a schedule are done."""
        handle, now = schedule.schedule_id, self._clock()
        done = await self.schedules.last_run(handle) or 0.0
        if done > now + MAX_SKEW_S:
            logger.warning("the last run of the schedule %s lies in the future: it counts as being now", handle)
            await self._leader.commit(self.schedules.done(handle, now))
            done = now
        return datetime.fromtimestamp(max(done, schedule.since), UTC)

    async def _run(self, schedule: Schedule, dates: Dates) -> None:
        """Run a job, and store that it is done; owns every error of it."""
        handle = schedule.schedule_id
        begun = self._now()
        try:
            due = dates.after(await self._last(schedule))
            if due is None or due > begun or not await self._leader.renew():
                return  # another process did it, or leads
            occasion = Occasion(schedule, due, self._leader, self._led)
            job, timeout_s = self._jobs[schedule.kind]
            await do(job, occasion, timeout_s)
            await occasion.commit(self.schedules.done(handle, begun.timestamp()))
            self._retries.pop(handle, None)
        except LostLeadershipError as error:
            logger.warning("the job of the schedule %s lost the lead: %s", handle, error)
        except BotError as error:
            # Only errors that may pass get here: of the job, or of Redis while storing that it is done.
            self._again(schedule, dates, error)

    def _again(self, schedule: Schedule, dates: Dates, error: BotError) -> None:
        handle = schedule.schedule_id
        known = self._retries.get(handle)
        pause_s = min(MAX_RETRY_S, known * 2) if known else getattr(error, "retry_after_s", None) or RETRY_S
        if known is None:
            logger.warning("the job of the schedule %s is tried again later: %s", handle, error)
        self._retries[handle] = pause_s
        if handle in self._known and self._led and not self._stopping:
            self._plan(schedule, dates, self._now() + timedelta(seconds=pause_s))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    async def _cancel_jobs(self) -> None:
        running = set(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(BotError):
                async with aclosing(self._store.listen(self.schedules.channel)) as messages:
                    async for message in messages:
                        if message is not None:
                            self._changed.set()
            await asyncio.sleep(LISTEN_PAUSE_S)

    def _say_once(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            logger.warning("%s", trouble)
        elif self._trouble and not trouble:
            logger.info("the scheduler goes on")
        self._trouble = trouble


def _import_timer() -> type[Timer]:
    from bot.scheduling.timer import Timer

    return Timer
