"""Schedules as people say and read them: "every Monday 09:00", "first Monday of the month", cron."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.errors import InvalidRequestError

DEFAULT_TIME = (9, 0)
EXAMPLES = "weekly mon 9:00, daily 8:30, first Monday of the month, or cron 0 9 * * 1"

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NTH = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "last": 0}
_NTH_NAMES = ("last", "first", "second", "third", "fourth")
_TIME = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?\s?(am|pm|h)?", re.IGNORECASE)
_FILLING = frozenset({"every", "each", "on", "at", "of", "the", "a", "and", "weekly"})
_CRON_FIELD = re.compile(r"[\w*#/,-]+")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A schedule that was understood.

    Attributes:
        cron: As `bot.scheduling.dates.Dates` reads it; a weekday may be counted within its month ("mon#1", "fri#l").
        words: As people read it: "every Monday at 9:00".
    """

    cron: str
    words: str


def read_phrase(words: Sequence[str]) -> Phrase:
    """Return the schedule that some words say.

    Raises:
        InvalidRequestError: If a word is not understood, or something is missing or there twice; the sentence names it.
    """
    given = [word for word in re.split(r"[\s,]+", " ".join(words).lower().strip(" .")) if word]
    if given[:1] == ["cron"]:
        return _cron(" ".join(words[1:]).strip("\"'"))
    if not given:
        raise InvalidRequestError(f"Say when the digest comes: {EXAMPLES}.")
    return _Reading(given).phrase()


def _cron(text: str) -> Phrase:
    fields = text.split()
    if len(fields) != 5 or not all(map(_CRON_FIELD.fullmatch, fields)):
        raise InvalidRequestError(
            f"{text[:60]!r} is no cron expression: it needs minute, hour, day, month and weekday, as cron 0 9 * * 1."
        )
    cron = " ".join(fields)
    return Phrase(cron, f"at the times of cron {cron}")


class _Reading:
    """One phrase, word by word."""

    def __init__(self, words: Sequence[str]) -> None:
        self._said = " ".join(words)
        self._days: list[int] = []
        self._time: tuple[int, int] | None = None
        self._nth: int | None = None
        self._kind = ""  # "daily", "weekdays", "monthly"
        self._date: int | None = None
        left = list(words)
        while left:
            self._take(left.pop(0), left)

    def phrase(self) -> Phrase:
        """Return what was said."""
        hour, minute = self._time or DEFAULT_TIME
        at = f"at {hour}:{minute:02}"
        if self._nth is not None:
            if self._nth == 1 and not self._days and "month" in self._said:
                return Phrase(f"{minute} {hour} 1 * *", f"on day 1 of every month {at}")
            if len(self._days) != 1:
                raise InvalidRequestError(f"Say which day of the week {self._said!r} means, as in first Monday.")
            day = self._days[0]
            count = "l" if self._nth == 0 else str(self._nth)
            return Phrase(
                f"{minute} {hour} * * {DAYS[day][:3].lower()}#{count}",
                f"on the {_NTH_NAMES[self._nth]} {DAYS[day]} of the month {at}",
            )
        if self._kind == "monthly":
            if self._days:
                raise InvalidRequestError(f"Say which {DAYS[self._days[0]]} of the month, as in first Monday.")
            date = self._date or 1
            return Phrase(f"{minute} {hour} {date} * *", f"on day {date} of every month {at}")
        if self._kind == "weekdays":
            return Phrase(f"{minute} {hour} * * 1-5", f"from Monday to Friday {at}")
        if self._days:
            days = sorted(set(self._days))
            names = ", ".join(DAYS[day] for day in days)
            return Phrase(f"{minute} {hour} * * {','.join(str((day + 1) % 7) for day in days)}", f"every {names} {at}")
        if self._kind == "daily":
            return Phrase(f"{minute} {hour} * * *", f"every day {at}")
        if "weekly" in self._said or "week" in self._said.split():
            return Phrase(f"{minute} {hour} * * 1", f"every Monday {at}")
        raise InvalidRequestError(f"{self._said[:60]!r} does not say on which days: use {EXAMPLES}.")

    def _take(self, word: str, left: list[str]) -> None:
        if word in _NTH:
            self._nth = _NTH[word]
        elif (day := _weekday(word)) is not None:
            self._days.append(day)
        elif word in {"daily", "day", "everyday"}:
            self._set_kind("daily", left)
        elif word in {"weekdays", "workdays", "workday"}:
            self._kind = "weekdays"
        elif word in {"monthly", "month"}:
            self._set_kind("monthly", left)
        elif word in {"noon", "midnight"}:
            self._set_time((12 if word == "noon" else 0, 0), word)
        elif _TIME.fullmatch(word):
            suffix = left.pop(0) if left and left[0] in {"am", "pm"} else ""
            self._number(word + suffix)
        elif word not in _FILLING and word not in {"week", "o'clock"}:
            raise InvalidRequestError(_unknown(word))

    def _set_kind(self, kind: str, left: list[str]) -> None:
        if self._nth is not None and kind == "monthly":
            return  # "first Monday of the month"
        if kind == "daily" and self._nth == 0 and "month" in left:
            raise InvalidRequestError("The last day of a month is not offered: use day 28, or last Friday.")
        self._kind = kind
        if kind == "monthly" and left and left[0].isdecimal() and 1 <= int(left[0]) <= 31:
            self._date = int(left.pop(0))

    def _number(self, word: str) -> None:
        match = _TIME.fullmatch(word)
        if match is None:
            raise InvalidRequestError(_unknown(word))
        hour, minute, suffix = int(match[1]), int(match[2] or 0), (match[3] or "").lower()
        if suffix in {"am", "pm"}:
            if not 1 <= hour <= 12:
                raise InvalidRequestError(f"{word!r} is no time of the day: write it as 9:00 or 9am.")
            hour = hour % 12 + (12 if suffix == "pm" else 0)
        if hour > 23 or minute > 59:
            raise InvalidRequestError(f"{word!r} is no time of the day: write it as 9:00 or 9am.")
        self._set_time((hour, minute), word)

    def _set_time(self, time: tuple[int, int], word: str) -> None:
        if self._time is not None:
            raise InvalidRequestError(f"There is a second time, {word!r}: give one.")
        self._time = time


def _weekday(word: str) -> int | None:
    """Return the number of a day, Monday 0: "mon", "monday" and "mondays" are the same."""
    for number, name in enumerate(DAYS):
        full = name.lower()
        if word in {full, f"{full}s", full[:3]} or (len(word) >= 3 and full.startswith(word)):
            return number
    return None


def _unknown(word: str) -> str:
    known = [
        *(name.lower() for name in DAYS),
        *(name[:3].lower() for name in DAYS),
        "daily",
        "weekly",
        "monthly",
        "weekdays",
        "first",
        "last",
        "cron",
    ]
    near = difflib.get_close_matches(word, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"say when as {EXAMPLES}."
    return f"{word[:40]!r} is no day and no time: {hint}"
