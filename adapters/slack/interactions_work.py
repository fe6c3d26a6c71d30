"""Work that follows an acknowledgement: owned tasks, bounded in number, awaited at the end."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final

from bot.errors import BotError, InvalidRequestError, NotFoundError

logger = logging.getLogger(__name__)

MOST: Final = 500  # tasks at once; what is pressed beyond that is left out
REMEMBERED: Final = 2000  # deliveries that are known, so that a second one changes nothing
PATIENCE_S: Final = 5.0  # for tasks that run at the end

Work = Coroutine[None, None, None]


class OwnedWork:
    """Runs what people have pressed."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._closed = False

    def begin(self, name: str, work: Work, *, key: str = "", failed: Callable[[str], Awaitable[None]]) -> None:
        """Begin something.

        Args:
            name: For the log.
            work: What.
            key: The same in every delivery of the same press, or "" for none.
            failed: Tells the person why it was not done; gets one sentence, or "" where that is for the log.
        """
        if self._closed or len(self._tasks) >= MOST or (key and key in self._known):
            if not key or key not in self._known:
                logger.warning("what a person pressed is left out", extra={"handler": name})
            work.close()
            return
        if key:
            self._known[key] = None
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        task = asyncio.create_task(_guarded(name, work, failed), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Begin nothing more; wait a little for what runs and cancel the rest."""
        self._closed = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE_S)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _guarded(name: str, work: Work, failed: Callable[[str], Awaitable[None]]) -> None:
    try:
        await work
    except (InvalidRequestError, NotFoundError) as error:
        # The sentence may repeat what somebody has typed: it is for them, not for the log.
        logger.info("%s was not done: %s", name, type(error).__name__)
        await failed(str(error))
    except BotError as error:
        logger.warning("%s was not done: %s", name, error)
        await failed(str(error))
    except Exception:
        logger.exception("%s failed", name)
        await failed("")
