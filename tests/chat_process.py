"""Starts the scripted chat server and steers it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from tests.chat_records import EVENTS, FAULTS, SNAPSHOT, ChatEvent, Faults, Snapshot

PROJECT = Path(__file__).parent.parent
POLL_S = 0.02


class ChatProcess:
    """The server's process; an asynchronous context manager.

    Args:
        seed: Of its random choices.
    """

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed
        self._process: subprocess.Popen[str] | None = None
        self._session: aiohttp.ClientSession | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self.url = f"http://127.0.0.1:{await asyncio.to_thread(self._start)}"
        self._session = aiohttp.ClientSession(self.url, raise_for_status=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
        if self._process is not None:
            with self._process:  # closes its standard input, at which it ends
                pass

    def _start(self) -> int:
        """Start the process and return its port."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chat_server", "--seed", str(self._seed)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    async def send(self, *events: ChatEvent) -> None:
        """Let people do something, all at the same time."""
        async with self._client.post("/control/events", data=EVENTS.dump(list(events))):
            pass

    async def misbehave(self, faults: Faults) -> None:
        """Set how the server misbehaves from now on."""
        async with self._client.put("/control/faults", data=FAULTS.dump(faults)):
            pass

    async def disconnect(self) -> None:
        """Break the connections of all adapters."""
        async with self._client.post("/control/disconnect"):
            pass

    async def snapshot(self) -> Snapshot:
        """Return everything that was recorded."""
        async with self._client.get("/control/snapshot") as response:
            return SNAPSHOT.load(await response.read())

    async def until(self, condition: Callable[[Snapshot], bool], timeout_s: float = 20.0) -> Snapshot:
        """Return the first snapshot that meets a condition.

        Raises:
            TimeoutError: If none does.
        """
        async with asyncio.timeout(timeout_s):
            while True:
                snapshot = await self.snapshot()
                if condition(snapshot):
                    return snapshot
                await asyncio.sleep(POLL_S)

    @property
    def _client(self) -> aiohttp.ClientSession:
        assert self._session is not None
        return self._session
