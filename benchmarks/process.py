"""Whole processes: how long they take and how much memory they reach."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

LOCUS = Path(sys.executable).with_name("locus")


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ended well. `peak_mib` is the largest resident memory of that process."""

    seconds: float
    peak_mib: float
    output: str


def run_process(*command: str | Path) -> Finished:
    """Run a command without LOCUS_ settings and measure it; its errors end the benchmark."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUS_")}
    begin = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command], env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    watch = _MemoryWatch(process.pid)
    watch.start()
    output, _ = process.communicate()
    seconds = time.perf_counter() - begin
    watch.join()
    if process.returncode != 0:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return Finished(seconds, watch.peak_mib, output)


class _MemoryWatch(threading.Thread):
    """Reads a process's high-water mark while it lives; rusage would report the parent's memory before exec too."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._status = Path(f"/proc/{pid}/status")
        self.peak_mib = 0.0

    def run(self) -> None:
        while True:
            try:
                text = self._status.read_text()
            except OSError:
                return
            found = re.search(r"VmHWM:\s+(\d+) kB", text)
            if found is None:  # ended, not yet waited for
                return
            self.peak_mib = max(self.peak_mib, int(found.group(1)) / 1024)
            time.sleep(0.02)
