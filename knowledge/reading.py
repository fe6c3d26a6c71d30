"""Reading a file of a stranger: in a process of its own that is killed when it takes too much."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from pydantic import TypeAdapter, ValidationError

from bot.engine.sandbox import clean_environment
from bot.errors import SettingsError, StorageError, UnreadableError
from bot.teaching_texts import reading_failed, too_slow
from knowledge.documents import ParsedDocument

LEFT_OUT = "; it was left out"  # of an ingest of many files; here it is the only one


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may take.

    Attributes:
        seconds: Of a processor; half as much again by the clock on the wall.
        memory_mib: Address space of the process, the interpreter included.
        pages: Of a PDF.
        chars: Of the document's text.
        result_bytes: Of the document as JSON, headings and the heads of tables repeated.
    """

    seconds: float = 60.0
    memory_mib: int = 1024
    pages: int = 2000
    chars: int = 2_000_000  # some 700 pages of a book
    result_bytes: int = 20_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file: the document, or a sentence; `missing` when a library is not installed."""

    document: ParsedDocument | None = None
    error: str = ""
    missing: bool = False


_OUTCOME = TypeAdapter(Outcome)


class FileReader:
    """Reads files, each in a process of its own.

    Args:
        limits: Of each.
        at_once: Files that are read at the same time.
    """

    def __init__(self, limits: Limits | None = None, *, at_once: int = 2) -> None:
        self.limits = limits or Limits()
        self._free = asyncio.Semaphore(at_once)

    async def read(self, data: bytes, name: str) -> ParsedDocument:
        """Return the document that a file holds.

        Args:
            data: The file.
            name: Used in sentences, and to tell markdown, org, ... from each other.

        Raises:
            UnreadableError: If there is none, or reading it takes too much.
            SettingsError: If its format needs a library that is not installed.
            StorageError: If the disk is full, or no process can be started.
        """
        async with self._free:
            try:
                result = await self._run(data, name)
            except OSError as error:
                raise StorageError(f"{name} cannot be read now ({error.strerror}): is the disk full?") from error
        try:
            outcome = await asyncio.to_thread(_OUTCOME.validate_json, result)
        except (ValidationError, RecursionError) as error:
            raise UnreadableError(reading_failed(name)) from error
        if outcome.error:
            sentence = outcome.error.replace(LEFT_OUT, "", 1)
            raise SettingsError(sentence) if outcome.missing else UnreadableError(sentence)
        if outcome.document is None:
            raise UnreadableError(reading_failed(name))
        return outcome.document

    async def _run(self, data: bytes, name: str) -> bytes:
        """Return what the process wrote."""
        head = json.dumps({"name": name, "limits": dataclasses.asdict(self.limits)}).encode()
        # Files instead of pipes: the kernel limits what is written to one, and nobody has to read along.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as result:
            await asyncio.to_thread(_fill, given, (head, b"\n", data))
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-m", "knowledge.reading_child",
                stdin=given, stdout=result, stderr=asyncio.subprocess.DEVNULL,
                env=clean_environment(os.environ), cwd="/",
            )  # fmt: skip
            wall_s = 1.5 * self.limits.seconds
            try:
                async with asyncio.timeout(wall_s):
                    code = await process.wait()
            except TimeoutError as error:
                raise UnreadableError(too_slow(name, wall_s)) from error
            finally:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
            if code in (-signal.SIGXCPU, -signal.SIGKILL):
                raise UnreadableError(too_slow(name, self.limits.seconds))
            if code != 0:
                raise UnreadableError(reading_failed(name))
            return await asyncio.to_thread(_contents, result, self.limits.result_bytes)


def _fill(file: IO[bytes], parts: Sequence[bytes]) -> None:
    for part in parts:
        file.write(part)
    file.flush()
    file.seek(0)


def _contents(file: IO[bytes], limit: int) -> bytes:
    file.seek(0)
    return file.read(limit + 1)
