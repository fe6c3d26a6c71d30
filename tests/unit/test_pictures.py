"""Pictures of data: what they say, how they look, and what they cost."""

from __future__ import annotations

import asyncio
import io
import math
import random
import struct
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.text import Text
from numpy.typing import NDArray

from bot.pictures import (
    Drawing,
    MarkerScore,
    Picture,
    StrainValue,
    Threshold,
    Variable,
    genome_scan,
    histogram,
    scatter,
    strain_values,
)
from bot.pictures.canvas import BLUE, BORDER, FAINT, GREEN, INK, PANEL, VERMILLION, contrast, new_figure
from bot.pictures.figures import shown_number, shown_p
from bot.pictures.genome_scan import chromosome_order
from bot.pictures.picture import MAX_BYTES, MAX_WIDTH
from tests.hostile_texts import hostile_texts

DARK, LIGHT = "#1a1d21", "#ffffff"  # what chats have behind pictures


def markers(count: int) -> list[MarkerScore]:
    """Markers of a mouse with a peak of 6 on chromosome 4."""
    chance = random.Random(3)
    names = [*map(str, range(1, 20)), "X"]
    scan = [
        MarkerScore(f"rs{number}", names[number % 20], chance.uniform(3, 190), abs(chance.gauss(0, 0.6)))
        for number in range(count - 1)
    ]
    return [*scan, MarkerScore("rs48756159", "4", 58.5, 6.25)]


def strains(count: int) -> list[StrainValue]:
    """Values of the BXD family with standard errors."""
    chance = random.Random(5)
    return [StrainValue(f"BXD{number}", chance.gauss(9, 0.4), chance.uniform(0.02, 0.2), 4) for number in range(count)]


def pixels(picture: Picture) -> NDArray[np.float64]:
    """Return the picture's pixels, height by width by RGBA, 0 to 1."""
    from matplotlib.image import imread

    return np.asarray(imread(io.BytesIO(picture.png), format="png"), dtype=np.float64)


ALL: list[Callable[[str], Picture]] = [
    lambda title: strain_values(title, strains(30), title),
    lambda title: strain_values(title, [StrainValue(title, 1.5), StrainValue(title, -2.0, 0.3)], title),
    lambda title: histogram(title, [one.value for one in strains(60)], title),
    lambda title: scatter(title, Variable(title, [1, 2, 3, 5]), Variable(title, [2, 3, 1, 8])),
    lambda title: genome_scan(
        title,
        [MarkerScore(title, "1", 3, 2), MarkerScore(title, title, 4, 1)],
        assembly=title,
        thresholds=[Threshold(title, 3.3)],
    ),
]


@pytest.mark.parametrize("draw", ALL)
def test_every_picture_is_bounded_and_described(draw: Callable[[str], Picture]) -> None:
    """A picture is a PNG of the size it says, within the bounds, with a title, a caption and words for it."""
    picture = draw("Cerebellum weight")

    assert picture.png.startswith(b"\x89PNG\r\n\x1a\n")
    assert (picture.width, picture.height) == struct.unpack(">II", picture.png[16:24])
    assert picture.width <= MAX_WIDTH
    assert len(picture.png) < MAX_BYTES
    assert "Cerebellum weight" in picture.alt
    assert "Cerebellum weight" == picture.title
    assert picture.caption.endswith(".")


@pytest.mark.parametrize("draw", ALL)
def test_every_picture_is_opaque_on_its_own_panel(draw: Callable[[str], Picture]) -> None:
    """No pixel lets the chat's background through, most are the panel, and the letters are dark on it."""
    image = pixels(draw("Cerebellum weight"))

    assert bool((image[..., 3] == 1).all())
    assert 0.3 < float((image[..., :3] > 0.99).all(axis=2).mean())
    assert float(image[..., :3].max(axis=2).min()) < 0.25


def test_colours_stand_out_from_the_panel_and_the_panel_from_the_chat() -> None:
    """Letters have a contrast of 4.5 to the panel, graphics of 3, and the border is seen in light and dark chats."""
    assert min(contrast(colour, PANEL) for colour in (INK, FAINT)) >= 4.5
    assert min(contrast(colour, PANEL) for colour in (BLUE, VERMILLION, GREEN)) >= 3
    assert contrast(BORDER, LIGHT) >= 3
    assert contrast(PANEL, DARK) >= 3


@pytest.mark.parametrize("kind", ["protanopia", "deuteranopia"])
def test_colours_differ_for_those_who_see_fewer(kind: str) -> None:
    """The line and the mark on it stay apart without red or green cones (matrices of Viénot, Brettel, Mollon 1999)."""
    red, green = {"protanopia": (0.11238, 0.88762), "deuteranopia": (0.29275, 0.70725)}[kind]

    def seen(colour: str) -> NDArray[np.float64]:
        r, g, b = ((int(colour[at : at + 2], 16) / 255) ** 2.2 for at in (1, 3, 5))
        return np.array([red * r + green * g, red * r + green * g, b]) ** (1 / 2.2)

    for first, second in ((BLUE, VERMILLION), (GREEN, VERMILLION), (BLUE, GREEN)):
        assert float(np.abs(seen(first) - seen(second)).max()) > 0.1


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(hostile_texts, st.text(max_size=300), st.just(r"$\frac{1}{0}$ $x^2 \write18{ls} \N{BULLET}")))
def test_any_label_can_be_drawn(title: str) -> None:
    """Formulas, markup, controls, letters the font lacks and very long names are drawn as text and change no size."""
    for draw in ALL:
        picture = draw(title)

        assert (1280, True) == (picture.width, len(picture.png) < MAX_BYTES)
        assert not any(ord(char) < 32 for char in picture.alt + picture.title + picture.caption)


def test_a_dollar_begins_no_formula() -> None:
    """Between dollar signs the letters are drawn as they are, so that two titles of one formula's value differ."""
    first, second = (histogram(title, [1, 2, 3], "") for title in ("$a$", "$ a $"))

    assert first.png != second.png


def test_genome_scan_names_the_peak_and_no_threshold_of_its_own() -> None:
    """The highest marker is named with chromosome, position and score; lines are described only if they were given."""
    plain = genome_scan("BXD_10001", markers(2000), assembly="mm10")
    lined = genome_scan("BXD_10001", markers(2000), thresholds=[Threshold("p = 0.05 of 1,000 permutations", 3.4)])

    assert "2,000 markers, highest at rs48756159 on chromosome 4 at 58.50 Mb with LOD 6.25." in plain.alt
    assert "line at" not in plain.alt
    assert "line at 3.4: p = 0.05 of 1,000 permutations" in lined.alt


def test_genome_scan_takes_chromosomes_in_their_order() -> None:
    """Chromosomes go by number, then X, Y, M, then anything else by name."""
    names = ["10", "M", "2", "X", "Un_1", "1", "Y"]

    assert ["1", "2", "10", "X", "Y", "M", "Un_1"] == sorted(names, key=chromosome_order)


def test_genome_scan_keeps_every_peak_however_many_markers() -> None:
    """A single high marker among a million neighbours is still drawn up to its height."""
    dense = [MarkerScore(f"m{number}", "1", number / 1000, 0.1) for number in range(100_000)]
    dense[45_678] = MarkerScore("peak", "1", 45.678, 9.0)
    flat = genome_scan("t", [*dense[:45_678], *dense[45_679:]], thresholds=[Threshold("", 9.0)])
    drawn = genome_scan("t", dense, thresholds=[Threshold("", 9.0)])
    middle = slice(200, 600)

    def blue(picture: Picture) -> int:
        image = pixels(picture)[middle]
        return int(((image[..., 2] > 0.5) & (image[..., 0] < 0.3)).sum())

    assert blue(drawn) - blue(flat) > 300


def test_strain_values_say_where_the_axis_begins() -> None:
    """Bars that do not begin at zero say so, on the axis and in words; those that do, and negative ones, do not."""
    close = strain_values("Shh", strains(20), "log2")
    wide = strain_values("weight", [StrainValue("A", 10.0), StrainValue("B", 40.0)], "mg")
    negative = strain_values("change", [StrainValue("A", -3.0), StrainValue("B", 1.0)], "mg")

    assert "axis begins at 7.5" in close.alt
    assert "axis begins" not in wide.alt + negative.alt


def test_strain_values_are_sorted_and_counted() -> None:
    """The description names the lowest and the highest strain, the number of strains and their mean."""
    picture = strain_values("weight", [StrainValue("C", 3.0), StrainValue("A", 1.0, 0.2), StrainValue("B", 2.0)], "mg")

    assert (
        "Bar chart of weight: 3 strains sorted by value with standard errors, from 1 (A) to 3 (C), mean 2."
        == picture.alt
    )


def test_histogram_gives_a_hint_on_normality() -> None:
    """The hint names the test and its p, and says so where the values are too few or all the same."""
    chance = random.Random(1)

    assert "not normal: D'Agostino–Pearson p" in histogram("t", [chance.expovariate(1) for _ in range(80)], "").alt
    assert (
        "no evidence against a normal distribution" in histogram("t", [chance.gauss(0, 1) for _ in range(80)], "").alt
    )
    assert "too few values to test" in histogram("t", [1.0, 2.0], "").alt
    assert "all values are the same" in histogram("t", [1.0] * 30, "").alt


def test_scatter_says_r_rho_n_and_p() -> None:
    """A plot of two traits gives both coefficients with their p, and the number of strains."""
    picture = scatter("t", Variable("x", [1, 2, 3, 4, 5]), Variable("y", [2, 1, 4, 3, 5]))

    assert "Pearson r = 0.8, p = 0.1; Spearman rho = 0.8, p = 0.1; n = 5" in picture.alt
    assert "too few pairs" in scatter("t", Variable("x", [1, 2]), Variable("y", [2, 1])).alt


@pytest.mark.parametrize(
    "draw",
    [
        lambda: strain_values("t", [], ""),
        lambda: strain_values("t", [StrainValue("A", math.nan)], ""),
        lambda: histogram("t", [], ""),
        lambda: histogram("t", [math.inf], ""),
        lambda: scatter("t", Variable("x", [1.0]), Variable("y", [])),
        lambda: genome_scan("t", []),
        lambda: genome_scan("t", [MarkerScore("m", "1", math.nan, 1.0)]),
    ],
)
def test_nothing_to_draw_raises(draw: Callable[[], Picture]) -> None:
    """No values, and values that are no numbers, raise instead of making an empty picture."""
    with pytest.raises(ValueError, match=r".+"):
        draw()


def test_a_single_value_can_be_drawn() -> None:
    """One strain, one value, one pair, one marker and marker scores of zero make pictures too."""
    for picture in (
        strain_values("t", [StrainValue("A", 0.0)], ""),
        strain_values("t", [StrainValue("A", -7.0)], ""),
        histogram("t", [3.0], ""),
        scatter("t", Variable("x", [1.0]), Variable("y", [1.0])),
        genome_scan("t", [MarkerScore("m", "1", 0.0, 0.0)]),
    ):
        assert 1280 == picture.width


async def test_a_scan_of_20000_markers_leaves_the_event_loop_alone() -> None:
    """While a large genome scan is drawn the event loop goes on, and the picture is there in reasonable time."""
    drawing, scan = Drawing(), markers(20_000)
    await drawing.draw(genome_scan, "warm", markers(100))
    begin = time.perf_counter()
    task = asyncio.create_task(drawing.draw(genome_scan, "BXD_10001", scan, assembly="mm10"))
    rounds = 0
    while not task.done():
        await asyncio.sleep(0.001)
        rounds += 1
    picture = await task
    drawing.close()

    assert time.perf_counter() - begin < 15  # 0.3 s on two idle cores, see `make bench BENCH=pictures`
    assert rounds > 10
    assert len(picture.png) < MAX_BYTES


def test_matplotlib_is_loaded_when_the_first_picture_is_drawn() -> None:
    """Importing the package loads no matplotlib, and drawing loads no pyplot and no window system."""
    program = (
        "import sys, bot.pictures\n"
        "assert not any(name.startswith('matplotlib') for name in sys.modules)\n"
        "bot.pictures.histogram('t', [1.0, 2.0], '')\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'tkinter' not in sys.modules\n"
    )

    assert 0 == subprocess.run([sys.executable, "-c", program], timeout=120).returncode


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (9.27909, "9.279"),
        (12.0, "12"),
        (0.0, "0"),
        (-0.000012345, "-1.23e-05"),
        (123456.7, "123,457"),
        (math.nan, "unknown"),
    ],
)
def test_numbers_have_four_digits_that_matter(value: float, shown: str) -> None:
    """Numbers are shown with four significant digits, thousands apart, and never as NaN."""
    assert shown == shown_number(value)


def test_probabilities_are_never_zero() -> None:
    """A probability too small for a float is given as a bound."""
    assert ("p < 1e-300", "p = 0.032", "p = 1.3e-10") == (shown_p(0.0), shown_p(0.0316), shown_p(1.294e-10))


@pytest.mark.parametrize(
    "title",
    [
        "BXD_10001: Central nervous system, morphology: Cerebellum weight, whole, bilateral in adults [mg]",
        "W" * 200,
        "BXD_1: " + "Wide " * 60,
        "short",
    ],
)
def test_a_long_title_ends_within_the_picture(title: str) -> None:
    """It takes a second line, and what is left out is marked."""
    figure, axes = new_figure(title)
    figure.draw_without_rendering()

    drawn = axes.get_title(loc="left")
    right = max(
        text.get_window_extent().x1
        for text in axes.get_children()
        if isinstance(text, Text) and text.get_text() == drawn
    )

    assert right < figure.bbox.width
    assert ("…" in drawn) == (drawn.replace("\n", " ").strip() != title.strip())
    assert drawn.count("\n") <= 1
