"""What `locus doctor` reports: one finding per line, with the fix."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
