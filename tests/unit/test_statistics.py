"""The statistics agree with R, SciPy and published tables."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.statistics import (
    correlate,
    incomplete_beta,
    kurtosis_deviate,
    normality,
    skewness_deviate,
    student_p,
    summarise,
)

# mpg and wt of R's data set mtcars (Motor Trend, 1974).
MPG = [
    *(21, 21, 22.8, 21.4, 18.7, 18.1, 14.3, 24.4, 22.8, 19.2, 17.8, 16.4, 17.3, 15.2, 10.4, 10.4),
    *(14.7, 32.4, 30.4, 33.9, 21.5, 15.5, 15.2, 13.3, 19.2, 27.3, 26, 30.4, 15.8, 19.7, 15, 21.4),
]
WT = [
    *(2.62, 2.875, 2.32, 3.215, 3.44, 3.46, 3.57, 3.19, 3.15, 3.44, 3.44, 4.07, 3.73, 3.78, 5.25, 5.424),
    *(5.345, 2.2, 1.615, 1.835, 2.465, 3.52, 3.435, 3.84, 3.845, 1.935, 2.14, 1.513, 3.17, 2.77, 3.57, 2.78),
]


def test_correlations_are_those_of_r() -> None:
    """Pearson's r, Spearman's rho with ties and their p are what R's cor.test prints for mtcars."""
    found = correlate(MPG, WT)

    assert found is not None
    assert 32 == found.n
    assert pytest.approx(-0.8676594, abs=1e-7) == found.r
    assert pytest.approx(1.293959e-10, rel=1e-6) == found.p
    assert pytest.approx(-0.886422, abs=1e-6) == found.rho
    assert pytest.approx(1.488e-11, rel=1e-3) == found.rho_p


@pytest.mark.parametrize(
    ("t", "df"), [(12.7062, 1), (4.302653, 2), (2.570582, 5), (2.228139, 10), (2.042272, 30), (1.959964, 1e9)]
)
def test_student_p_is_that_of_the_tables(t: float, df: float) -> None:
    """The published 5 % points of Student's distribution have a two-sided probability of 0.05."""
    assert pytest.approx(0.05, rel=1e-4) == student_p(t, df)
    assert student_p(t, df) == student_p(-t, df)


@given(st.integers(1, 8), st.integers(1, 8), st.floats(0, 1))
def test_incomplete_beta_is_a_sum_of_binomials(a: int, b: int, x: float) -> None:
    """For whole a and b it is the upper tail of a binomial distribution (DLMF 8.17.5)."""
    n = a + b - 1
    tail = math.fsum(math.comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a, n + 1))

    assert pytest.approx(tail, abs=1e-12) == incomplete_beta(a, b, x)


def test_normality_deviates_are_those_of_scipy() -> None:
    """The examples of SciPy's skewtest, kurtosistest pages have the values given there."""
    values = [1, 2, 3, 4, 5, 6, 7, 8000]
    mean = sum(values) / 8
    second, third = (sum((one - mean) ** power for one in values) / 8 for power in (2, 3))
    flat = list(range(20))
    variance, fourth = (sum((one - 9.5) ** power for one in flat) / 20 for power in (2, 4))

    assert pytest.approx(3.571773510360407, rel=1e-9) == skewness_deviate(third / second**1.5, 8)
    assert pytest.approx(-1.7058104152122062, rel=1e-9) == kurtosis_deviate(fourth / variance**2, 20)
    assert pytest.approx(math.exp(-(1.7058104152122062**2) / 2), rel=1e-9) == normality([float(one) for one in flat])


def test_normality_rejects_normal_values_as_often_as_it_says() -> None:
    """Of 2,000 normal samples about a twentieth is rejected at 0.05, of exponential ones nearly all."""
    chance = random.Random(7)
    normal = [normality([chance.gauss(60, 8) for _ in range(60)]) or 0 for _ in range(2000)]
    skewed = [normality([chance.expovariate(1) for _ in range(60)]) or 0 for _ in range(300)]

    assert 0.04 < sum(p < 0.05 for p in normal) / 2000 < 0.08
    assert sum(p < 0.05 for p in skewed) / 300 > 0.9


def test_what_says_nothing_is_none() -> None:
    """Too few pairs, a constant row and constant values have no correlation and no test."""
    assert correlate([1, 2], [3, 4]) is None
    assert correlate([1, 1, 1], [1, 2, 3]) is None
    assert normality([1.0] * 19) is None
    assert normality([0.1] * 50) is None


def test_a_perfect_correlation_has_no_chance() -> None:
    """Values on a line have r = 1 and p = 0, also where they are very large or very small."""
    for scale in (1e-150, 1.0, 1e150):
        found = correlate([1 * scale, 2 * scale, 3 * scale], [2, 4, 6])

        assert found is not None
        assert pytest.approx(1.0) == found.r
        assert pytest.approx(0.0, abs=1e-6) == found.p


def test_numbers_that_are_none_are_refused() -> None:
    """NaN and infinity raise, and so do rows of different length and no values at all."""
    for values in ([1.0, math.nan], [math.inf]):
        with pytest.raises(ValueError, match="finite"):
            summarise(values)
    with pytest.raises(ValueError, match="no values"):
        summarise([])
    with pytest.raises(ValueError, match="against"):
        correlate([1.0], [1.0, 2.0])


def test_summary_has_the_standard_error_of_a_sample() -> None:
    """SD divides by n - 1, SE is SD over the root of n, and a single value has neither."""
    figures = summarise([2, 4, 4, 4, 5, 5, 7, 9])

    assert (8, 5.0, 4.5, 2.0, 9.0) == (figures.n, figures.mean, figures.median, figures.smallest, figures.largest)
    assert pytest.approx(math.sqrt(32 / 7)) == figures.sd
    assert pytest.approx(math.sqrt(32 / 7 / 8)) == figures.se
    assert math.isnan(summarise([1.0]).se)
