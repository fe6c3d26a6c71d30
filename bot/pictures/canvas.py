"""The look that all pictures share: an opaque panel, colours, letters; and the PNG file.

A chat may be light or dark, and a picture cannot know. So each brings its own light panel with a border. The colours
are those of Okabe and Ito (https://jfly.uni-koeln.de/color/) that differ for every kind of colour vision and stand out
from the panel by 3 to 1 at least, the least that WCAG 2.2 (1.4.11) asks of graphics; letters do by 4.5 to 1 (1.4.3).
"""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING

from bot.pictures.picture import MAX_BYTES, MAX_WIDTH, Picture, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

PANEL = "#ffffff"
INK = "#1a1a1a"
FAINT = "#595959"
GRID = "#d9d9d9"
BORDER = "#8c8c8c"
BLUE = "#0072b2"
VERMILLION = "#d55e00"
GREEN = "#00795a"  # Okabe and Ito's bluish green, darker by a quarter to stand out

DPI = 160
WIDTH_IN = 8.0  # 1,280 pixels
HEIGHT_IN = 5.0
TITLE_PT = 15
TEXT_PT = 13  # a phone shows 1,280 pixels on about 390: letters of 13 pt are then as high as those of 9 px
SMALL_PT = 10
TITLE_CHARS = 140
TITLE_PX = 1100  # of the width, beside the numbers of the axis and the margins
LABEL_CHARS = 60
REMARK_CHARS = 80


def new_figure(title: str, *, height_in: float = HEIGHT_IN) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes in the common look.

    Args:
        title: Stands above the axes; anything.
        height_in: Height in inches, at `DPI` pixels each.
    """
    prepare()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    figure = Figure((WIDTH_IN, height_in), DPI, facecolor=PANEL, edgecolor=BORDER, linewidth=2, layout=layout)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor=PANEL)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=TEXT_PT - 1, color=FAINT)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    lines = "\n".join(_lines(drawable(label(title, TITLE_CHARS))))
    plain(axes.set_title(lines, loc="left", fontsize=TITLE_PT, color=INK, pad=10))
    return figure, axes


def _lines(title: str) -> list[str]:
    """Return a title in at most two lines that fit the picture; what is left out ends with an ellipsis."""
    words = title.split(" ")
    first = ""
    while words and _width_px(f"{first} {words[0]}") <= TITLE_PX:
        first = f"{first} {words.pop(0)}".strip()
    rest = " ".join(words)
    if not rest:
        return [first]
    if _width_px(rest) > TITLE_PX:
        while rest and _width_px(f"{rest}…") > TITLE_PX:
            rest = rest[:-1]
        rest = f"{rest.rstrip()}…"
    return [first, rest] if first else [rest]


def _width_px(text: str) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    # In points, as if drawn at 72 pixels an inch.
    return text_to_path.get_text_width_height_descent(text, FontProperties(size=TITLE_PT), ismath=False)[0] * DPI / 72


def name_axes(axes: Axes, x: str, y: str, remark: str = "") -> None:
    """Write what the axes stand for, and below that a remark; anything."""
    lines = "\n".join(
        drawable(label(line, REMARK_CHARS if place else LABEL_CHARS)) for place, line in enumerate((x, remark)) if line
    )
    plain(axes.set_xlabel(lines, fontsize=TEXT_PT, color=INK))
    plain(axes.set_ylabel(drawable(label(y, LABEL_CHARS)), fontsize=TEXT_PT, color=INK))


def write(axes: Axes, x: float, y: float, text: str, *, right: bool = False, colour: str = INK) -> None:
    """Write into the axes at a share of their width and height, on a scrap of the panel so that it can be read.

    Args:
        axes: Where.
        x: Share of the width, 0 to 1.
        y: Share of the height, 0 to 1, of the text's top.
        text: What; line ends count, everything else is as it is.
        right: Whether it ends at `x` rather than beginning there.
        colour: Of the letters.
    """
    lines = "\n".join(drawable(label(line, LABEL_CHARS)) for line in text.split("\n"))
    plain(
        axes.text(
            x,
            y,
            lines,
            transform=axes.transAxes,
            ha="right" if right else "left",
            va="top",
            fontsize=TEXT_PT - 1,
            color=colour,
            bbox={"facecolor": PANEL, "edgecolor": "none", "alpha": 0.9, "pad": 2},
            zorder=10,
        )
    )


def plain(text: Text) -> None:
    """Take a text as it is: a dollar sign begins no formula."""
    text.set_parse_math(False)


def finish(figure: Figure, *, title: str, alt: str, caption: str) -> Picture:
    """Return the file.

    Raises:
        ValueError: If it is too large, which the bounds of what is drawn exclude.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor=PANEL, edgecolor=BORDER, metadata={"Software": "Locus"})
    width, height = (round(inches * DPI) for inches in figure.get_size_inches())
    png = buffer.getvalue()
    if len(png) > MAX_BYTES or width > MAX_WIDTH:
        raise ValueError(f"a picture of {len(png)} bytes and {width} pixels")
    return Picture(png, width, height, label(alt, 1000), label(title, TITLE_CHARS), label(caption, 400))


@cache
def prepare() -> None:
    """Load matplotlib without the settings of whoever runs this: they could set texts by TeX, or load fonts."""
    import matplotlib as mpl

    mpl.rcdefaults()


def drawable(text: str) -> str:
    """Return a text with a question mark for each character that the font does not have."""
    letters = _letters()
    return "".join(char if ord(char) in letters or char == "\n" else "?" for char in text)


@cache
def _letters() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties())).get_charmap())


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours like "#0072b2", 1 to 21.

    Source:
        WCAG 2.2, "contrast ratio" and "relative luminance".
    """
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
