"""The chats of a process: kept running, each on its own, and found by name, here or through another process."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Sequence

from bot.chat import ChatAdapter, Reception
from bot.errors import BotError
from bot.health import Health, State
from bot.store.client import Store
from bot.store.relay import RelayedChat

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5  # until an adapter that failed is started again; doubled each time
LONGEST_PAUSE_S = 60.0
STEADY_S = 60.0  # an adapter that ran so long begins with the first pause again
RECOVERED_S = 5.0  # an adapter that failed is well when it has run so long; until then it may fail at once again
RELAY_TIMEOUT_S = 30.0


class Chats:
    """The adapters this process connects, and those that others do.

    Args:
        adapters: Connected here; none in a process that is no adapter.
        store: Through which the others are reached.
        health: Told how each is.
    """

    def __init__(self, adapters: Sequence[ChatAdapter], store: Store, health: Health) -> None:
        self.connected = tuple(adapters)
        self._here = {adapter.name: adapter for adapter in adapters}
        self._elsewhere: dict[str, RelayedChat] = {}
        self._store = store
        self._health = health

    def named(self, name: str) -> ChatAdapter:
        """Return the adapter of a chat, here or in the process that is connected to it."""
        if name in self._here:
            return self._here[name]
        return self._elsewhere.setdefault(name, RelayedChat(self._store, name, timeout_s=RELAY_TIMEOUT_S))

    async def serve(self, reception: Reception, stop: asyncio.Event) -> None:
        """Keep every adapter running, each on its own: the death of one is no other's; stop when all have ended."""
        if not self.connected:
            await stop.wait()
        await asyncio.gather(*(self._serve(adapter, reception) for adapter in self.connected))
        stop.set()

    async def _serve(self, adapter: ChatAdapter, reception: Reception) -> None:
        pause_s = FIRST_PAUSE_S
        well_s = 0.0
        while True:
            begun = time.monotonic()
            well = asyncio.get_running_loop().call_later(well_s, self._health.report, adapter.name, State.OK)
            try:
                await adapter.run(reception)
            except (BotError, OSError) as error:
                reason = str(error)
            except Exception as error:
                logger.exception("the chat %s failed", adapter.name)
                reason = f"It failed with {type(error).__name__}; the log shows where."
            else:
                logger.info("the chat %s has ended", adapter.name)
                return
            finally:
                well.cancel()
            well_s = RECOVERED_S
            self._health.report(adapter.name, State.DOWN, reason)
            if time.monotonic() - begun > STEADY_S:
                pause_s = FIRST_PAUSE_S
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads reconnections
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
