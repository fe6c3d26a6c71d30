"""`locus ingest`: progress while it runs, one line per source when it is done."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from bot.bootstrap import ingest_sources
from bot.data_folder import mark_form
from bot.errors import BotError, UnreadableError
from bot.ingestion import IngestReport
from bot.ports import PUBLIC_SCOPE
from bot.settings import Settings

_LINE_EVERY_S = 10.0
_PROBLEMS_SHOWN = 50


class _Bar:
    """A progress bar: files, chunks, rate, time left."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self._chunks = 0
        self._started = time.monotonic()

    def found(self, files: int, size_bytes: int) -> None:
        self._progress.update(self._task, total=max(size_bytes, 1), files=files)

    def read(self, source: str, size_bytes: int) -> None:
        self._progress.update(self._task, advance=size_bytes)

    def embedded(self, chunks: int) -> None:
        self._chunks += chunks
        rate = self._chunks / max(time.monotonic() - self._started, 1e-3)
        self._progress.update(self._task, chunks=self._chunks, rate=rate)

    def publishing(self) -> None:
        self._progress.update(self._task, description="publishing")


class _Lines:
    """Plain lines where there is no terminal, at most one every ten seconds."""

    def __init__(self, spec: str) -> None:
        self._spec = spec
        self._files = self._read = self._chunks = 0
        self._started = self._last = time.monotonic()

    def found(self, files: int, size_bytes: int) -> None:
        self._files = files
        _line(f"{self._spec}: {files} files, {size_bytes / 1e6:.1f} MB")

    def read(self, source: str, size_bytes: int) -> None:
        self._read += 1

    def embedded(self, chunks: int) -> None:
        self._chunks += chunks
        now = time.monotonic()
        if now - self._last >= _LINE_EVERY_S:
            self._last = now
            rate = self._chunks / (now - self._started)
            _line(f"{self._spec}: {self._read}/{self._files} files, {self._chunks} chunks, {rate:.0f} chunks/s")

    def publishing(self) -> None:
        """The report follows at once."""


def _line(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


async def ingest_documents(settings: Settings, sources: Sequence[str]) -> int:
    """Sync the sources and return the exit code: 0, or that of the first source that failed."""
    await asyncio.to_thread(mark_form, settings.data_dir)
    console = Console(stderr=True, highlight=False)
    codes: list[int] = []

    def report(result: IngestReport | BotError, spec: str) -> None:
        if isinstance(result, BotError):
            console.print(Text(f"locus: {result}"), soft_wrap=True)
            codes.append(result.exit_code)
            return
        for problem in result.problems[:_PROBLEMS_SHOWN]:
            console.print(Text(f"  left out: {problem}"), soft_wrap=True)
        if len(result.problems) > _PROBLEMS_SHOWN:
            console.print(f"  left out: and {len(result.problems) - _PROBLEMS_SHOWN} more files")
        if result.empty:
            console.print(Text(f"  {len(result.empty)} empty files were left out, the first: {result.empty[0]}"))
        # A broken file is named and does not fail a nightly sync; a source without one readable file does.
        nothing_read = bool(result.problems) and not (result.changed or result.unchanged)
        codes.append(UnreadableError.exit_code if nothing_read else 0)
        sys.stdout.write(summary(result) + "\n")

    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[files]} files, {task.fields[chunks]} chunks, {task.fields[rate]:.0f}/s"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            await ingest_sources(
                settings,
                sources,
                scope=PUBLIC_SCOPE,
                progress=lambda spec: _Bar(progress, progress.add_task(spec, files=0, chunks=0, rate=0.0)),
                report=report,
            )
    else:
        await ingest_sources(settings, sources, scope=PUBLIC_SCOPE, progress=_Lines, report=report)
    return next((code for code in codes if code), 0)


def summary(report: IngestReport) -> str:
    """Return the line that tells what a sync did."""
    left_out = len(report.problems) + len(report.empty)
    rate = f", {report.embedded / report.duration_s:.0f} chunks/s" if report.embedded else ""
    return (
        f"{report.source}: {report.changed} documents new or changed, {report.unchanged} unchanged, "
        f"{report.removed} removed, {left_out} left out; {report.embedded} chunks embedded in "
        f"{report.duration_s:.1f} s{rate}; revision {report.revision}"
    )
