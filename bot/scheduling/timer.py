"""APScheduler with its memory store only: nothing is pickled, and what it holds is filled from our own records."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from apscheduler.executors.asyncio import AsyncIOExecutor  # type: ignore[import-untyped]
from apscheduler.jobstores.base import JobLookupError  # type: ignore[import-untyped]
from apscheduler.jobstores.memory import MemoryJobStore  # type: ignore[import-untyped]
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]

from bot.scheduling.dates import Dates

# It logs each job as information, and each date at which a job still ran as a warning.
logging.getLogger("apscheduler").setLevel(logging.ERROR)


class Timer:
    """Calls coroutines at their dates, on the running loop; made, used and closed there."""

    def __init__(self) -> None:
        self._inner = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()},
            executors={"default": AsyncIOExecutor()},
            timezone=UTC,
        )
        self._inner.start(paused=True)

    def resume(self) -> None:
        """Call what is due, and what comes."""
        self._inner.resume()

    def pause(self) -> None:
        """Call nothing more; what runs goes on."""
        self._inner.pause()

    def set(self, handle: str, dates: Dates, call: Callable[[], Awaitable[None]], *, first: datetime) -> None:
        """Call a coroutine function at `first` and then at each date, never twice at the same time."""
        self._inner.add_job(
            call,
            trigger=dates,
            id=handle,
            next_run_time=first,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
            replace_existing=True,
        )

    def remove(self, handle: str) -> None:
        """Forget one, if it is known."""
        with contextlib.suppress(JobLookupError):
            self._inner.remove_job(handle)

    def clear(self) -> None:
        """Forget all."""
        self._inner.remove_all_jobs()

    def handles(self) -> list[str]:
        """Return the handles of all that have dates to come."""
        return sorted(str(job.id) for job in self._inner.get_jobs())

    async def close(self) -> None:
        """Stop for good. Whatever still runs is cancelled, so wait for it before."""
        if self._inner.running:
            self._inner.shutdown(wait=False)
            await asyncio.sleep(0)  # it stops in the next turn of the loop
