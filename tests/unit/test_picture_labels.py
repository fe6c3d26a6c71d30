"""What is written in pictures, and that all of it is within them."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from bot.pictures import (
    MarkerScore,
    Picture,
    StrainValue,
    Threshold,
    Variable,
    canvas,
    genome_scan,
    histogram,
    scatter,
    strain_values,
)
from bot.pictures.bars import bars


@pytest.mark.parametrize(
    ("module", "draw", "labels"),
    [
        (
            "genome_scan",
            lambda: genome_scan("T", [MarkerScore("rs1", "1", 3.0, 4.2), MarkerScore("rs2", "X", 5.0, 1.0)],
                                assembly="mm10", thresholds=[Threshold("p = 0.05", 3.1)], remark="a remark"),
            ("T", "1", "X", "rs1\nChr 1: 3.00 Mb\nLOD 4.2", "LOD", "position by chromosome (Mb, mm10)\na remark",
             "p = 0.05"),
        ),
        (
            "strain_values",
            lambda: strain_values("T", [StrainValue("BXD1", 1.0, 0.1, 3), StrainValue("BXD2", 2.0, None, None)], "mg"),
            ("T", "BXD1", "BXD2", "mg"),
        ),
        ("histogram", lambda: histogram("T", [1.0, 2.0, 3.0], "mg"), ("T", "mg", "number of strains")),
        (
            "scatter",
            lambda: scatter("T", Variable("x [mg]", [1, 2, 3, 4, 5]), Variable("y", [2, 1, 4, 3, 5])),
            ("T", "x [mg]", "y", "Pearson r = 0.8, p = 0.1\nSpearman rho = 0.8, p = 0.1\nn = 5"),
        ),
        ("bars", lambda: bars("T", [("BXD", 12), ("HXBBXH", 3)], "new datasets"), ("T", "BXD", "HXBBXH", "12", "3")),
    ],
)  # fmt: skip
def test_what_is_written_in_a_picture(
    monkeypatch: pytest.MonkeyPatch, module: str, draw: Callable[[], Picture], labels: tuple[str, ...]
) -> None:
    """Title, axes, names and figures are drawn, and all of them within the picture."""
    written: dict[str, tuple[float, float, float, float]] = {}
    sizes: list[tuple[float, float]] = []

    def finish(figure: Figure, *, title: str, alt: str, caption: str) -> Picture:
        picture = canvas.finish(figure, title=title, alt=alt, caption=caption)
        sizes.append((picture.width, picture.height))
        for text in figure.findobj(Text):
            if text.get_visible() and text.get_text():
                written[text.get_text()] = text.get_window_extent().extents
        return picture

    monkeypatch.setattr(sys.modules[f"bot.pictures.{module}"], "finish", finish)
    draw()
    (width, height) = sizes[0]

    assert [] == [label for label in labels if label not in written]
    assert [] == [
        label
        for label in labels
        if not (0 <= written[label][0] <= written[label][2] <= width)
        or not (0 <= written[label][1] <= written[label][3] <= height)
    ]
