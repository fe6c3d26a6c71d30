"""What `locus doctor` reports: one finding per line, with the fix."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

CLOCK_WARNING_S = 5.0  # leases and windows of several processes are compared by their clocks
CLOCK_ERROR_S = 300.0  # Slack's signed requests are refused beyond that


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `fix` is "" where nothing is to be done."""

    level: Level
    part: str
    text: str
    fix: str = ""

    @classmethod
    def of_sentence(cls, level: Level, part: str, sentence: str) -> Self:
        """Return the finding of a sentence of ours, which says after its last colon what to do."""
        text, colon, fix = sentence.rpartition(": ")
        return cls(level, part, f"{text}.", fix) if colon else cls(level, part, sentence)


def clock_finding(where: str, ahead_s: float) -> Finding:
    """Say whether this machine's clock agrees with another one.

    Args:
        where: Whose clock, within a sentence.
        ahead_s: Seconds by which this machine's clock is ahead; negative where it is behind.
    """
    apart = abs(ahead_s)
    if apart <= CLOCK_WARNING_S:
        return Finding(Level.OK, "clock", f"It agrees with {where}.")
    level = Level.ERROR if apart > CLOCK_ERROR_S else Level.WARNING
    direction = "ahead of" if ahead_s > 0 else "behind"
    text = f"This machine's clock is {apart:,.0f} s {direction} {where}."
    return Finding(level, "clock", text, "let it be set from the network (timedatectl set-ntp true).")
