"""Work that no answer depends on: owned tasks, bounded in number, ended with the connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Final

from bot.errors import BotError

logger = logging.getLogger(__name__)

MOST: Final = 1000  # tasks at once; what comes beyond that is left out
PATIENCE_S: Final = 2.0  # for tasks that run at the end


class OwnedWork:
    """Runs what follows an event, beside the events that come next."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._number = 0
        self._closed = False

    def begin(self, name: str, work: Coroutine[object, object, object], *, key: str = "") -> bool:
        """Begin something.

        Args:
            name: For the log.
            work: What.
            key: While something with this key runs, nothing else with it begins; "" for none.

        Returns:
            False when it was left out.
        """
        same = self._tasks.get(key) if key else None
        runs = same is not None and not same.done()
        if self._closed or len(self._tasks) >= MOST or runs:
            if not runs:
                logger.warning("%s is left out", name)
            work.close()
            return False
        self._number += 1
        known = key or str(self._number)
        task = asyncio.create_task(_guarded(name, work), name=f"matrix: {name}")
        self._tasks[known] = task
        task.add_done_callback(lambda _: self._forget(known, task))
        return True

    def _forget(self, known: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(known) is task:
            del self._tasks[known]

    async def close(self) -> None:
        """Begin nothing more; wait a little for what runs and cancel the rest."""
        self._closed = True
        running = list(self._tasks.values())
        if running:
            await asyncio.wait(running, timeout=PATIENCE_S)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _guarded(name: str, work: Coroutine[object, object, object]) -> None:
    try:
        await work
    except BotError as error:
        logger.info("%s was not done: %s", name, error)
    except Exception:
        logger.exception("%s failed", name)
