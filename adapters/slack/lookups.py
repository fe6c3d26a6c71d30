"""What Slack was asked about, kept for a while."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from adapters.slack.errors import AWAY
from bot.errors import UnavailableError

LOOKUP_S: Final = 2.0  # longest wait for who is impatient: what a button opens has to come within three seconds
PATIENT_S: Final = 10.0  # longest wait of a worker, who has others to answer and comes back
RETRY_S: Final = 5.0

V = TypeVar("V")


class Lookup(Generic[V]):
    """Answers by key; several that want the same at once ask Slack once.

    Args:
        fetch: Asks Slack; raises as `SlackClient.call`.
        lifetime_s: Seconds after which an answer is asked for anew. An old one serves the impatient if Slack is away.
        most: Answers that are kept.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[V]],
        *,
        lifetime_s: float,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._lifetime_s = lifetime_s
        self._most = most
        self._clock = clock
        self._known: OrderedDict[str, tuple[V, float]] = OrderedDict()
        self._asking: dict[str, asyncio.Lock] = {}

    async def get(self, key: str, *, patient: bool = False) -> V:
        """Return the answer for a key.

        Args:
            key: Of what is asked about.
            patient: True for what can wait: it is given more time, and no old answers.

        Raises:
            UnavailableError: If Slack does not answer in time and nothing is known.
            BotError: As `fetch`.
        """
        value = self.fresh(key)
        if value is not None:
            return value
        lock = self._asking.setdefault(key, asyncio.Lock())
        try:
            async with asyncio.timeout(PATIENT_S if patient else LOOKUP_S), lock:
                value = self.fresh(key)
                if value is None:
                    value = await self._fetch(key)
                    self.put(key, value)
                return value
        except (UnavailableError, TimeoutError) as error:
            known = self.known(key)
            if known is not None and not patient:
                return known
            raise UnavailableError(AWAY, retry_after_s=RETRY_S) from error
        finally:
            if not lock.locked():
                self._asking.pop(key, None)

    def put(self, key: str, value: V) -> None:
        """Keep an answer that came by itself."""
        self._known[key] = (value, self._clock())
        self._known.move_to_end(key)
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def known(self, key: str) -> V | None:
        """Return the answer that is known, however old, or None."""
        found = self._known.get(key)
        return found[0] if found is not None else None

    def fresh(self, key: str) -> V | None:
        """Return the answer that is known and not old, or None."""
        found = self._known.get(key)
        if found is None or self._clock() - found[1] > self._lifetime_s:
            return None
        return found[0]
