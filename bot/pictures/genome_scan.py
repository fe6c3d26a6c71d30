"""A genome scan: the score of each marker along the chromosomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from bot.pictures.canvas import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    PANEL,
    TEXT_PT,
    VERMILLION,
    drawable,
    finish,
    name_axes,
    new_figure,
    plain,
)
from bot.pictures.figures import shown_number
from bot.pictures.picture import Picture, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Score = Literal["LOD", "−log10 p"]
MAX_MARKERS = 1_000_000
MAX_CHROMOSOMES = 120
COLUMNS = 1500  # no picture is wider: of markers in one column the highest and the lowest are drawn
_GAP_SHARE = 0.006  # of the genome, between chromosomes
_SEXUAL = {"X": 1, "Y": 2, "XY": 3, "M": 4, "MT": 4}


@dataclass(frozen=True, slots=True)
class MarkerScore:
    """A marker: its chromosome ("1", "X"), position in megabases and score."""

    name: str
    chromosome: str
    position_mb: float
    score: float


@dataclass(frozen=True, slots=True)
class Threshold:
    """A line across the scan, such as ("significant, p = 0.05 of 1,000 permutations", 3.4)."""

    name: str
    score: float


def genome_scan(
    title: str,
    markers: Sequence[MarkerScore],
    *,
    score: Score = "LOD",
    assembly: str = "",
    thresholds: Sequence[Threshold] = (),
    remark: str = "",
) -> Picture:
    """Draw the scan with its highest peak named.

    Args:
        title: Of the trait.
        markers: 1 to `MAX_MARKERS`, in any order.
        score: What is drawn upwards.
        assembly: Of the positions, such as "mm10"; may be "".
        thresholds: Lines across; none is made up.
        remark: A line below the axis, such as why there is no threshold; may be "".

    Raises:
        ValueError: If there are no markers or too many, or a number is not finite.
    """
    if not 0 < len(markers) <= MAX_MARKERS:
        raise ValueError(f"{len(markers)} markers")
    positions = np.array([one.position_mb for one in markers], dtype=np.float64)
    scores = np.array([one.score for one in markers], dtype=np.float64)
    if not (np.isfinite(positions).all() and np.isfinite(scores).all()):
        raise ValueError("a position or score is no finite number")
    peak = markers[int(scores.argmax())]
    figure, axes = new_figure(title)
    middle = _draw_chromosomes(axes, [one.chromosome for one in markers], positions, scores, peak)
    top = max(float(scores.max()), *(one.score for one in thresholds), 0.0) or 1.0
    axes.set_ylim(min(0.0, float(scores.min())), top * 1.36)
    for threshold in thresholds:
        _draw_threshold(axes, threshold)
    _name_peak(axes, peak, middle, score)
    where = f"position by chromosome (Mb, {assembly})" if assembly else "position by chromosome (Mb)"
    name_axes(axes, where, score, remark)
    said = (
        f"highest at {label(peak.name, 40)} on chromosome {label(peak.chromosome, 10)} at "
        f"{peak.position_mb:.2f} Mb with {score} {shown_number(peak.score, 3)}"
    )
    lines = "".join(f"; line at {shown_number(one.score, 3)}: {label(one.name, 60)}" for one in thresholds)
    alt = f"Genome scan of {label(title, 200)}: {len(markers):,} markers, {said}{lines}."
    more = f" There is {label(remark, 100)}." if remark else ""
    return finish(figure, title=title, alt=alt + more, caption=f"{score} along the genome, {said}.")


def _draw_chromosomes(
    axes: Axes,
    chromosomes: Sequence[str],
    positions: NDArray[np.float64],
    scores: NDArray[np.float64],
    peak: MarkerScore,
) -> float:
    """Draw one line for each chromosome; returns where the peak is across, as a share of the whole."""
    names, which = np.unique(np.array(chromosomes, dtype=object).astype(str), return_inverse=True)
    order = sorted(range(len(names)), key=lambda one: chromosome_order(str(names[one])))[:MAX_CHROMOSOMES]
    chosen = [np.flatnonzero(which == one) for one in order]
    lengths = [float(positions[part].max()) or 1.0 for part in chosen]
    total = sum(lengths)
    gap = total * _GAP_SHARE
    begin, peak_at = 0.0, 0.0
    ticks: list[float] = []
    for number, (part, length) in enumerate(zip(chosen, lengths, strict=True)):
        part = part[np.argsort(positions[part], kind="stable")]
        part = part[_visible(positions[part], scores[part], total / COLUMNS)]
        colour = GREEN if number % 2 else BLUE
        style = "-" if len(part) > 1 else "o"
        axes.plot(begin + positions[part], scores[part], style, color=colour, linewidth=1.8, markersize=4)
        if number:
            axes.axvline(begin - gap / 2, color="#bfbfbf", linewidth=0.8, zorder=0)
        if str(names[order[number]]) == peak.chromosome:
            peak_at = begin + peak.position_mb
            axes.plot([peak_at], [peak.score], "v", color=VERMILLION, markersize=9, zorder=5)
        ticks.append(begin + length / 2)
        begin += length + gap
    axes.set_xlim(-gap, begin)
    axes.set_xticks(ticks)
    axes.tick_params(axis="x", length=0)
    size = TEXT_PT - 2 if len(order) <= 26 else 7
    texts = [drawable(label(str(names[one]), 6)) for one in order]
    for position, text in enumerate(axes.set_xticklabels(texts, fontsize=size, parse_math=False)):
        plain(text)
        # Small chromosomes at the end of a genome lie close together.
        if position % 2 and len(order) > 12:
            text.set_y(-0.035)
    return (peak_at + gap) / (begin + gap)


def _visible(positions: NDArray[np.float64], scores: NDArray[np.float64], column: float) -> NDArray[np.intp]:
    """Return the markers that can be told apart: of each column the highest and the lowest, in order."""
    if len(positions) <= 2:
        return np.arange(len(positions))
    columns = np.floor(positions / column)
    starts = np.flatnonzero(np.r_[True, columns[1:] != columns[:-1]])
    order = np.lexsort((scores, columns))
    ends = np.r_[starts[1:], len(positions)] - 1
    return np.unique(np.concatenate((order[starts], order[ends])))


def chromosome_order(name: str) -> tuple[int, int, str]:
    """Sort key of a chromosome's name: numbers, then X, Y and mitochondria, then others by name."""
    if name.isascii() and name.isdigit() and len(name) < 10:
        return (0, int(name), "")
    return (1, _SEXUAL.get(name.upper(), 9), name)


def _draw_threshold(axes: Axes, threshold: Threshold) -> None:
    axes.axhline(threshold.score, color=FAINT, linewidth=1.6, linestyle="--")
    plain(
        axes.text(
            0.995,
            threshold.score,
            drawable(label(threshold.name, 60)),
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="bottom",
            fontsize=TEXT_PT - 2,
            color=INK,
            bbox={"facecolor": PANEL, "edgecolor": "none", "alpha": 0.85, "pad": 1},
        )
    )


def _name_peak(axes: Axes, peak: MarkerScore, across: float, score: str) -> None:
    side = "left" if across < 0.3 else "right" if across > 0.7 else "center"
    place = f"Chr {label(peak.chromosome, 6)}: {peak.position_mb:.2f} Mb"
    plain(
        axes.annotate(
            drawable(f"{label(peak.name, 24)}\n{place}\n{score} {shown_number(peak.score, 3)}"),
            (across, peak.score),
            xycoords=("axes fraction", "data"),
            xytext=(0, 12),
            textcoords="offset points",
            ha=side,
            va="bottom",
            fontsize=TEXT_PT - 1,
            color=INK,
            bbox={"facecolor": PANEL, "edgecolor": "none", "alpha": 0.9, "pad": 2},
            annotation_clip=False,
            zorder=10,
        )
    )
