"""The scheduler on a real Redis and the real APScheduler: dates, who runs, what was missed, what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pickle
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.jobstores.memory import MemoryJobStore  # type: ignore[import-untyped]

from bot.errors import BusyError, InvalidRequestError, RefusedError, SettingsError, UnavailableError
from bot.scheduling.dates import Dates
from bot.scheduling.jobs import Occasion
from bot.scheduling.scheduler import Scheduler
from bot.store import schedules as schedules_module
from bot.store.client import Store, number, text
from bot.store.leader import Leader, LostLeadershipError
from bot.store.schedules import RANS, Schedule, Schedules

BERLIN = ZoneInfo("Europe/Berlin")
HOUR_S = 3600.0


def cron(expression: str, zone: str = "Europe/Berlin") -> Dates:
    return Dates(Schedule("s", "k", cron=expression, zone=zone))


def following(dates: Dates, moment: datetime, count: int) -> list[str]:
    """Return the next dates in the time of Berlin."""
    found = []
    for _ in range(count):
        following = dates.after(moment)
        assert following is not None
        moment = following
        found.append(moment.astimezone(BERLIN).strftime("%a %d %b %H:%M %z"))
    return found


async def until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.002)


def test_monday_at_nine_stays_nine_when_the_clocks_change() -> None:
    """In the lab's time zone, in spring and autumn."""
    spring = following(cron("0 9 * * 1"), datetime(2026, 3, 23, 9, tzinfo=BERLIN), 2)
    autumn = following(cron("0 9 * * mon"), datetime(2026, 10, 19, 9, tzinfo=BERLIN), 2)

    assert ["Mon 30 Mar 09:00 +0200", "Mon 06 Apr 09:00 +0200"] == spring
    assert ["Mon 26 Oct 09:00 +0100", "Mon 02 Nov 09:00 +0100"] == autumn


def test_an_hour_that_is_left_out_is_made_up_for_right_after() -> None:
    """Once, on the day of the change; 2:30 does not exist then."""
    assert [
        "Sat 28 Mar 02:30 +0100",
        "Sun 29 Mar 03:30 +0200",
        "Mon 30 Mar 02:30 +0200",
    ] == following(cron("30 2 * * *"), datetime(2026, 3, 27, 12, tzinfo=BERLIN), 3)


def test_an_hour_that_comes_twice_counts_once_where_the_hour_is_set() -> None:
    """A digest at 2:30 is not sent twice."""
    assert [
        "Sat 24 Oct 02:30 +0200",
        "Sun 25 Oct 02:30 +0200",
        "Mon 26 Oct 02:30 +0100",
    ] == following(cron("30 2 * * *"), datetime(2026, 10, 23, 12, tzinfo=BERLIN), 3)


def test_the_first_hour_after_the_day_of_a_change_is_not_left_out() -> None:
    """Midnight of the Monday after the clocks were put forward, which the library underneath leaves out for a week."""
    assert ["Mon 30 Mar 00:00 +0200", "Mon 06 Apr 00:00 +0200"] == following(
        cron("0 0 * * 1"), datetime(2026, 3, 23, 0, tzinfo=BERLIN), 2
    )


def test_every_hour_means_every_hour_when_the_clocks_change() -> None:
    """Twenty-five of them on that day."""
    assert [
        "Sun 25 Oct 02:00 +0200",
        "Sun 25 Oct 02:00 +0100",
        "Sun 25 Oct 03:00 +0100",
    ] == following(cron("0 * * * *"), datetime(2026, 10, 25, 1, tzinfo=BERLIN), 3)


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("0", ["Sun"]),
        ("7", ["Sun"]),
        ("1-5", ["Mon", "Tue", "Wed", "Thu", "Fri"]),
        ("5-7", ["Fri", "Sat", "Sun"]),
        ("SAT,sun", ["Sat", "Sun"]),
        ("1-5/2", ["Mon", "Wed", "Fri"]),
        ("*/3", ["Wed", "Sat", "Sun"]),
        ("mon-wed", ["Mon", "Tue", "Wed"]),
    ],
)
def test_weekdays_are_those_of_crontab(field: str, days: list[str]) -> None:
    """Sunday is 0 and 7, which the library underneath counts otherwise."""
    found = following(cron(f"0 12 * * {field}"), datetime(2026, 11, 15, 20, tzinfo=BERLIN), len(days))  # a Sunday

    assert days == [date[:3] for date in found]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cron": "0 9 * *"}, "needs minute, hour, day, month and weekday"),
        ({"cron": "60 9 * * 1"}, "is no cron expression"),
        ({"cron": "0 9 * * 8"}, "is no weekday"),
        ({"cron": "0 9 * * 5-1"}, "range"),
        ({"cron": "0 9 * * */0"}, "range"),
        ({"cron": "0 9 1 * 1"}, "two schedules"),
        ({"cron": "0 9 31 2 *"}, "never comes"),
        ({"cron": "a b * d e"}, "is no cron"),
        ({"cron": "0 9 * * 1", "zone": "Mars/Olympus"}, "is no time zone"),
        ({"cron": "0 9 * * 1", "zone": "../../etc/passwd"}, "is no time zone"),
        ({"cron": "0 9 * * 1", "zone": ""}, "is no time zone"),
        ({"cron": "0 9 * * 1", "zone": "Europe"}, "is no time zone"),
        ({"every_s": 0.0}, "no interval"),
        ({"every_s": -5.0}, "no interval"),
        ({"every_s": float("nan")}, "no interval"),
        ({"every_s": float("inf")}, "no interval"),
    ],
)
def test_dates_that_cannot_be_understood_are_a_sentence(changes: dict[str, object], sentence: str) -> None:
    """It says what is wrong."""
    with pytest.raises(InvalidRequestError, match=sentence):
        Dates(Schedule("s", "k", **changes))  # type: ignore[arg-type]


def test_intervals_count_from_when_the_schedule_was_made() -> None:
    """So every process comes to the same dates."""
    dates = Dates(Schedule("s", "k", every_s=60, since=1_000_000_000.5))
    moments = [0.0, 1_000_000_000.5, 1_000_000_060.4, 1_000_000_060.5, 1_000_009_999.0]
    found = [dates.after(datetime.fromtimestamp(moment, UTC)) for moment in moments]

    assert [60.5, 60.5, 60.5, 120.5, 10020.5] == [date.timestamp() - 1_000_000_000 for date in found if date]


def test_dates_that_were_missed_are_one_date() -> None:
    """APScheduler asks for the next after each missed one; it is told of the next to come."""
    dates = Dates(Schedule("s", "k", every_s=1, since=1.0))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    following = dates.get_next_fire_time(now - timedelta(days=300), now)

    assert following is not None
    assert now < following


# The scheduler


class Log:
    """A job that notes when it ran, holds where it is told to, and fails as told."""

    def __init__(self) -> None:
        self.ran: list[Occasion] = []
        self.failures: list[Exception] = []
        self.hold: asyncio.Event | None = None
        self.cancelled = 0

    async def __call__(self, occasion: Occasion) -> None:
        self.ran.append(occasion)
        if self.hold is not None:
            try:
                await self.hold.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if self.failures:
            raise self.failures.pop(0)


@contextlib.asynccontextmanager
async def running(
    store: Store, log: Log, name: str = "p1", *, lease_s: float = 0.6, timeout_s: float = 60, resting: str = ""
) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(store, name, lease_s=lease_s)
    scheduler.register("note", log, timeout_s=timeout_s)
    scheduler.leave(resting)
    await scheduler.start()
    try:
        yield scheduler
    finally:
        await scheduler.stop()


def past(schedule_id: str = "s", *, parameters: dict[str, str] | None = None) -> Schedule:
    """An hourly schedule whose first date passed long ago: it is due at once, and then for an hour no more."""
    return Schedule(
        schedule_id, "note", every_s=HOUR_S, since=time.time() - 100.5 * HOUR_S, parameters=parameters or {}
    )


async def last_run(store: Store, schedule_id: str = "s") -> float | None:
    return await Schedules(store).last_run(schedule_id)


async def done(store: Store, schedule_id: str = "s", within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while await last_run(store, schedule_id) is None:
        assert time.monotonic() < deadline, "it was never done"
        await asyncio.sleep(0.002)


async def test_what_was_missed_is_run_once_and_stored_as_done(store: Store) -> None:
    """A hundred hours were missed; the job learns the first of them, and its parameters."""
    log = Log()
    schedule = past(parameters={"channel": "c1"})
    await Schedules(store).add(schedule)
    async with running(store, log):
        await done(store)
    async with running(store, log, "p2") as later:
        await until(lambda: later.leading)
        await until(lambda: _loaded(later))

    assert 1 == len(log.ran)
    assert {"channel": "c1"} == log.ran[0].schedule.parameters
    assert pytest.approx(schedule.since + HOUR_S) == log.ran[0].due.timestamp()


def _loaded(scheduler: Scheduler) -> bool:
    return scheduler._known != {}  # a look inside beats waiting for nothing to happen


async def test_a_schedule_runs_at_each_of_its_dates(store: Store) -> None:
    """Here every tenth of a second."""
    log = Log()
    await Schedules(store).add(Schedule("s", "note", every_s=0.1))
    async with running(store, log):
        await until(lambda: len(log.ran) >= 4)
    dates = [occasion.due for occasion in log.ran]

    assert sorted(set(dates)) == dates


async def test_only_the_process_that_leads_runs_jobs_and_another_goes_on(store: Store) -> None:
    """When it stops, the other leads without waiting for the lease to end."""
    first, second = Log(), Log()
    await Schedules(store).add(Schedule("s", "note", every_s=0.1))
    async with running(store, first, "p1") as leading:
        await until(lambda: leading.leading)
        async with running(store, second, "p2") as waiting:
            await until(lambda: len(first.ran) >= 3)
            before = (leading.leading, waiting.leading, len(second.ran))
            await leading.stop()
            await until(lambda: len(second.ran) >= 2)

    assert (True, False, 0) == before
    assert max(occasion.due for occasion in first.ran) < min(occasion.due for occasion in second.ran)
    assert [1] * len(first.ran) == [occasion.fence for occasion in first.ran]
    assert [2] * len(second.ran) == [occasion.fence for occasion in second.ran]


async def test_a_job_whose_process_died_is_run_again_for_the_same_date(store: Store) -> None:
    """It was begun, and never stored as done."""
    first, second = Log(), Log()
    first.hold = asyncio.Event()
    await Schedules(store).add(past())
    async with running(store, first, "p1"):
        await until(lambda: len(first.ran) == 1)
    async with running(store, second, "p2"):
        await done(store)

    assert [first.ran[0].due] == [occasion.due for occasion in second.ran]
    assert 1 == first.cancelled


async def test_who_loses_the_lead_stops_its_jobs_and_what_they_write_is_refused(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Though the process itself lives on; it leads again later, under another fence."""
    log = Log()
    log.hold = asyncio.Event()
    await Schedules(store).add(past())
    async with running(store, log, "p1") as scheduler:
        await until(lambda: len(log.ran) == 1)
        await store.call("DEL", store.key("leader", "scheduler"))
        other = Leader(store, "scheduler", "p2", lease_s=60)
        await other.acquire()
        await until(lambda: log.cancelled == 1)
        with pytest.raises(LostLeadershipError):
            await log.ran[0].commit(("SET", store.key("x"), 1))
        during = scheduler.leading
        await other.resign()
        log.hold.set()
        await done(store)
        with pytest.raises(LostLeadershipError):
            await log.ran[0].commit(("SET", store.key("x"), 1))

    assert not during
    assert [1, 3] == [occasion.fence for occasion in log.ran]
    assert log.ran[0].due == log.ran[1].due
    assert 1 == caplog.messages.count("another process may run the schedules now; this one stands by")


async def test_changes_of_schedules_are_seen_while_it_leads(store: Store) -> None:
    """Added, changed, switched off, removed: the leader hears of it."""
    log = Log()
    schedules = Schedules(store)
    async with running(store, log, lease_s=3) as scheduler:
        await until(lambda: scheduler.leading)
        await _listened_to(store, schedules)
        await schedules.add(past("a"))
        await until(lambda: len(log.ran) == 1, 5)
        await done(store, "a")
        await schedules.add(Schedule("a", "note", every_s=0.1))
        await until(lambda: len(log.ran) >= 3, 5)
        await schedules.add(Schedule("a", "note", every_s=0.1, enabled=False))
        await until(lambda: '"enabled":false' in scheduler._known.get("a", ""), 5)
        stopped = len(log.ran)
        await schedules.add(past("b"))
        await done(store, "b")
        await schedules.remove("a")
        await schedules.remove("b")
        await until(lambda: scheduler._known == {}, 5)

    assert "b" == log.ran[-1].schedule.schedule_id
    assert len(log.ran) <= stopped + 1


async def _listened_to(store: Store, schedules: Schedules) -> None:
    deadline = time.monotonic() + 10
    while number((await store.call("PUBSUB", "NUMSUB", schedules.channel))[1]) == 0:  # type: ignore[index]
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


async def test_bad_records_are_logged_once_and_the_others_run(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Unknown kind, wrong cron, unknown zone, damaged, of a newer version."""
    log = Log()
    schedules = Schedules(store)
    await schedules.add(Schedule("kind", "unknown", every_s=60))
    await schedules.add(Schedule("cron", "note", cron="61 * * * *"))
    await schedules.add(Schedule("zone", "note", cron="0 9 * * 1", zone="Mars/Olympus"))
    await schedules.add(past("well"))
    for handle, record in (("damaged", "{"), ("newer", '{"v":99}')):
        await store.transaction(
            ("SET", store.key("schedule", handle), record), ("SADD", store.key("schedules"), handle)
        )
    async with running(store, log) as scheduler:
        await done(store, "well")
        await store.call("DEL", store.key("leader", "scheduler"))
        await until(lambda: scheduler._led > 1)
        await until(lambda: len(scheduler._known) == 6)
    left_out = sorted(message for message in caplog.messages if "left out:" in message)

    assert ["well"] == [occasion.schedule.schedule_id for occasion in log.ran]
    assert [f"the schedule '{name}'" for name in ("cron", "damaged", "kind", "newer", "zone")] == [
        message.partition(" is left out")[0] for message in left_out
    ]


async def test_schedules_of_what_is_switched_off_rest_without_a_word(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """They are neither run nor logged, and the others run."""
    log = Log()
    await Schedules(store).add(Schedule("kind", "resting", every_s=60))
    await Schedules(store).add(past("well"))
    async with running(store, log, resting="resting") as scheduler:
        await done(store, "well")
        await until(lambda: len(scheduler._known) == 2)

    assert ["well"] == [occasion.schedule.schedule_id for occasion in log.ran]
    assert [] == [message for message in caplog.messages if "left out" in message]


async def test_stopping_waits_for_jobs_and_keeps_the_lead_for_them(store: Store) -> None:
    """Longer than the lease, so what they write at the end is accepted; nothing new is begun."""
    log = Log()
    log.hold = asyncio.Event()
    await Schedules(store).add(past())
    async with running(store, log, lease_s=0.15) as scheduler:
        await until(lambda: len(log.ran) == 1)
        stopping = asyncio.create_task(scheduler.stop(grace_s=20))
        await asyncio.sleep(0.4)
        log.hold.set()
        await stopping

    assert 0 == log.cancelled
    assert await last_run(store) is not None
    assert await store.call("EXISTS", store.key("leader", "scheduler")) == 0


async def test_stopping_cancels_what_takes_longer_than_its_grace(store: Store) -> None:
    """It counts as not done."""
    log = Log()
    log.hold = asyncio.Event()
    await Schedules(store).add(past())
    async with running(store, log) as scheduler:
        await until(lambda: len(log.ran) == 1)
        await scheduler.stop(grace_s=0.01)
        await scheduler.stop()

    assert 1 == log.cancelled
    assert await last_run(store) is None


async def test_a_job_that_fails_in_a_way_that_may_pass_is_tried_again(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """For the same date, after the pause that the error names; it is said once."""
    log = Log()
    log.failures += [UnavailableError("The chat is away.", retry_after_s=0.02), BusyError("Full.")]
    await Schedules(store).add(past())
    async with running(store, log):
        await done(store)

    assert 3 == len(log.ran)
    assert 1 == len({occasion.due for occasion in log.ran})
    assert ["the job of the schedule s is tried again later: The chat is away."] == [
        record.message for record in caplog.records if record.levelno == logging.WARNING
    ]


@pytest.mark.parametrize(
    ("error", "sentence"), [(RefusedError("Not allowed."), "failed: Not allowed."), (KeyError("x"), "s failed")]
)
async def test_a_job_that_fails_for_good_waits_for_its_next_date(
    store: Store, caplog: pytest.LogCaptureFixture, error: Exception, sentence: str
) -> None:
    """It is logged, and the scheduler goes on."""
    log = Log()
    log.failures.append(error)
    schedules = Schedules(store)
    await schedules.add(past())
    async with running(store, log):
        await done(store)
        await schedules.add(past("t"))
        await done(store, "t")

    assert ["s", "t"] == [occasion.schedule.schedule_id for occasion in log.ran]
    assert 1 == sum(sentence in message for message in caplog.messages)


async def test_a_job_that_hangs_is_stopped(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """So that its schedule does not stand still for ever."""
    log = Log()
    log.hold = asyncio.Event()
    await Schedules(store).add(past())
    async with running(store, log, timeout_s=0.05):
        await done(store)

    assert 1 == log.cancelled
    assert "the job of the schedule s took longer than 0.05 s and was stopped" in caplog.messages


async def test_a_last_run_in_the_far_future_was_a_wrong_clock(store: Store) -> None:
    """It does not silence the schedule for a year; a small difference between machines repeats nothing."""
    log = Log()
    schedules = Schedules(store)
    for handle, ahead_s in (("year", 365 * 86_400.0), ("minute", 60.0)):
        await schedules.add(Schedule(handle, "note", every_s=0.1))
        await store.call(*schedules.done(handle, time.time() + ahead_s))
    async with running(store, log):
        await until(lambda: len(log.ran) >= 2)

    assert {"year"} == {occasion.schedule.schedule_id for occasion in log.ran}


async def test_jobs_stay_in_memory_and_nothing_is_pickled(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is loaded from Redis is JSON; nothing in it is executed."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was pickled")

    for name in ("dump", "dumps", "load", "loads"):
        monkeypatch.setattr(pickle, name, refuse)
    log = Log()
    await Schedules(store).add(past())
    async with running(store, log) as scheduler:
        await done(store)
        assert scheduler._timer is not None
        stores = list(scheduler._timer._inner._jobstores.values())
        records = [text(await store.call("GET", store.key(name))) for name in ("schedule:s", "ran:s")]

    assert [MemoryJobStore] == [type(found) for found in stores]
    assert ['{"v":1,', '{"v":1,'] == [record[:7] for record in records]
    assert not any(
        name.startswith("apscheduler.jobstores.") and name.endswith(("redis", "sqlalchemy")) for name in sys.modules
    )


async def test_without_the_extra_it_says_how_to_install_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else of the scheduler is needed to import it."""
    for name in [name for name in sys.modules if name.startswith(("apscheduler", "bot.scheduling.timer"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "apscheduler", None)

    with pytest.raises(SettingsError, match="uv sync --extra run"):
        await Scheduler(store, "p1").start()


# The records


async def test_schedules_are_added_listed_changed_and_removed(store: Store) -> None:
    """Adding the same again changes nothing, so every start may do it."""
    schedules = Schedules(store, clock=lambda: 1000.0)
    tidy = Schedule("tidy", "tidy", every_s=3600)
    added = [await schedules.add(tidy), await schedules.add(tidy)]
    listed = await schedules.list()
    changed = await schedules.add(Schedule("tidy", "tidy", every_s=60))
    removed = [await schedules.remove("tidy"), await schedules.remove("tidy")]

    assert [True, False] == added
    assert (Schedule("tidy", "tidy", every_s=3600, since=1000.0),) == listed
    assert changed
    assert [True, False] == removed
    assert () == await schedules.list()


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule("", "k", every_s=1),
        Schedule("a:b", "k", every_s=1),
        Schedule("a" * 81, "k", every_s=1),
        Schedule("a", "k"),
        Schedule("a", "k", cron="0 9 * * 1", every_s=60),
        Schedule("a", "k", every_s=0.01),
        Schedule("a", "k", every_s=float("nan")),
        Schedule("a", "k", every_s=60, parameters={"x": "y" * 20_000}),
    ],
)
async def test_a_malformed_schedule_is_refused(store: Store, schedule: Schedule) -> None:
    """Nothing of it is stored."""
    with pytest.raises(InvalidRequestError):
        await Schedules(store).add(schedule)

    assert {} == await Schedules(store).records()


async def test_schedules_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changing one of those that are there is still possible."""
    monkeypatch.setattr(schedules_module, "MAX_SCHEDULES", 2)
    schedules = Schedules(store)
    for handle in ("a", "b"):
        await schedules.add(Schedule(handle, "k", every_s=60))
    with pytest.raises(BusyError):
        await schedules.add(Schedule("c", "k", every_s=60))

    assert await schedules.add(Schedule("a", "k", every_s=61))


async def test_when_a_job_was_done_is_kept_for_a_limited_time(store: Store) -> None:
    """And a damaged record counts as none."""
    schedules = Schedules(store)
    await store.call(*schedules.done("s", 12.5))
    kept = (await schedules.last_run("s"), number(await store.call("TTL", store.key("ran", "s"))))
    await store.call("SET", store.key("ran", "s"), "{")

    assert 12.5 == kept[0]
    assert 399 * 86_400 < kept[1] <= 400 * 86_400
    assert await schedules.last_run("s") is None
    assert 12.5 == RANS.load(str(schedules.done("s", 12.5)[2])).at


async def test_redis_away_is_survived_and_said_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The lead is given up when the lease has ended by its own clock."""
    log = Log()
    async with running(store, log, lease_s=0.3) as scheduler:
        await until(lambda: scheduler.leading)

        async def away() -> bool:
            raise UnavailableError("Its disk is full.")

        acquire = scheduler._leader.acquire
        scheduler._leader.acquire = away  # type: ignore[method-assign]
        await until(lambda: not scheduler.leading)
        scheduler._leader.acquire = acquire  # type: ignore[method-assign]
        await until(lambda: scheduler.leading)

    assert 1 == caplog.messages.count("Schedules wait for Redis: Its disk is full.")
