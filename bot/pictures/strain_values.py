"""A trait's values by strain: sorted bars with standard errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.pictures.canvas import BLUE, HEIGHT_IN, INK, SMALL_PT, drawable, finish, name_axes, new_figure, plain, write
from bot.pictures.figures import shown_number
from bot.pictures.picture import Picture, label
from bot.statistics import summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_STRAINS = 2000
NAMED = 44  # so many names can be read below the bars; of more, the outermost are named
OUTERMOST = 3
NAME_CHARS = 16
ZERO_SHARE = 0.4  # bars begin at zero if the values spread over this share of the way to it


@dataclass(frozen=True, slots=True)
class StrainValue:
    """A strain's value; `se` is its standard error or None, `n` the number of cases or None."""

    name: str
    value: float
    se: float | None = None
    n: int | None = None


def strain_values(title: str, values: Sequence[StrainValue], unit: str) -> Picture:
    """Draw sorted bars.

    Args:
        title: Of the trait.
        values: At most `MAX_STRAINS`, in any order.
        unit: What the values are, such as "log2 expression"; may be "".

    Raises:
        ValueError: If there are no values, too many, or one is no finite number.
    """
    if not 0 < len(values) <= MAX_STRAINS:
        raise ValueError(f"{len(values)} strains")
    ordered = sorted(values, key=lambda one: (one.value, one.name))
    figures = summarise([one.value for one in ordered])
    errors = [one.se if one.se is not None and math.isfinite(one.se) and one.se > 0 else 0.0 for one in ordered]
    named = len(ordered) <= NAMED
    figure, axes = new_figure(title, height_in=HEIGHT_IN + (0.6 if named else 0))
    lowest = min(one.value - error for one, error in zip(ordered, errors, strict=True))
    highest = max(one.value + error for one, error in zip(ordered, errors, strict=True))
    base = _base(lowest, highest)
    positions = range(len(ordered))
    axes.bar(positions, [one.value - base for one in ordered], 0.8, base, color=BLUE, linewidth=0)
    if any(errors):
        axes.errorbar(
            positions,
            [one.value for one in ordered],
            yerr=errors,
            fmt="none",
            ecolor=INK,
            elinewidth=1.2 if named else 0.6,
            capsize=2 if named else 0,
        )
    # Room above for what is written there.
    margin, room = (share * ((highest - max(base, lowest, 0.0)) or abs(highest) or 1.0) for share in (0.06, 0.3))
    if base:
        axes.set_ylim(*((base, highest + room) if base > 0 else (lowest - margin, base + room)))
    else:
        axes.set_ylim(min(0.0, lowest - margin if lowest < 0 else 0.0), max(0.0, highest) + room)
    axes.set_xlim(-0.8, len(ordered) - 0.2)
    axes.axhline(figures.mean, color=INK, linewidth=1, linestyle="--")
    cut = f", axis begins at {shown_number(base, 3)}" if base else ""
    outermost = _name_strains(axes, [one.name for one in ordered], named=named)
    name_axes(axes, "" if named else f"{len(ordered)} strains in order of their values", f"{unit or 'value'}{cut}")
    write(axes, 0.02, 0.99, f"n = {figures.n}, mean {shown_number(figures.mean)} (dashed){outermost}")
    bars = " with standard errors" if any(errors) else ""
    alt = (
        f"Bar chart of {label(title, 200)}: {figures.n} strains sorted by value{bars}, from "
        f"{shown_number(figures.smallest)} ({label(ordered[0].name, NAME_CHARS)}) to {shown_number(figures.largest)} "
        f"({label(ordered[-1].name, NAME_CHARS)}), mean {shown_number(figures.mean)}{cut}."
    )
    caption = f"Values of {figures.n} strains, sorted{'; bars show mean ± SE' if any(errors) else ''}."
    return finish(figure, title=title, alt=alt, caption=caption)


def _base(lowest: float, highest: float) -> float:
    """Where the bars begin: zero, or nearer where the values lie close together and far from it."""
    if lowest <= 0 <= highest:
        return 0.0
    near, far = (lowest, highest) if lowest > 0 else (highest, lowest)
    if abs(far - near) >= ZERO_SHARE * abs(far) or far == near:
        return 0.0
    step = float(10 ** math.floor(math.log10(abs(far - near)))) / 2
    rounded = math.floor((abs(near) - 0.1 * abs(far - near)) / step) * step
    return math.copysign(rounded, near) if rounded > 0 else 0.0


def _name_strains(axes: Axes, names: Sequence[str], *, named: bool) -> str:
    """Name the bars; where there are too many, returns words that name the outermost."""
    if named:
        axes.set_xticks(range(len(names)))
        texts = [drawable(label(name, NAME_CHARS)) for name in names]
        size = SMALL_PT if len(names) > NAMED // 2 else SMALL_PT + 2
        for text in axes.set_xticklabels(texts, rotation=90, fontsize=size, parse_math=False):
            plain(text)
        return ""
    axes.set_xticks([])
    lowest, highest = (
        ", ".join(label(name, NAME_CHARS) for name in part) for part in (names[:OUTERMOST], names[-OUTERMOST:])
    )
    return f"\nlowest: {lowest}\nhighest: {highest}"
