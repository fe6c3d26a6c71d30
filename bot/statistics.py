"""The statistics that pictures and live answers show, on numpy alone.

SciPy would be 35 MB for three functions, so they are here, each with its source; the tests compare them with values of
R and of published tables.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

MIN_NORMALITY_N = 20  # the test's approximations hold from here on, see `normality`
_TINY = 1e-300
_EPSILON = 1e-15
_MAX_ITERATIONS = 500


@dataclass(frozen=True, slots=True)
class Summary:
    """Values in figures.

    Attributes:
        n: Number of values.
        mean: Their mean.
        median: Their median.
        sd: Standard deviation of the sample (n - 1); NaN for fewer than two values.
        se: Standard error of the mean, sd / sqrt(n); NaN likewise.
        smallest: Minimum.
        largest: Maximum.
    """

    n: int
    mean: float
    median: float
    sd: float
    se: float
    smallest: float
    largest: float


@dataclass(frozen=True, slots=True)
class Correlation:
    """How two rows of values go together.

    Attributes:
        n: Pairs in which both are known.
        r: Pearson's coefficient, -1 to 1.
        p: Probability of an |r| as large by chance, two-sided, from Student's t with n - 2 degrees of freedom.
        rho: Spearman's coefficient, -1 to 1: Pearson's on ranks, ties sharing their mean rank.
        rho_p: As `p`, by the same approximation.
    """

    n: int
    r: float
    p: float
    rho: float
    rho_p: float


def summarise(values: Sequence[float]) -> Summary:
    """Return the values in figures.

    Raises:
        ValueError: If there are none, or one is no finite number.
    """
    array = _finite(values)
    if not array.size:
        raise ValueError("no values")
    sd = float(np.std(array, ddof=1)) if array.size > 1 else math.nan
    return Summary(
        int(array.size),
        float(np.mean(array)),
        float(np.median(array)),
        sd,
        sd / math.sqrt(array.size),
        float(np.min(array)),
        float(np.max(array)),
    )


def correlate(first: Sequence[float], second: Sequence[float]) -> Correlation | None:
    """Return how two rows of values go together, or None where that says nothing.

    That is for fewer than three pairs, and where one of the rows is constant.

    Args:
        first: Values.
        second: The values that belong to them, as many.

    Raises:
        ValueError: If one is no finite number, or there are more of one than of the other.
    """
    x, y = _finite(first), _finite(second)
    if x.size != y.size:
        raise ValueError(f"{x.size} values against {y.size}")
    if x.size < 3:
        return None
    r, rho = _pearson(x, y), _pearson(_ranks(x), _ranks(y))
    if r is None or rho is None:
        return None
    n = int(x.size)
    return Correlation(n, r, correlation_p(r, n), rho, correlation_p(rho, n))


def correlation_p(r: float, n: int) -> float:
    """Return the two-sided probability of an |r| as large by chance with `n` pairs, at least 3.

    Source:
        t = r sqrt((n - 2) / (1 - r²)) has Student's distribution with n - 2 degrees of freedom if the variables are
        normal and independent; for ranks that is an approximation, good from about 10 pairs (Zar, Biostatistical
        Analysis).
    """
    if abs(r) >= 1:
        return 0.0
    df = n - 2
    return student_p(r * math.sqrt(df / ((1 - r) * (1 + r))), df)


def student_p(t: float, df: float) -> float:
    """Return the two-sided probability of |t| or more under Student's distribution with `df` degrees of freedom.

    Source:
        P = I_x(df/2, 1/2) with x = df / (df + t²), Abramowitz and Stegun 26.5.27.
    """
    return incomplete_beta(df / 2, 0.5, df / (df + t * t))


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), 0 to 1, for a, b > 0 and 0 <= x <= 1.

    Source:
        The continued fraction of DLMF 8.17.22, evaluated by Lentz's method as modified by Thompson and Barnett (1986).
    """
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # beyond it the fraction converges slowly
        return 1 - incomplete_beta(b, a, 1 - x)
    logarithm = a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    value, c, d = _TINY, _TINY, 0.0
    for step in range(_MAX_ITERATIONS):
        half = step // 2
        if step == 0:
            numerator = 1.0
        elif step % 2 == 0:
            numerator = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        else:
            numerator = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        d = 1 / ((1 + numerator * d) or _TINY)
        c = (1 + numerator / c) or _TINY
        value *= c * d
        if abs(1 - c * d) < _EPSILON:
            break
    return min(1.0, math.exp(logarithm) * value / a)


def normality(values: Sequence[float]) -> float | None:
    """Return the probability of values at least as far from normal, or None where that cannot be told.

    That is for fewer than `MIN_NORMALITY_N` values, and for constant ones. Skewness and kurtosis are each turned into a
    normal deviate; their squares together have a chi-squared distribution with two degrees of freedom.

    Raises:
        ValueError: If a value is no finite number.

    Source:
        K² of D'Agostino, Belanger and D'Agostino (1990), The American Statistician 44:316-321: skewness after
        D'Agostino (1970), kurtosis after Anscombe and Glynn (1983).
    """
    array = _finite(values)
    n = int(array.size)
    if n < MIN_NORMALITY_N:
        return None
    deviations = array - np.mean(array)
    variance = float(np.mean(deviations**2))
    if variance <= np.finfo(np.float64).eps * float(np.max(np.abs(array))) ** 2:
        return None
    skewness = float(np.mean(deviations**3)) / variance**1.5
    kurtosis = float(np.mean(deviations**4)) / variance**2
    return math.exp(-(skewness_deviate(skewness, n) ** 2 + kurtosis_deviate(kurtosis, n) ** 2) / 2)


def skewness_deviate(skewness: float, n: int) -> float:
    """Return the skewness of `n` values, at least 8, as a standard normal deviate; see `normality`."""
    y = skewness * math.sqrt((n + 1) * (n + 3) / (6 * (n - 2)))
    beta = 3 * (n * n + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9))
    w_squared = math.sqrt(2 * (beta - 1)) - 1
    delta = 1 / math.sqrt(math.log(w_squared) / 2)
    return delta * math.asinh(y / math.sqrt(2 / (w_squared - 1)))


def kurtosis_deviate(kurtosis: float, n: int) -> float:
    """Return the kurtosis (3 for normal values) of `n` values, at least 20, as a standard normal deviate."""
    expected = 3 * (n - 1) / (n + 1)
    variance = 24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    x = (kurtosis - expected) / math.sqrt(variance)
    third = 6 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9)) * math.sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    a = 6 + 8 / third * (2 / third + math.sqrt(1 + 4 / third**2))
    denominator = 1 + x * math.sqrt(2 / (a - 4))
    root = math.copysign((abs((1 - 2 / a) / denominator)) ** (1 / 3), denominator) if denominator else math.inf
    return (1 - 2 / (9 * a) - root) / math.sqrt(2 / (9 * a))


def _finite(values: Sequence[float]) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        raise ValueError("a value is no finite number")
    return array


def _pearson(x: FloatArray, y: FloatArray) -> float | None:
    dx, dy = x - np.mean(x), y - np.mean(y)
    # Divided by the largest first: squares of very small or large values would vanish or overflow.
    scale_x, scale_y = float(np.max(np.abs(dx))), float(np.max(np.abs(dy)))
    if scale_x <= 1e-14 * float(np.max(np.abs(x))) or scale_y <= 1e-14 * float(np.max(np.abs(y))):
        return None
    dx, dy = dx / scale_x, dy / scale_y
    r = float(np.sum(dx * dy)) / math.sqrt(float(np.sum(dx * dx)) * float(np.sum(dy * dy)))
    return max(-1.0, min(1.0, r))


def _ranks(values: FloatArray) -> FloatArray:
    _, positions, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: FloatArray = (last - (counts - 1) / 2)[positions]
    return ranks
