"""Steps one after the other: what each runs, how long it took, and how it ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO


class FailedError(Exception):
    """A step did not do what its page says; the text says what was seen instead."""


class SkippedError(Exception):
    """A step cannot be tried here; the text says why."""


@dataclass
class Report:
    """What is printed, and whether all went well.

    Attributes:
        to: Where lines go.
        failed: Titles of the steps that failed.
        skipped: Titles of those that could not be tried here.
    """

    to: TextIO = field(default_factory=lambda: sys.stdout)
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    _number: int = 0
    _started: float = field(default_factory=time.monotonic)

    def step(self, title: str, do: Callable[[], object]) -> bool:
        """Run one step; False if it failed.

        Args:
            title: What it shows.
            do: Does it, and says with `ran` and `note` what; raises FailedError or SkippedError.
        """
        self._number += 1
        self._line(f"\n{self._number:2}. {title}")
        started = time.monotonic()
        outcome = "ok"
        try:
            do()
        except SkippedError as error:
            outcome = f"not tried: {error}"
            self.skipped.append(title)
        except (FailedError, AssertionError, OSError, ValueError) as error:
            outcome = "FAILED"
            self._indented(f"{error}"[-4000:], "    ! ")
            self.failed.append(title)
        self._line(f"    {outcome}, {time.monotonic() - started:.1f} s")
        return outcome != "FAILED"

    def ran(self, command: str, seconds: float) -> None:
        """Show a command that a step has run."""
        self._line(f"    $ {command}   ({seconds:.1f} s)")

    def note(self, text: str) -> None:
        """Show what was seen."""
        self._indented(text, "      ")

    def end(self) -> int:
        """Print the sum, and return the exit code."""
        said = f"{self._number - len(self.failed) - len(self.skipped)} of {self._number} steps are well"
        for what, titles in (("failed", self.failed), ("not tried", self.skipped)):
            if titles:
                said += f"; {what}: {', '.join(titles)}"
        self._line(f"\n{said}. {time.monotonic() - self._started:.0f} s in all.")
        return int(bool(self.failed))

    def _indented(self, text: str, by: str) -> None:
        for line in text.splitlines():
            self._line(f"{by}{line}")

    def _line(self, text: str) -> None:
        self.to.write(text.rstrip() + "\n")
        self.to.flush()


def require(holds: bool, otherwise: str) -> None:
    """Raise FailedError where something does not hold."""
    if not holds:
        raise FailedError(otherwise)
