"""From process start to the first answer and to the prompt."""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks.process import LOCUS, run_process
from benchmarks.report import Report

RUNS = 5


def run(report: Report, corpus: Path, questions: Path, data_dir: Path, temporary: Path) -> None:
    """Print medians of whole processes, after one run that is not counted."""
    commands = {
        "locus ask, first answer": (LOCUS, "ask", "What is the BXD family?", "--data-dir", data_dir),
        "locus chat, to the prompt and out": (LOCUS, "chat", "--data-dir", data_dir),
        "locus --version": (LOCUS, "--version"),
    }
    rows = []
    for name, command in commands.items():
        runs = [run_process(*command) for _ in range(RUNS + 1)][1:]
        seconds = [one.seconds for one in runs]
        rows.append([name, statistics.median(seconds), max(seconds), statistics.median([one.peak_mib for one in runs])])
    report.table("Process start, index present", ["", "median s", "worst s", "peak MiB"], rows)
