"""Jobs: coroutines that are run for the dates of schedules."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from bot.errors import BotError
from bot.store.client import Command, Reply, Watch
from bot.store.leader import Leader, LostLeadershipError
from bot.store.schedules import Schedule

logger = logging.getLogger(__name__)

JOB_TIMEOUT_S = 600.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Occasion:
    """One time that a job runs.

    Attributes:
        schedule: Whose.
        due: The date it runs for, in UTC: the first that was not done yet. The same when it is tried again, here or in
            another process, so a job can tell by it what it has done already.
        leader: The lead under which it runs.
        fence: The fence of that lead.
    """

    schedule: Schedule
    due: datetime
    leader: Leader
    fence: int

    async def commit(self, *commands: Command) -> list[Reply]:
        """Write to Redis, if no other process has led since the job was begun.

        Raises:
            LostLeadershipError: If one has; nothing was written.
        """
        return await self.leader.commit(*commands, fence=self.fence)

    async def attempt(self, body: Callable[[Watch], Awaitable[T]], *keys: str) -> T:
        """Read, decide and write as `Store.attempt`, under the condition of `commit`.

        Raises:
            LostLeadershipError: If another process has led since the job was begun; nothing was written.
        """
        return await self.leader.attempt(body, *keys, fence=self.fence)

    def check(self) -> None:
        """Go on only while this process leads as far as it can know by itself: before what cannot be taken back.

        Raises:
            LostLeadershipError: If its lease has ended, or another process has led since.
        """
        if self.leader.fence != self.fence:
            raise LostLeadershipError("The lease ended while a job ran; another process goes on with it.")


Job = Callable[[Occasion], Awaitable[None]]


async def do(job: Job, occasion: Occasion, timeout_s: float) -> None:
    """Run a job to its end; what fails for good is logged and counts as done.

    Raises:
        BotError: If it failed in a way that may pass, or lost the lead.
    """
    handle = occasion.schedule.schedule_id
    try:
        async with asyncio.timeout(timeout_s) as limit:
            await job(occasion)
    except LostLeadershipError:
        raise
    except BotError as error:
        if error.retryable:
            raise
        logger.error("the job of the schedule %s failed: %s", handle, error)
    except Exception:
        if limit.expired():
            logger.error("the job of the schedule %s took longer than %g s and was stopped", handle, timeout_s)
        else:
            logger.exception("the job of the schedule %s failed", handle)
