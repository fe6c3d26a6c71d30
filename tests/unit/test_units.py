"""Units of GeneNetwork's figures."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.live.units import lod_from_lrs, lrs_from_lod, mean_with_error, position, scale, unit_of


def test_an_lrs_is_461_times_a_lod() -> None:
    """The factor is 2 ln 10, which GeneNetwork's glossary rounds to 4.61."""
    assert pytest.approx(1.0) == lod_from_lrs(2 * math.log(10))
    assert 2.77 == round(lod_from_lrs(12.7711275309832), 2)
    assert pytest.approx(4.605170185988092) == lrs_from_lod(1.0)


@given(st.floats(0, 1e6))
def test_lod_and_lrs_convert_back(lrs: float) -> None:
    """Both ways give the same number again."""
    assert pytest.approx(lrs) == lrs_from_lod(lod_from_lrs(lrs))


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_what_is_no_statistic_raises(value: float) -> None:
    """Negative numbers, NaN and infinity are neither LRS nor LOD."""
    with pytest.raises(ValueError, match="0 on"):
        lod_from_lrs(value)
    with pytest.raises(ValueError, match="0 on"):
        lrs_from_lod(value)


def test_positions_name_the_assembly_where_it_is_known() -> None:
    """A place is in megabases, with the assembly that GeneNetwork's menu names; none is claimed without."""
    assert "Chr 5: 28.457 Mb (mm10)" == position("5", 28.457155, "mm10")
    assert "Chr X: 1.000 Mb" == position("X", 1.0)
    assert "Chr 5" == position("5", None, "mm10")
    assert "" == position("", 3.0, "mm10")


def test_means_have_their_error_and_number() -> None:
    """A mean is given with standard error and n; of a single value there is no error."""
    assert "9.28 ± 0.031 (SE, n = 71)" == mean_with_error(9.28, 0.0312, 71)
    assert "9.28 (n = 1)" == mean_with_error(9.28, math.nan, 1)


def test_scales_and_units_are_named() -> None:
    """Transcripts and proteins have their scale, phenotypes the unit in brackets behind their description."""
    assert "transcript abundance, log2" == scale("mrna", "log2")
    assert "protein abundance" == scale("protein", "")
    assert "" == scale("other", "")
    assert "mg" == unit_of("Cerebellum weight, whole, in adults of both sexes [mg]")
    assert "" == unit_of("Cerebellum weight [mg] of males")
    assert "" == unit_of("no unit ]")
