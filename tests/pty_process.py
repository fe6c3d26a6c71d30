"""A program in a terminal of its own, driven as a person would: type, read, press Ctrl-C, resize, pull the plug."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tests.terminal_screen import seen

DEADLINE_S = 60.0


class PtyProcess:
    """A context manager; the process group is killed on leaving.

    Attributes:
        written: All it wrote so far.
        modes_kept: Whether the terminal's modes were as before when it ended; known after `wait`.
    """

    def __init__(
        self, command: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None, columns: int = 80
    ) -> None:
        self.written = ""
        self.modes_kept = False
        self._data = b""
        self._read_to = 0
        self._own, self._theirs = pty.openpty()
        self.resize(columns)
        self._modes = termios.tcgetattr(self._theirs)
        self._process = subprocess.Popen(
            command,
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            cwd=cwd,
            env={**os.environ, "TERM": "xterm-256color", **(environment or {})},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0) and None,
        )

    def __enter__(self) -> PtyProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        os.close(self._own)
        os.close(self._theirs)

    @property
    def seen(self) -> str:
        """What a person sees, all lines ever written."""
        return seen(self.written, moving=True)

    @property
    def pid(self) -> int:
        """Of the process, which leads its group."""
        return self._process.pid

    def type(self, text: str) -> None:
        r"""Press keys; "\n" is Enter, "\x03" Ctrl-C, "\x04" Ctrl-D."""
        os.write(self._own, text.encode())

    def until(self, text: str, deadline_s: float = DEADLINE_S) -> None:
        """Read until `text` was written, after where the last call stopped."""
        ends_at = time.monotonic() + deadline_s
        while (found := self.written.find(text, self._read_to)) < 0:
            assert self._read(ends_at - time.monotonic()), (
                f"{text!r} was not written within {deadline_s} s: {self.seen}"
            )
        self._read_to = found + len(text)

    def resize(self, columns: int) -> None:
        """Make the window wider or narrower."""
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def wait(self, deadline_s: float = DEADLINE_S) -> int:
        """Wait for the end and return the exit status."""
        ends_at = time.monotonic() + deadline_s
        while self._process.poll() is None:
            assert time.monotonic() < ends_at, f"it did not end: {self.seen}"
            self._read(0.05)
        while self._read(0):
            pass
        self.modes_kept = self._modes == termios.tcgetattr(self._theirs)
        return self._process.returncode

    def kill(self) -> None:
        """SIGKILL the process with its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(DEADLINE_S)
        while self._read(0):
            pass

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self._own], [], [], max(0.0, timeout_s))[0]:
            return False
        self._data += os.read(self._own, 1 << 16)
        self.written = self._data.decode(errors="ignore").replace("\r\n", "\n")
        return True
