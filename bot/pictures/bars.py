"""How many things of each kind there are, as horizontal bars with their numbers."""

from __future__ import annotations

from collections.abc import Sequence

from bot.pictures.canvas import BLUE, INK, TEXT_PT, drawable, finish, new_figure, plain
from bot.pictures.picture import Picture, label

MAX_BARS = 12  # further ones are one bar together
BAR_IN = 0.42  # height of a bar's row
FRAME_IN = 1.2
NAME_CHARS = 28


def bars(title: str, counts: Sequence[tuple[str, int]], unit: str) -> Picture:
    """Draw one bar for each of some counts.

    Args:
        title: Stands above them.
        counts: Names with whole numbers above 0, in the order from top to bottom; at least one.
        unit: What is counted, such as "new datasets".

    Raises:
        ValueError: If there are no counts, or one is not above 0.
    """
    if not counts or min(count for _, count in counts) <= 0:
        raise ValueError("no counts above 0")
    shown = list(counts) if len(counts) <= MAX_BARS else list(counts[: MAX_BARS - 1])
    rest = len(counts) - len(shown)
    if rest:
        shown.append((f"{rest} others", sum(count for _, count in counts[len(shown) :])))
    figure, axes = new_figure(title, height_in=FRAME_IN + BAR_IN * max(2, len(shown)))
    places = range(len(shown))
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(length=0)
    axes.barh(places, [count for _, count in shown], height=0.7, color=BLUE)
    names = [drawable(label(name, NAME_CHARS)) for name, _ in shown]
    axes.set_yticks(places, names)
    axes.set_xticks([])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(count for _, count in shown))
    for tick in axes.get_yticklabels():
        plain(tick)
        tick.set_fontsize(TEXT_PT)
    for place, (_, count) in zip(places, shown, strict=True):
        plain(
            axes.annotate(
                f"{count:,}",
                (count, place),
                (5, 0),
                textcoords="offset points",
                va="center",
                fontsize=TEXT_PT,
                color=INK,
            )
        )
    total = sum(count for _, count in counts)
    listed = ", ".join(f"{label(name, NAME_CHARS)} {count:,}" for name, count in shown)
    alt = f"Bar chart of {total:,} {unit}: {listed}."
    return finish(figure, title=title, alt=alt, caption=f"{total:,} {unit}.")
