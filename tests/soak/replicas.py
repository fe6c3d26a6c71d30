"""Processes of the service that are killed and replaced."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.chat_process import PROJECT

STOP_S = 60.0  # longest time a replica takes to stop by itself


@dataclass(frozen=True, slots=True)
class Exit:
    """How a replica ended.

    Attributes:
        begun: When it was started, by `time.monotonic()`.
        at: When it ended.
        status: Its exit status; negative for a signal.
        worked: True if it had opened its index and reached Redis before.
        killed: True when the soak killed it.
    """

    begun: float
    at: float
    status: int
    worked: bool
    killed: bool


@dataclass(eq=False, slots=True)
class _Replica:
    process: asyncio.subprocess.Process
    begun: float
    started: asyncio.Event = field(default_factory=asyncio.Event)  # it is at work, or ended before it was
    killed: bool = False


class Replicas:
    """A number of replicas, each replaced as soon as it ends; an asynchronous context manager that stops them.

    Args:
        count: How many.
        arguments: Of `tests.soak.replica`.
        environment: Of the processes.
        logs: Folder for what they log.
        roles: What each of them does, by its number; one that is replaced is followed by another of the same.

    Attributes:
        exits: How those that ended did.
        peak_mib: The most memory any of them had resident, of those that were asked or stopped.
    """

    def __init__(
        self,
        count: int,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        logs: Path,
        roles: Callable[[int], str] = lambda _: "",
    ) -> None:
        self.exits: list[Exit] = []
        self.peak_mib = 0.0
        self._count = count
        self._arguments = arguments
        self._environment = environment
        self._logs = logs
        self._roles = roles
        self._running: list[_Replica] = []
        self._started = 0
        self._closing = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._any_ready = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._keep_one(self._roles(number))) for number in range(self._count)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self.measure()
        for replica in list(self._running):
            await replica.started.wait()  # before, SIGTERM would end it without a word
            with contextlib.suppress(ProcessLookupError):
                replica.process.send_signal(signal.SIGTERM)
        _, late = await asyncio.wait(self._tasks, timeout=STOP_S)
        for replica in self._running:
            replica.process.kill()  # its status shows it
        await asyncio.gather(*self._tasks, *late)

    async def _keep_one(self, roles: str) -> None:
        while not self._closing.is_set():
            self._started += 1
            with (self._logs / f"replica-{self._started}.log").open("wb") as log:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "tests.soak.replica",
                    *self._arguments,
                    *(("--roles", roles) if roles else ()),
                    cwd=PROJECT,
                    env=dict(self._environment),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                )
            replica = _Replica(process, time.monotonic())
            self._running.append(replica)
            assert process.stdout is not None
            worked = bool(await process.stdout.readline())
            if worked:
                self._any_ready.set()
            replica.started.set()
            status = await process.wait()
            self._running.remove(replica)
            self.exits.append(Exit(replica.begun, time.monotonic(), status, worked, replica.killed))

    async def ready(self) -> None:
        """Wait until one of them is about to connect."""
        await self._any_ready.wait()

    def kill_one(self, chance: random.Random) -> bool:
        """Kill one of those that are at work, if any is; returns whether."""
        ready = [replica for replica in self._running if replica.started.is_set() and not replica.killed]
        if not ready:
            return False
        replica = chance.choice(ready)
        replica.killed = True
        with contextlib.suppress(ProcessLookupError):
            replica.process.kill()
        return True

    def kill_all(self, chance: random.Random) -> None:
        """Kill all that are at work."""
        while self.kill_one(chance):
            pass

    def measure(self) -> float:
        """Return the largest peak of resident memory of those running, in MiB."""
        for replica in self._running:
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{replica.process.pid}/status").read_text(encoding="ascii")
                if found := re.search(r"VmHWM:\s+(\d+) kB", status):
                    self.peak_mib = max(self.peak_mib, int(found[1]) / 1024)
        return self.peak_mib
