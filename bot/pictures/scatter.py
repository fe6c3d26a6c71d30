"""Two traits against each other, strain by strain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.pictures.canvas import BLUE, GRID, PANEL, VERMILLION, finish, name_axes, new_figure, write
from bot.pictures.figures import shown_number, shown_p
from bot.pictures.picture import Picture, label
from bot.statistics import Correlation, correlate

MAX_POINTS = 5000


@dataclass(frozen=True, slots=True)
class Variable:
    """One of the two traits: its name with unit, and its values."""

    name: str
    values: Sequence[float]


def scatter(title: str, x: Variable, y: Variable) -> Picture:
    """Draw one variable against another, with r, rho, n and p, and the line of least squares.

    Args:
        title: Stands above.
        x: Across.
        y: Upwards; its values belong to those of `x`, one by one.

    Raises:
        ValueError: If there are no pairs or too many, or a value is no finite number.
    """
    if not 0 < len(x.values) <= MAX_POINTS:
        raise ValueError(f"{len(x.values)} pairs")
    found = correlate(x.values, y.values)
    xs, ys = np.asarray(x.values, dtype=np.float64), np.asarray(y.values, dtype=np.float64)
    figure, axes = new_figure(title, height_in=5.6)
    axes.plot(xs, ys, "o", color=BLUE, markersize=9 if len(xs) < 200 else 5, markeredgecolor=PANEL, markeredgewidth=0.8)
    if found is not None:
        slope = found.r * float(np.std(ys) / np.std(xs))
        ends = np.array([xs.min(), xs.max()])
        axes.plot(ends, float(ys.mean()) + slope * (ends - float(xs.mean())), color=VERMILLION, linewidth=2.5)
    low, high = float(ys.min()), float(ys.max())
    span = (high - low) or abs(high) or 1.0
    axes.set_ylim(low - 0.06 * span, high + 0.3 * span)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    name_axes(axes, x.name, y.name)
    said = correlation_text(found, len(xs))
    write(axes, 0.02, 0.99, said.replace("; ", "\n"))
    alt = f"Scatter plot of {label(y.name, 200)} against {label(x.name, 200)} for {len(xs)} strains: {said}."
    return finish(
        figure, title=title, alt=alt, caption=f"Each point is a strain; the line is of least squares. {said}."
    )


def correlation_text(found: Correlation | None, n: int) -> str:
    """Return a correlation as people write it, or that there is none."""
    if found is None:
        return f"n = {n}: too few pairs, or no spread, for a correlation"
    r, rho = (0.0 if math.isclose(one, 0, abs_tol=5e-4) else one for one in (found.r, found.rho))
    return (
        f"Pearson r = {shown_number(round(r, 3))}, {shown_p(found.p)}; "
        f"Spearman rho = {shown_number(round(rho, 3))}, {shown_p(found.rho_p)}; n = {n}"
    )
