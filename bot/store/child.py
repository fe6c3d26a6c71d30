"""A process that is ours to wait for, started and waited for by one thread.

The kernel ends the server together with the thread that started it, so that thread lives as long as the server. It is
also the only one that waits: asyncio's `terminate` asks for the end as well, and where both ask at once the exit code
is lost (Python 3.11: "Unknown child process").
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Self


class Child:
    """A running process; made by `start`."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._started: asyncio.Future[subprocess.Popen[bytes]] = loop.create_future()
        self._ended: asyncio.Future[int] = loop.create_future()

    @classmethod
    async def start(cls, command: Sequence[str], *, output: int, keep: int, environment: Mapping[str, str]) -> Self:
        """Start a process in a session of its own; one whose start is cancelled is killed.

        Args:
            command: Program and arguments.
            output: Handle of a file for what it prints.
            keep: Handle that it inherits.
            environment: Its whole environment.

        Raises:
            OSError: If it cannot be started.
        """
        child = cls()
        arguments = (list(command), output, keep, dict(environment))
        threading.Thread(target=child._run, args=arguments, name="private-redis", daemon=True).start()
        try:
            await asyncio.shield(child._started)
        except asyncio.CancelledError:
            await asyncio.wait({child._started})
            if child._started.exception() is None:
                child.send(signal.SIGKILL)
                await child.wait()
            raise
        return child

    @property
    def pid(self) -> int:
        """Its number."""
        return self._started.result().pid

    @property
    def running(self) -> bool:
        """False as soon as it is known to have ended."""
        return self._started.result().returncode is None

    def send(self, how: signal.Signals) -> None:
        """Send it a signal; nothing happens if it has ended."""
        self._started.result().send_signal(how)

    async def wait(self) -> int:
        """Return its exit code, or less than 0 for a signal."""
        return await asyncio.shield(self._ended)

    def _run(self, command: list[str], output: int, keep: int, environment: dict[str, str]) -> None:
        try:
            process = subprocess.Popen(  # noqa: S603 - a program that the caller found
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(keep,),
                env=environment,
                start_new_session=True,  # Ctrl-C is for Locus, which then ends the server
            )
        except OSError as error:
            self._tell(partial(self._started.set_exception, error))
            return
        self._tell(partial(self._started.set_result, process))
        code = process.wait()
        self._tell(partial(self._ended.set_result, code))

    def _tell(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed first
            self._loop.call_soon_threadsafe(what)
