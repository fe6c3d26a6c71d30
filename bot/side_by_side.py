"""Tasks that run side by side until one fails or all are to stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence

logger = logging.getLogger(__name__)


def start_watched(name: str, part: Coroutine[None, None, None], stop: asyncio.Event) -> asyncio.Task[None]:
    """Start a part; when it fails, that is logged and `stop` is set.

    Args:
        name: Of the part, for the log.
        part: Runs until it is cancelled.
        stop: Ends everything.
    """

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            logger.error("the part %s failed", name, exc_info=task.exception())
            stop.set()

    task = asyncio.create_task(part, name=name)
    task.add_done_callback(ended)
    return task


async def end_all(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for them; what they raised is to be looked at before."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
