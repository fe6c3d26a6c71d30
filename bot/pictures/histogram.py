"""How a trait's values are spread, with a hint whether a normal distribution fits them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bot.pictures.canvas import BLUE, PANEL, VERMILLION, finish, name_axes, new_figure, write
from bot.pictures.figures import shown_number, shown_p
from bot.pictures.picture import Picture, label
from bot.statistics import MIN_NORMALITY_N, normality, summarise

MAX_VALUES = 100_000
MAX_BINS = 40
SIGNIFICANT = 0.05


def histogram(title: str, values: Sequence[float], unit: str) -> Picture:
    """Draw a histogram with the normal curve of the same mean and standard deviation.

    Args:
        title: Of the trait.
        values: 1 to `MAX_VALUES`.
        unit: What the values are; may be "".

    Raises:
        ValueError: If there are none or too many, or one is no finite number.
    """
    if len(values) > MAX_VALUES:
        raise ValueError(f"{len(values)} values")
    figures = summarise(values)
    array = np.asarray(values, dtype=np.float64)
    counts, edges = np.histogram(array, bins=_bins(array))
    figure, axes = new_figure(title)
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=BLUE, edgecolor=PANEL, linewidth=1)
    if figures.n > 2 and figures.sd > 0:
        x = np.linspace(edges[0], edges[-1], 200)
        density = np.exp(-(((x - figures.mean) / figures.sd) ** 2) / 2) / (figures.sd * math.sqrt(2 * math.pi))
        axes.plot(x, density * figures.n * (edges[1] - edges[0]), color=VERMILLION, linewidth=2.5)
    axes.set_ylim(0, float(counts.max()) * 1.45)
    name_axes(axes, unit or "value", "number of strains")
    hint = normality_hint(values)
    spread = f", SD {shown_number(figures.sd)}" if figures.n > 1 else ""
    write(axes, 0.02, 0.99, f"n = {figures.n}, mean {shown_number(figures.mean)}{spread}\n{hint}")
    alt = (
        f"Histogram of {label(title, 200)}: {figures.n} values from {shown_number(figures.smallest)} to "
        f"{shown_number(figures.largest)}, mean {shown_number(figures.mean)}, "
        f"median {shown_number(figures.median)}{spread}; {hint}."
    )
    return finish(
        figure,
        title=title,
        alt=alt,
        caption=f"Distribution of {figures.n} values; the line is a normal curve. {hint[:1].upper()}{hint[1:]}.",
    )


def normality_hint(values: Sequence[float]) -> str:
    """Return in a few words whether a normal distribution fits, with the test's name; raises as `summarise`."""
    if len(values) < MIN_NORMALITY_N:
        return f"too few values to test for normality (fewer than {MIN_NORMALITY_N})"
    p = normality(values)
    if p is None:
        return "all values are the same"
    finding = "not normal" if p < SIGNIFICANT else "no evidence against a normal distribution"
    return f"{finding}: D'Agostino–Pearson {shown_p(p)}"


def _bins(array: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int:
    """Return the number of bins, by the rule of Freedman and Diaconis (1981) within 1 and `MAX_BINS`."""
    span = float(array.max() - array.min())
    if span <= 1e-12 * float(np.max(np.abs(array))):
        return 1
    quarter, three = np.percentile(array, [25, 75])
    width = 2 * float(three - quarter) / len(array) ** (1 / 3)
    return min(MAX_BINS, max(5, math.ceil(span / width))) if width > 0 else 10
