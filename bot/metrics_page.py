"""What /metrics answers: what was counted, and how things stand at the moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

from bot.application import Application
from bot.errors import BotError
from bot.health import Health, State
from bot.metrics import Metrics, Standing
from bot.ports import IndexFacts
from bot.store.inbox import Inbox
from bot.store.standing import read_queue

PATIENCE_S = 2.0  # with Redis and the index; what does not answer by then is not told


class MetricsPage:
    """Renders the metrics of this process; called by the health page.

    Args:
        metrics: What was counted.
        health: How the parts are.
        inbox: What is open, in all processes that share the state.
        application: Knows the index; None in a process that is no worker.
        clock: Seconds since 1970, UTC.
    """

    def __init__(
        self,
        metrics: Metrics,
        health: Health,
        inbox: Inbox,
        application: Application | None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._metrics = metrics
        self._health = health
        self._inbox = inbox
        self._application = application
        self._clock = clock

    async def __call__(self) -> bytes | None:
        """Return the page, or None where nothing is counted."""
        (length, oldest_s), facts = await asyncio.gather(self._queue(), self._facts())
        age_s = None
        if facts is not None and facts.published_at:
            age_s = max(0.0, self._clock() - datetime.fromisoformat(facts.published_at).timestamp())
        standing = Standing(
            length,
            oldest_s,
            age_s,
            None if facts is None else facts.documents,
            None if facts is None else facts.revision,
            {name: part.state is not State.DOWN for name, part in self._health.parts.items()},
        )
        return self._metrics.render(standing)

    async def _queue(self) -> tuple[int | None, float | None]:
        try:
            async with asyncio.timeout(PATIENCE_S):
                queue = await read_queue(self._inbox)
        except (BotError, TimeoutError):
            return None, None
        if not queue.length:
            return 0, 0.0
        accepted_at = queue.accepted_at
        return queue.length, None if accepted_at is None else max(0.0, self._clock() - accepted_at)

    async def _facts(self) -> IndexFacts | None:
        if self._application is None:
            return None
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._application.facts()
        except (BotError, TimeoutError):
            return None
