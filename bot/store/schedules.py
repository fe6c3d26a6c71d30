"""Schedules: what is to be done when, and when it was done last. Values only; `bot.scheduling` runs them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bot.errors import BusyError, InvalidRequestError
from bot.store.client import Command, Store, Watch, number, text, texts
from bot.store.keys import KeyKind
from bot.store.records import Record

MAX_SCHEDULES = 5000
MAX_CHARS = 10_000  # of one record
SHORTEST_S = 0.1
RAN_DAYS = 400  # longer than the rarest date of a calendar but one
_ID = re.compile(r"[A-Za-z0-9_.-]{1,80}")

SCHEDULE_KEYS = (
    KeyKind("schedules", "set", "for good", "5,000 members", "handles of all schedules"),
    KeyKind("schedule:*", "string", "until it is removed", "5,000, up to 10 kB each", "what is to be done when"),
    KeyKind("ran:*", "string", "400 days", "one per schedule", "when a schedule's job was done last"),
    KeyKind("schedules-changed", "channel", "", "", "handles of schedules that were added, changed or removed"),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is to be done when; either `cron` or `every_s` is set.

    Attributes:
        schedule_id: Handle: letters, digits, ".", "_", "-".
        kind: Which job.
        cron: Minute, hour, day of the month, month and weekday, as in crontab (Sunday is 0 or 7), or "".
        every_s: Seconds from one time to the next, or 0.
        zone: Time zone in which `cron` is meant, such as "America/Chicago".
        parameters: What the job is told.
        enabled: False to keep it without running it.
        since: Seconds since 1970; dates before it are nobody's concern. 0 is when it is added.
    """

    schedule_id: str
    kind: str
    cron: str = ""
    every_s: float = 0.0
    zone: str = "UTC"
    parameters: dict[str, str] = field(default_factory=dict)
    enabled: bool = True
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Ran:
    """When a schedule's job was begun that is done; seconds since 1970."""

    at: float


SCHEDULES = Record(Schedule)
RANS = Record(Ran)


class Schedules:
    """Adds, lists and removes schedules; whoever runs them hears of it at once.

    Args:
        store: Where.
        clock: Seconds since 1970.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self.channel = store.key("schedules-changed")
        self._store = store
        self._index = store.key("schedules")
        self._clock = clock

    async def add(self, schedule: Schedule) -> bool:
        """Add a schedule, or change the one of its handle; False when it was there already as it is.

        Raises:
            InvalidRequestError: If it is malformed. Whether its dates can be read, `bot.scheduling.dates` tells.
            BusyError: If there are too many.
        """
        if not _ID.fullmatch(schedule.schedule_id):
            raise InvalidRequestError("A schedule's handle has 1 to 80 letters, digits, dots, dashes and underscores.")
        if bool(schedule.cron) == bool(schedule.every_s):
            raise InvalidRequestError("A schedule has either a cron expression or an interval: give one of them.")
        if schedule.every_s and not schedule.every_s >= SHORTEST_S:
            raise InvalidRequestError(f"A schedule's interval is {SHORTEST_S} seconds at least.")
        made = replace(schedule, since=schedule.since or self._clock())
        if len(SCHEDULES.dump(made)) > MAX_CHARS:
            raise InvalidRequestError("What a schedule tells its job is too long: shorten its parameters.")
        key = self._store.key("schedule", schedule.schedule_id)

        async def body(watch: Watch) -> bool:
            replies = await watch.read(("GET", key), ("SCARD", self._index))
            known = SCHEDULES.find(text(replies[0]))
            if known is not None and replace(known, since=schedule.since) == schedule:
                return False
            if replies[0] is None and number(replies[1]) >= MAX_SCHEDULES:
                raise BusyError(f"There are {MAX_SCHEDULES:,} schedules already: remove some.")
            await watch.commit(
                ("SET", key, SCHEDULES.dump(made)),
                ("SADD", self._index, schedule.schedule_id),
                ("PUBLISH", self.channel, schedule.schedule_id),
            )
            return True

        return await self._store.attempt(body, key, self._index)

    async def remove(self, schedule_id: str) -> bool:
        """Remove a schedule; False when there is none of this handle."""
        replies = await self._store.transaction(
            ("DEL", self._store.key("schedule", schedule_id)),
            ("DEL", self._store.key("ran", schedule_id)),
            ("SREM", self._index, schedule_id),
            ("PUBLISH", self.channel, schedule_id),
        )
        return bool(number(replies[0]) or number(replies[2]))

    async def records(self) -> dict[str, str]:
        """Return all schedules by handle as they are stored, also those that cannot be read."""
        handles = sorted(texts(await self._store.call("SMEMBERS", self._index)))
        if not handles:
            return {}
        replies = await self._store.batch(*(("GET", self._store.key("schedule", handle)) for handle in handles))
        return {handle: text(reply) for handle, reply in zip(handles, replies, strict=True) if reply is not None}

    async def last_run(self, schedule_id: str) -> float | None:
        """Return when the job was begun that was done last, in seconds since 1970, or None."""
        found = RANS.find(text(await self._store.call("GET", self._store.key("ran", schedule_id))))
        return found.at if found is not None else None

    def done(self, schedule_id: str, begun: float) -> Command:
        """Return the command that stores that the job which was begun then is done."""
        return ("SET", self._store.key("ran", schedule_id), RANS.dump(Ran(begun)), "EX", RAN_DAYS * 86_400)

    async def list(self) -> tuple[Schedule, ...]:
        """Return all schedules that can be read, by handle."""
        found = (SCHEDULES.find(record) for record in (await self.records()).values())
        return tuple(schedule for schedule in found if schedule is not None)
