"""Whole processes: how long they take and how much memory they reach."""

from __future__ import annotations

import os
import subprocess
import sys
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
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode != 0:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return Finished(time.perf_counter() - begin, usage.ru_maxrss / 1024, output)
