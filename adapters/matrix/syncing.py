"""The sync loop: events are fetched, completed, handed over and durably accepted, and only then is the position stored.

A process that dies anywhere in between gets the same events again; accepting them twice changes nothing (bot/chat.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from nio.responses import SyncResponse

from adapters.matrix.backfill import PAGE, backfill
from adapters.matrix.errors import checked, translated
from adapters.matrix.key_upkeep import KeyUpkeep
from adapters.matrix.private_files import read_private, write_private
from adapters.matrix.session import Session
from bot.errors import BotError, InvalidRequestError, SettingsError, StorageError

logger = logging.getLogger(__name__)

WAIT_S: Final = 30  # the homeserver answers at the latest then, with events or without
FIRST_PAUSE_S: Final = 0.5  # after a failure; doubled each time
LONGEST_PAUSE_S: Final = 30.0
POSITION_DOUBT: Final = 5  # failures after which a position that the homeserver does not know is the likely cause
WHOLE_S: Final = 600.0  # the state of all rooms may take long
SLACK_S: Final = 15.0  # beyond WAIT_S
EVENTS: Final = PAGE  # of one room in one answer; a gap is filled page by page

Handler = Callable[[SyncResponse, bool], Awaitable[None]]
Pause = Callable[[float], Awaitable[None]]


class Syncing:
    """Fetches events until cancelled.

    Args:
        session: The session whose events they are.
        position: File that holds up to where events were accepted.
        handler: Takes the answer of a sync, completed and decrypted, and whether it is the very first of this account,
            whose timelines are the past and not to be answered. When it returns, everything is durably accepted; when
            it raises, it gets the same again after a pause.
        pause: Waits so many seconds; a test may do something else.

    Attributes:
        ready: Set as soon as one answer was accepted: rooms and members are known, so that one can send.
        last_answer: `time.monotonic()` of the event loop when the homeserver answered last; None before.
    """

    def __init__(self, session: Session, position: Path, handler: Handler, *, pause: Pause = asyncio.sleep) -> None:
        self.ready = asyncio.Event()
        self.last_answer: float | None = None
        self._client = session.client
        self._user_id = session.user_id
        self._path = position
        self._handler = handler
        self._pause = pause
        self._upkeep = KeyUpkeep(session.client)
        self._since = ""
        self._failures = 0

    async def run(self) -> None:
        """Fetch and hand over until cancelled.

        Raises:
            SessionEndedError: If the homeserver has ended the session; trying again would not help.
            StorageError: If the file of the position is damaged or another account's.
        """
        self._since = await asyncio.to_thread(self._load)
        whole = True  # matrix-nio knows no room before it has the state of all
        while True:
            try:
                await self._once(whole=whole)
            except SettingsError:
                raise
            except Exception as error:
                await self._wait(error)
                continue
            whole = False
            if self._failures:
                logger.warning("Matrix is back after %d failures", self._failures)
                self._failures = 0

    async def _once(self, *, whole: bool) -> None:
        """Fetch one answer, have it accepted, store its position."""
        first = not self._since
        self._client.forget_position()  # it is kept here
        with translated():
            async with asyncio.timeout(WHOLE_S if whole else WAIT_S + SLACK_S):
                answered = await self._client.sync(
                    timeout=0 if whole else WAIT_S * 1000,
                    sync_filter=_filter(1 if first else EVENTS),
                    since=self._since or None,
                    full_state=whole or None,
                )
            answer = checked(answered, SyncResponse)
            self.last_answer = asyncio.get_running_loop().time()
            if not first:
                await backfill(self._client, answer, self._since)
        self._client.forget_left(answer)
        await self._handler(answer, first)
        await asyncio.to_thread(self._store, answer.next_batch)
        self._since = answer.next_batch
        self.ready.set()
        await self._upkeep.run()

    async def _wait(self, error: Exception) -> None:
        """Log a failure the first time, and wait: longer each time, or as long as the homeserver asks."""
        self._failures += 1
        if isinstance(error, BotError):
            if self._failures == 1:
                logger.warning("Matrix: %s", error)
        else:
            logger.error("a sync of Matrix failed", exc_info=error)
        if isinstance(error, InvalidRequestError) and self._failures == POSITION_DOUBT:
            logger.warning("if the homeserver was set up anew, delete %s: it knows no such position", self._path)
        pause = min(FIRST_PAUSE_S * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE_S)
        asked = getattr(error, "retry_after_s", None)
        await self._pause(max(pause, asked) if isinstance(asked, float) else pause)

    def _load(self) -> str:
        """Return the stored position; "" when nothing was ever accepted for this account."""
        content = read_private(self._path)
        if content is None:
            return ""
        position = content.get("next_batch")
        if content.get("user_id") != self._user_id or not isinstance(position, str) or not position:
            raise StorageError(
                f"{self._path} is no position of {self._user_id}: delete it to begin with what is said from now on."
            )
        return position

    def _store(self, position: str) -> None:
        # A power cut may bring back an older position, which is harmless: events are accepted once.
        write_private(self._path, {"version": 1, "user_id": self._user_id, "next_batch": position}, durable=False)


def _filter(events: int) -> dict[str, object]:
    return {
        "presence": {"types": []},
        "room": {"timeline": {"limit": events}, "state": {"lazy_load_members": False}, "ephemeral": {"types": []}},
    }
