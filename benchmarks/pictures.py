"""How long pictures take to draw, how large their files are, and how long the event loop waits meanwhile."""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from benchmarks.report import Report
from bot.pictures import (
    Drawing,
    MarkerScore,
    Picture,
    StrainValue,
    Variable,
    genome_scan,
    histogram,
    scatter,
    strain_values,
)

ROUNDS = 7
SCANS = (1_000, 7_000, 20_000, 100_000)
_FIRST = (
    "import time\nbegin = time.perf_counter()\nfrom bot.pictures import histogram\n"
    "histogram('t', [1.0, 2.0, 4.0], '')\nprint(time.perf_counter() - begin)\n"
)


def run(report: Report) -> None:
    """Print a table of pictures, in milliseconds and kilobytes."""
    chance = random.Random(1)
    strains = [StrainValue(f"BXD{number}", chance.gauss(9, 0.4), 0.1, 4) for number in range(100)]
    values = [one.value for one in strains]
    pictures: dict[str, Callable[[], Picture]] = {
        "values of 100 strains": lambda: strain_values("BXD_10001", strains, "mg"),
        "histogram of 100 values": lambda: histogram("BXD_10001", values, "mg"),
        "scatter of 100 strains": lambda: scatter("t", Variable("x", values), Variable("y", values[::-1])),
    }
    for count in SCANS:
        scan = _markers(count, chance)
        pictures[f"genome scan of {count:,} markers"] = lambda scan=scan: genome_scan("t", scan)  # type: ignore[misc]
    rows = [[name, *asyncio.run(_measure(draw))] for name, draw in pictures.items()]
    report.table(
        "Pictures, drawn beside a running event loop",
        ["picture", "median, ms", "longest, ms", "loop held up at most, ms", "file, kB"],
        rows,
    )
    first = [float(subprocess.run([sys.executable, "-c", _FIRST], capture_output=True).stdout) for _ in range(3)]
    report.line(f"The first picture of a process, with loading matplotlib, takes {statistics.median(first):.2f} s.")


async def _measure(draw: Callable[[], Picture]) -> list[float]:
    """Return times in ms and the file's size.

    What holds the event loop up is told by the processor time that the drawing thread gets between two turns of the
    loop: other programs on the machine do not count.
    """
    drawing = Drawing()
    await drawing.draw(draw)
    gc.collect()
    gc.freeze()  # as `locus run` does
    clock = next(time.pthread_getcpuclockid(one.ident) for one in threading.enumerate() if _draws(one) and one.ident)
    times: list[float] = []
    held: list[float] = []
    for _ in range(ROUNDS):
        begin, last = time.perf_counter(), time.clock_gettime(clock)
        task = asyncio.create_task(drawing.draw(draw))
        while not task.done():
            await asyncio.sleep(0.001)
            now = time.clock_gettime(clock)
            held.append(now - last)
            last = now
        times.append(time.perf_counter() - begin)
    size = len((await task).png)
    drawing.close()
    gc.unfreeze()
    return [statistics.median(times) * 1000, max(times) * 1000, max(held) * 1000, size / 1000]


def _draws(thread: threading.Thread) -> bool:
    return thread.name.startswith("locus-pictures")


def _markers(count: int, chance: random.Random) -> list[MarkerScore]:
    names = [*map(str, range(1, 20)), "X"]
    return [
        MarkerScore(f"rs{number}", names[number % 20], chance.uniform(3, 190), abs(chance.gauss(0, 1)))
        for number in range(count)
    ]
