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
_MOMENT = timedelta(microseconds=1)


class Dates(BaseTrigger):  # type: ignore[misc]
    """When a schedule is due.

    Where clocks are put back, a job at a set hour runs once, in the first of the two hours of that name; where they are
    put forward, a job in the hour left out runs as long after the change as it would have been after the hour began.

    Args:
        schedule: Its `cron`, or `every_s` and `since`, and `zone` are read. This opens a file (the time zone).

    Raises:
        InvalidRequestError: If they cannot be understood, or there is no such date.
    """

    def __init__(self, schedule: Schedule) -> None:
        zone = _zone(schedule.zone)
        self._every_s = schedule.every_s
        self._since = schedule.since
        self._cron: CronTrigger | None = None
        self._any_hour = False
        if not schedule.cron:
            if not schedule.every_s >= SHORTEST_S or math.isinf(schedule.every_s):
                raise InvalidRequestError(f"{schedule.every_s} seconds is no interval: {SHORTEST_S} is the shortest.")
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
            self._cron = CronTrigger(
                minute=minute,
                hour=hour,
                day=day,
                month=month,
                day_of_week=",".join(_weekdays(weekday)),
                second="0",
                timezone=zone,
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
        start = moment.astimezone(UTC) + _MOMENT
        while True:
            found = cast("datetime | None", self._cron.get_next_fire_time(None, start.astimezone(self._cron.timezone)))
            if found is None:
                return None
            if self._any_hour or not found.fold:
                return found.astimezone(UTC)
            start = found.astimezone(UTC) + _MOMENT

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
