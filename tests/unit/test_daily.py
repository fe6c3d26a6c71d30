"""Numbers by day: waiting times from buckets, and charts of them."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.daily import BUCKETS_S, Day, bucket, day_of, percentile, together
from bot.web.charts import HEIGHT, WIDTH, bars_of, lines_of, nice_top


@given(st.lists(st.floats(0.001, 890), min_size=1, max_size=300), st.sampled_from([0.5, 0.95]))
def test_a_percentile_lies_in_the_bucket_of_the_real_one(seconds: list[float], share: float) -> None:
    """Whatever the times are."""
    waits = [0] * (len(BUCKETS_S) + 1)
    for one in seconds:
        waits[bucket(one)] += 1
    real = sorted(seconds)[math.ceil(share * len(seconds)) - 1]
    found = percentile(waits, share)

    assert found is not None
    assert bucket(real) == bucket(found)


def test_a_percentile_of_many_times_is_near_the_real_one() -> None:
    """Within a fifth, for times as they come."""
    rng = random.Random(3)
    seconds = sorted(rng.lognormvariate(1.1, 0.7) for _ in range(20_000))
    waits = [0] * (len(BUCKETS_S) + 1)
    for one in seconds:
        waits[bucket(one)] += 1

    for share in (0.5, 0.95):
        assert seconds[int(share * len(seconds))] == pytest.approx(percentile(waits, share), rel=0.2)


@pytest.mark.parametrize(
    ("waits", "expected"), [([0] * (len(BUCKETS_S) + 1), None), ([0] * len(BUCKETS_S) + [3], BUCKETS_S[-1])]
)
def test_without_times_there_is_no_percentile_and_beyond_the_last_bucket_its_end(
    waits: list[int], expected: float | None
) -> None:
    """Nothing is invented."""
    assert expected == percentile(waits, 0.5)


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, 0), (0.25, 0), (0.26, 1), (900.0, 18), (900.1, 19)])
def test_a_bucket_holds_its_upper_end(seconds: float, expected: int) -> None:
    """As in Prometheus."""
    assert expected == bucket(seconds)


def test_days_add_up_and_no_days_are_zero() -> None:
    """All numbers, the waits by bucket."""
    one = day_of("2026-11-20", {"answered": 3, "down": 5, "wait2": 3})
    other = day_of("2026-11-21", {"unanswered": 2, "failed": 1, "wait2": 1, "wait4": 1, "later": 9})
    total = together([one, other])

    assert (3, 2, 1, 6) == (total.answered, total.unanswered, total.failed, total.questions)
    assert (4, 1) == (total.waits[2], total.waits[4])
    assert 3 == one.rated_badly
    assert (0, 0) == (together([]).questions, sum(together([]).waits))


def test_a_number_below_zero_counts_as_none() -> None:
    """A withdrawn opinion whose day has expired leaves -1 behind."""
    assert 0 == day_of("2026-11-20", {"up": -1}).up


@given(st.lists(st.tuples(*[st.integers(0, 300)] * 4), min_size=1, max_size=60))
def test_bars_stand_on_each_other_inside_the_chart(counts: list[tuple[int, int, int, int]]) -> None:
    """None overlaps another or leaves the drawing, and a day's bars are as high as its questions."""
    days = [Day(f"day {n}", a, u, f, down=d) for n, (a, u, f, d) in enumerate(counts)]
    bars, top = bars_of(days)

    for bar in bars:
        assert -0.2 <= bar.x
        assert bar.x + bar.width <= WIDTH + 0.2
        assert -0.2 <= bar.y
        assert bar.y + bar.height <= HEIGHT + 0.2
    assert sum(bar.height for bar in bars) == pytest.approx(
        HEIGHT * sum(day.questions for day in days) / top, abs=0.06 * len(bars)
    )


def test_a_line_has_gaps_and_a_day_alone_is_a_dot() -> None:
    """Days without questions are not drawn as zero."""
    waits = [0] * (len(BUCKETS_S) + 1)
    waits[6] = 4
    busy, idle = Day("a", waits=tuple(waits)), Day("b")
    lines, top = lines_of([busy, busy, idle, busy])

    assert ["p95", "p50"] == [line.kind for line in lines]
    assert (2, 1) == (lines[0].path.count("M"), lines[0].path.count("L"))
    assert 5.0 == top


@pytest.mark.parametrize(("most", "expected"), [(0, 10), (10, 10), (11, 20), (21, 50), (51, 100), (4_999, 5_000)])
def test_the_top_of_a_chart_reads_well(most: int, expected: int) -> None:
    """1, 2 or 5 and zeros."""
    assert expected == nice_top(most)
