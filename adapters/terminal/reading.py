"""Lines of standard input, read so that a read that waits can be ended from outside."""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import sys
import termios
import threading

MAX_LINE_BYTES = 1 << 20
_READ_BYTES = 1 << 16


class LineInput:
    """Reads lines: where a person types, with the keys of readline; else from the file itself.

    Python's own buffer of standard input is left alone, since an interpreter that ends while a thread holds it is
    aborted. Call it in a thread; `close` may be called from any other. A context manager.
    """

    def __init__(self) -> None:
        self._input = sys.stdin.fileno()
        self._keys = sys.stdin.isatty() and sys.stdout.isatty()
        self._modes = termios.tcgetattr(self._input) if self._keys else None
        self._buffer = bytearray()
        self._wakes, self._wake = os.pipe()
        self._reading = threading.Lock()
        self._closed = False
        if self._keys:
            with contextlib.suppress(ImportError):
                importlib.import_module("readline")  # changes what input() does

    def __enter__(self) -> LineInput:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, prompt: str) -> str:
        """Return a line without its end.

        Raises:
            EOFError: At the end of the input, or when it was closed.
        """
        if self._closed:
            raise EOFError
        if self._keys:
            return input(prompt)
        if prompt:
            sys.stdout.write(prompt)
            sys.stdout.flush()
        with self._reading:
            return self._line()

    def close(self) -> None:
        """End a read that waits and leave the terminal as it was found; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        os.write(self._wake, b"\0")
        with self._reading:
            os.close(self._wake)
            os.close(self._wakes)
        # readline turns the echo off while it waits. A job in the background may not touch the terminal.
        if self._modes is not None:
            with contextlib.suppress(OSError, termios.error):
                if os.tcgetpgrp(self._input) == os.getpgrp():
                    termios.tcsetattr(self._input, termios.TCSANOW, self._modes)

    def _line(self) -> str:
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            data = b"" if self._closed else self._more()
            if not data:
                line, self._buffer = bytes(self._buffer), bytearray()
                if not line or self._closed:
                    raise EOFError
                return line.decode(errors="replace")
            self._buffer += data
            if b"\n" not in data:
                del self._buffer[MAX_LINE_BYTES:]  # nobody asks a question of a megabyte
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.decode(errors="replace")

    def _more(self) -> bytes:
        """Return what can be read; nothing at the end, or when it was closed."""
        poll = select.poll()
        poll.register(self._input, select.POLLIN)
        poll.register(self._wakes, select.POLLIN)
        if any(descriptor == self._wakes for descriptor, _ in poll.poll()):
            return b""
        return os.read(self._input, _READ_BYTES)
