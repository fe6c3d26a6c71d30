"""Subscriptions together with the schedules they run by."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.digest.names import FIRST, LOOK
from bot.digest.subscriptions import JOB, Subscription
from bot.errors import BotError
from bot.store.digest_subscriptions import Standing, Subscriptions
from bot.store.schedules import Schedule, Schedules

logger = logging.getLogger(__name__)

YEAR_S = 366 * 86_400.0


@dataclass(frozen=True, slots=True)
class Declared:
    """What became of the digests that are declared in a file."""

    changed: int
    ended: int


class Roster:
    """Begins, pauses, resumes and ends subscriptions; doing it twice does no harm.

    Args:
        subscriptions: Who is told of what.
        schedules: When.
        clock: Seconds since 1970.
    """

    def __init__(
        self, subscriptions: Subscriptions, schedules: Schedules, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.subscriptions = subscriptions
        self._schedules = schedules
        self._clock = clock

    async def begin(self, subscription: Subscription) -> bool:
        """Add a subscription, or change it; False when it was there as it is.

        Raises:
            InvalidRequestError: If its dates cannot be understood.
            BusyError: If there are too many.
        """
        await self.next_date(subscription)
        added = await self.subscriptions.add(subscription)
        await self._schedules.add(_schedule(subscription))
        if added and len(await self.subscriptions.list()) == 1:
            # Nobody has looked at GeneNetwork for nobody: what is new is told from a look on that is taken now.
            await self._schedules.remove(FIRST)
            await self._schedules.add(Schedule(FIRST, LOOK, every_s=YEAR_S, since=self._clock() - YEAR_S))
        return added

    async def pause(self, subscription: Subscription, reason: str) -> None:
        """Post nothing more for a subscription until it is resumed."""
        paused = await self.subscriptions.change(
            subscription.subscription_id, lambda one: replace(one, paused=reason, refused=False)
        )
        if paused is not None:
            await self._schedules.add(_schedule(paused))

    async def resume(self, subscription: Subscription) -> None:
        """Go on at the next date, with everything that was new meanwhile."""
        resumed = await self.subscriptions.change(
            subscription.subscription_id, lambda one: replace(one, paused="", refused=False)
        )
        if resumed is not None:
            await self._schedules.add(_schedule(resumed))

    async def end(self, subscription: Subscription) -> None:
        """End a subscription for good."""
        await self.subscriptions.remove(subscription.subscription_id)
        await self._schedules.remove(subscription.schedule_id)

    async def declare(self, declared: Sequence[Subscription]) -> Declared:
        """Make the declared subscriptions those of a file: what is new there begins, what has vanished ends."""
        known = {
            one.subscription.subscription_id: one.subscription
            for one in await self.subscriptions.list()
            if one.subscription.declared
        }
        changed = 0
        for subscription in declared:
            earlier = known.pop(subscription.subscription_id, None)
            kept = subscription
            if earlier is not None:
                # A pause is the bot's own, for a channel that it may not post in; the file knows nothing of it.
                kept = replace(
                    subscription, created_at=earlier.created_at, paused=earlier.paused, refused=earlier.refused
                )
            changed += await self.begin(kept)
        for vanished in known.values():
            await self.end(vanished)
        return Declared(changed, len(known))

    async def mend(self) -> None:
        """Give each subscription its schedule, and end schedules without one: a process may have died in between."""
        standings = await self.subscriptions.list()
        wanted = {one.subscription.schedule_id for one in standings}
        for one in standings:
            try:
                await self._schedules.add(_schedule(one.subscription))
            except BotError as error:
                if error.retryable:
                    raise
                logger.error("the digest %s has no schedule: %s", one.subscription.subscription_id, error)
        for schedule in await self._schedules.list():
            if schedule.kind == JOB and schedule.schedule_id not in wanted:
                await self._schedules.remove(schedule.schedule_id)

    async def refused(self) -> list[Standing]:
        """Return the subscriptions whose channels do not take what is posted."""
        return [one for one in await self.subscriptions.list() if one.subscription.refused]

    async def next_date(self, subscription: Subscription) -> datetime | None:
        """Return when its next digest comes, in UTC.

        Raises:
            InvalidRequestError: If its dates cannot be understood, or there is none.
        """
        from bot.scheduling.dates import Dates

        dates = await asyncio.to_thread(Dates, _schedule(subscription))
        return dates.after(datetime.fromtimestamp(self._clock(), UTC))


def _schedule(subscription: Subscription) -> Schedule:
    return Schedule(
        subscription.schedule_id,
        JOB,
        cron=subscription.cron,
        zone=subscription.zone,
        parameters={"subscription": subscription.subscription_id},
        enabled=not subscription.paused,
    )
