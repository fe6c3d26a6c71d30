"""What a service does at set times, in the one process that leads."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from bot.digest.digests import Digests, leave_digests
from bot.errors import UnavailableError
from bot.health import Health, State
from bot.scheduling.jobs import Occasion
from bot.scheduling.scheduler import Scheduler
from bot.store.inbox import Inbox
from bot.store.repair import repair
from bot.store.schedules import Schedule, Schedules

logger = logging.getLogger(__name__)

REPAIR: Final = "repair"  # puts back requests whose place in a lane was lost, by hand or by a damaged server
REPAIR_EVERY_S: Final = 60
PAUSE_S: Final = 0.5  # while Redis is away


async def run_schedules(
    scheduler: Scheduler, inbox: Inbox, digests: Digests | None, health: Health, *, grace_s: float
) -> None:
    """Run what is due until cancelled.

    Args:
        scheduler: Not started yet.
        inbox: Looked after.
        digests: To be posted; without, those that are stored rest.
        health: Told while Redis is away.
        grace_s: Seconds that a job has to end in.
    """

    async def mend(_: Occasion) -> None:
        mended = await repair(inbox)
        if mended:
            logger.warning("requests whose place was lost wait for their turn again", extra={"requests": mended})

    scheduler.register(REPAIR, mend)
    if digests is not None:
        digests.register(scheduler)
    else:
        leave_digests(scheduler)
    await scheduler.start()
    await _plan(scheduler.schedules, digests, health)
    try:
        await asyncio.Event().wait()
    finally:
        await scheduler.stop(grace_s)


async def _plan(schedules: Schedules, digests: Digests | None, health: Health) -> None:
    """Add the schedules that are always there; those that are already there stay as they are."""
    while True:
        try:
            await schedules.add(Schedule(REPAIR, REPAIR, every_s=REPAIR_EVERY_S))
            if digests is not None:
                await digests.prepare(schedules)
        except UnavailableError as error:
            health.report("redis", State.DOWN, str(error))
            await asyncio.sleep(PAUSE_S)
        else:
            return
