"""Waiting for a line, or for anything else, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator


class Keyboard:
    """Lines and Ctrl-C as events of the loop.

    A line is read in a thread of its own that ends with the process: a read that waits cannot be cancelled.

    Args:
        read: Called with the prompt; returns a line, raises EOFError at the end.
    """

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read
        self._reading: asyncio.Future[str | None] | None = None
        self._interrupted = asyncio.Event()

    def interrupt(self) -> None:
        """Ctrl-C was pressed, or there is another reason not to wait."""
        self._interrupted.set()

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Take SIGINT as Ctrl-C, where this is the main thread's loop."""
        loop = asyncio.get_running_loop()
        taken = False
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(signal.SIGINT, self.interrupt)
            taken = True
        try:
            yield
        finally:
            if taken:
                loop.remove_signal_handler(signal.SIGINT)

    def line(self, prompt: str) -> asyncio.Future[str | None]:
        """Return the next line to come, without blanks around it; None at the end. One at a time is read."""
        if self._reading is None or self._reading.done():
            loop = asyncio.get_running_loop()
            self._reading = loop.create_future()
            thread = threading.Thread(
                target=self._fill, args=(loop, self._reading, prompt), name="keyboard", daemon=True
            )
            thread.start()
        return self._reading

    async def until(self, awaited: Awaitable[object]) -> bool:
        """Return True when it is done, False when Ctrl-C came first; a future is not cancelled then."""
        waiting = asyncio.ensure_future(awaited)
        interrupt = asyncio.ensure_future(self._interrupted.wait())
        try:
            await asyncio.wait((waiting, interrupt), return_when=asyncio.FIRST_COMPLETED)
            return waiting.done()
        finally:
            self._interrupted.clear()
            ending = [interrupt] if waiting is awaited else [interrupt, waiting]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    def _fill(self, loop: asyncio.AbstractEventLoop, line: asyncio.Future[str | None], prompt: str) -> None:
        try:
            read: str | None = self._read(prompt).strip()
        except UnicodeDecodeError as error:
            read = error.object.decode(errors="replace").strip()
        except (EOFError, KeyboardInterrupt, OSError, ValueError):
            read = None  # the end, a terminal that hung up, or a closed file

        def arrived() -> None:
            if not line.done():
                line.set_result(read)

        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(arrived)
