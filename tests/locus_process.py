"""The command `locus` as processes of its own, as a lab runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.chat_process import PROJECT

STOP_S = 120.0  # longest time it takes to stop, on a machine that is busy


class LocusProcess:
    """`locus run`, and other commands beside it.

    Args:
        data_dir: With an index.
        settings: Further variables of the environment.
        log: Takes what it logs; this process' standard error without one.
    """

    def __init__(self, data_dir: Path, settings: Mapping[str, str], log: Path | None = None) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCUS_")}
        self._environment = clean | {"LOCUS_DATA_DIR": str(data_dir), "LOCUS_LOG_LEVEL": "error"} | dict(settings)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start `locus run`; it connects a little later."""
        command = [sys.executable, "-m", "bot", "run"]
        log = self._log.open("ab") if self._log is not None else None
        try:
            self._process = subprocess.Popen(
                command, cwd=PROJECT, env=self._environment, stdin=subprocess.DEVNULL, stderr=log
            )
        finally:
            if log is not None:
                log.close()

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send it a signal and wait for its end; does nothing when it does not run."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(STOP_S)
            self._process = None

    def command(self, *words: str, **settings: str) -> str:
        """Run another command, with further settings, and return what it prints.

        Raises:
            RuntimeError: If it fails.
        """
        done = subprocess.run(
            [sys.executable, "-m", "bot", *words],
            cwd=PROJECT,
            env=self._environment | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"locus {' '.join(words)} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    @property
    def peak_mb(self) -> float:
        """The most memory that was resident, in MB (10^6 bytes)."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024 / 1e6
