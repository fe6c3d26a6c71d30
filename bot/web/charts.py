"""Charts of days as shapes that a page draws: no script, no picture file, and a table beside each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.daily import Day, percentile

WIDTH = 600.0  # of the drawing; it is stretched to the page
HEIGHT = 160.0
_GAP = 0.2  # of a bar's room


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a bar; `kind` is what it stands for and its class in the style sheet."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line through days, with gaps where there were none; `kind` as of `Bar`."""

    kind: str
    path: str


def bars_of(days: Sequence[Day]) -> tuple[tuple[Bar, ...], int]:
    """Return a stacked bar for each day, from the left, and the number of questions that fills the height."""
    top = nice_top(max((day.questions for day in days), default=0))
    room = WIDTH / max(1, len(days))
    bars: list[Bar] = []
    for number, day in enumerate(days):
        below = 0
        pieces = (
            ("answered", day.answered - day.rated_badly),
            ("rated", day.rated_badly),
            ("refused", day.unanswered),
            ("failed", day.failed),
        )
        for kind, count in pieces:
            if count:
                height = HEIGHT * count / top
                y = HEIGHT * (1 - below / top) - height
                bars.append(
                    Bar(kind, _round((number + _GAP / 2) * room), _round(y), _round((1 - _GAP) * room), _round(height))
                )
                below += count
    return tuple(bars), top


def lines_of(days: Sequence[Day]) -> tuple[tuple[Line, ...], float]:
    """Return a line for the median and one for the 95th percentile of waiting, and the seconds that fill the height."""
    values = {"p95": [percentile(day.waits, 0.95) for day in days], "p50": [percentile(day.waits, 0.5) for day in days]}
    top = nice_seconds(max((value for line in values.values() for value in line if value is not None), default=0.0))
    return tuple(Line(kind, _path(line, top)) for kind, line in values.items()), top


def nice_top(most: int) -> int:
    """Return a number of at least `most` that reads well at the top of a chart: 10, 20, 50, 100 and so on."""
    power = 10
    while True:
        for factor in (1, 2, 5):
            if most <= factor * power:
                return factor * power
        power *= 10


def nice_seconds(most: float) -> float:
    """Return a span of at least `most` seconds that reads well at the top of a chart."""
    return next((top for top in (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0) if most <= top), 1200.0)


def _path(values: Sequence[float | None], top: float) -> str:
    room = WIDTH / max(1, len(values))
    pieces: list[str] = []
    before = False
    for number, value in enumerate(values):
        if value is not None:
            x, y = _round((number + 0.5) * room), _round(HEIGHT * (1 - value / top))
            # A day alone is a dot: a line of no length with round ends.
            pieces.append(f"L{x} {y}" if before else f"M{x} {y}h0")
        before = value is not None
    return "".join(pieces)


def _round(value: float) -> float:
    return round(value, 1)
