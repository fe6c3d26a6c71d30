"""The dates of a schedule: a cron expression in a time zone, or an interval."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]
from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]

from bot.errors import InvalidRequestError
from bot.store.schedules import SHORTEST_S, Schedule

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WEEKDAY = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?")
_NTH = re.compile(r"(\w+)#([1-5]|l)")  # "mon#1": the first Monday of the month; "fri#l": the last Friday
_NTH_NAMES = {"1": "1st", "2": "2nd", "3": "3rd", "4": "4th", "5": "5th", "l": "last"}
_MOMENT = timedelta(microseconds=1)
_CHANGE = timedelta(hours=3)  # clocks are never changed by more, but for the days that islands have left out


class Dates(BaseTrigger):  # type: ignore[misc]
    """When a schedule is due.

    Where clocks are put back, a job at a set hour runs once, in the first of the two hours of that name; where they are
    put forward, a job in the hour left out runs as long after the change as it would have been after the hour began.

    A weekday may be counted within its month: "0 9 * * mon#1" is the first Monday at 9:00, "0 16 * * fri#l" the last
    Friday at 16:00.

    Args:
        schedule: Its `cron`, or `every_s` and `since`, and `zone` are read. This opens a file (the time zone).

    Raises:
        InvalidRequestError: If they cannot be understood, or there is no such date.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._zone = _zone(schedule.zone)
        self._every_s = schedule.every_s
        self._since = schedule.since
        self._cron: CronTrigger | None = None
        self._any_hour = False
        if not schedule.cron:
            if not schedule.every_s >= SHORTEST_S or math.isinf(schedule.every_s):
                raise InvalidRequestError(f"{schedule.every_s} seconds is no interval: {SHORTEST_S} is the shortest.")
            try:
                self.after(datetime.now(UTC))
            except (ValueError, OverflowError, OSError) as error:  # as the system's clock counts
                raise InvalidRequestError(
                    f"Every {schedule.every_s:g} seconds from {schedule.since:g} on is no date that a calendar has."
                ) from error
            return
        fields = schedule.cron.split()
        if len(fields) != 5:
            raise InvalidRequestError(
                f"{schedule.cron!r} is no cron expression: it needs minute, hour, day, month and weekday, as 0 9 * * 1."
            )
        minute, hour, day, month, weekday = fields
        if day != "*" and weekday != "*":
            raise InvalidRequestError(
                f"{schedule.cron!r} names days of the month and weekdays: make one of the two a *, or two schedules."
            )
        self._any_hour = "*" in hour
        try:
            nth = _nth_weekdays(weekday)
            self._cron = CronTrigger(
                minute=minute,
                hour=hour,
                day=nth or day,
                month=month,
                day_of_week="*" if nth else ",".join(_weekdays(weekday)),
                second="0",
                timezone=UTC,
            )
        except (ValueError, TypeError) as error:
            raise InvalidRequestError(f"{schedule.cron!r} is no cron expression: {error}.") from error
        if self.after(datetime.now(UTC)) is None:
            raise InvalidRequestError(f"{schedule.cron!r} names a date that never comes: correct its day or month.")

    def after(self, moment: datetime) -> datetime | None:
        """Return the first date after `moment` (with a time zone), in UTC, or None where there is none."""
        if self._cron is None:
            count = math.floor((moment.timestamp() - self._since) / self._every_s) + 1
            due = datetime.fromtimestamp(self._since + max(1, count) * self._every_s, UTC)
            return due if due > moment else due + timedelta(seconds=self._every_s)
        # APScheduler counts on the wall's clock, as if that were never changed: across a change it leaves out the first
        # hour of the day after (3.11). What the wall shows is then looked up in the zone, here.
        shown = moment.astimezone(self._zone).replace(tzinfo=UTC)
        found = self._next_shown(shown)
        if found is None:
            return None
        if self._steady(shown) and self._steady(found):
            return found.replace(tzinfo=self._zone).astimezone(UTC)
        best: datetime | None = None
        found = self._next_shown(shown - _CHANGE)
        while found is not None:
            for real in self._real(found):
                if real > moment and (best is None or real < best):
                    best = real
            if best is not None and found > best.astimezone(self._zone).replace(tzinfo=UTC) + _CHANGE:
                return best
            found = self._next_shown(found)
        return best

    def _next_shown(self, shown: datetime) -> datetime | None:
        """Return the first date after `shown`, both as a clock on the wall shows them, marked as UTC."""
        assert self._cron is not None  # noqa: S101 - intervals never get here
        return cast("datetime | None", self._cron.get_next_fire_time(None, shown + _MOMENT))

    def _steady(self, shown: datetime) -> bool:
        """True when no clock is changed around a time that the wall shows."""
        before, after = (shown.replace(tzinfo=self._zone) + change for change in (-_CHANGE, _CHANGE))
        return before.utcoffset() == after.utcoffset()

    def _real(self, shown: datetime) -> Iterator[datetime]:
        """Yield the moments at which a job runs whose time the wall shows, in UTC."""
        for fold in (0, 1) if self._any_hour else (0,):
            real = shown.replace(tzinfo=self._zone, fold=fold).astimezone(UTC)
            if not self._any_hour or real.astimezone(self._zone).replace(tzinfo=UTC) == shown:
                yield real

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """Return the next date after now: dates that were missed are one date, not many. Called by APScheduler."""
        return self.after(max(previous_fire_time, now) if previous_fire_time else now)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown, malformed, or the name of a folder
        raise InvalidRequestError(
            f"{name[:60]!r} is no time zone: use a name of the tz database, such as America/Chicago."
        ) from error


def _nth_weekdays(text: str) -> str:
    """Return a field such as "mon#1,mon#3" as APScheduler's day of the month has it ("1st mon,3rd mon"), or ""."""
    if "#" not in text:
        return ""
    found: list[str] = []
    for part in text.lower().split(","):
        match = _NTH.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is no weekday of a month, such as mon#1 or fri#l")
        found.append(f"{_NTH_NAMES[match[2]]} {_WEEKDAYS[_weekday(match[1]) % 7]}")
    return ",".join(found)


def _weekdays(text: str) -> Iterator[str]:
    """Yield the names of the weekdays of a crontab field: APScheduler's own numbers begin with Monday."""
    for part in text.lower().split(","):
        match = _WEEKDAY.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is no weekday")
        star, first, last, step = match.groups()
        if star and not step:
            yield "*"
            continue
        begin = 0 if star else _weekday(first)
        end = 6 if star or (step and not last) else _weekday(last) if last else begin
        if end < begin or step == "0":
            raise ValueError(f"{part!r} is no range of weekdays")
        yield from (_WEEKDAYS[place % 7] for place in range(begin, end + 1, int(step or 1)))


def _weekday(text: str) -> int:
    if text in _WEEKDAYS:
        return _WEEKDAYS.index(text)
    if text.isdecimal() and int(text) <= 7:
        return int(text)
    raise ValueError(f"{text!r} is no weekday")
