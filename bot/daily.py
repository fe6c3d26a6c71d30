"""What happened on a day, in numbers: questions, how they ended, how long they took, opinions, documents cited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

# Upper ends of the buckets of waiting times, in seconds; about a third apart, so that percentiles are good to that.
BUCKETS_S = (
    0.25,
    0.5,
    0.75,
    1.0,
    1.5,
    2.0,
    3.0,
    4.0,
    6.0,
    8.0,
    12.0,
    16.0,
    24.0,
    32.0,
    48.0,
    64.0,
    120.0,
    300.0,
    900.0,
)


@dataclass(frozen=True, slots=True)
class Day:
    """One day.

    Attributes:
        date: As "2026-11-21", in the lab's time zone.
        answered: Questions that were answered.
        unanswered: Questions that the documents did not answer.
        failed: Questions that failed, were given up or turned away.
        cached: Answers among them that had been given before.
        up: Thumbs up for answers of this day.
        down: Thumbs down for answers of this day.
        down_unanswered: Thumbs down for "the documents do not say".
        waits: Questions by bucket of the seconds from their arrival to their answer: as BUCKETS_S, then the rest.
    """

    date: str
    answered: int = 0
    unanswered: int = 0
    failed: int = 0
    cached: int = 0
    up: int = 0
    down: int = 0
    down_unanswered: int = 0
    waits: tuple[int, ...] = field(default=(0,) * (len(BUCKETS_S) + 1))

    @property
    def questions(self) -> int:
        """All of them."""
        return self.answered + self.unanswered + self.failed

    @property
    def rated_badly(self) -> int:
        """Answers with a thumb down, as far as that can be told from the number of thumbs."""
        return min(self.down, self.answered)


@dataclass(frozen=True, slots=True)
class CitedDocument:
    """A document that answers rest on.

    Attributes:
        title: As the answers named it; "" for all documents of channels' own together.
        url: Its public page, or None.
        answers: That cite it.
    """

    title: str
    url: str | None
    answers: int


def bucket(seconds: float) -> int:
    """Return the number of the bucket of a waiting time, from 0 to len(BUCKETS_S)."""
    return sum(seconds > end for end in BUCKETS_S)


def percentile(waits: Sequence[int], share: float) -> float | None:
    """Return the waiting time in seconds that this share of questions did not exceed; None where there were none.

    Args:
        waits: Questions by bucket.
        share: 0 to 1, such as 0.95.

    Source:
        Linear within the bucket, as `histogram_quantile` of Prometheus; beyond the last bucket its end.
    """
    total = sum(waits)
    if not total:
        return None
    wanted, passed = share * total, 0
    for (begin, end), count in zip(pairwise((0.0, *BUCKETS_S)), waits, strict=False):
        if count and passed + count >= wanted:
            return begin + (end - begin) * (wanted - passed) / count
        passed += count
    return BUCKETS_S[-1]


def together(days: Sequence[Day]) -> Day:
    """Return the sums over some days."""
    return Day(
        "",
        sum(day.answered for day in days),
        sum(day.unanswered for day in days),
        sum(day.failed for day in days),
        sum(day.cached for day in days),
        sum(day.up for day in days),
        sum(day.down for day in days),
        sum(day.down_unanswered for day in days),
        tuple(sum(column) for column in zip(*(day.waits for day in days), strict=True)) or Day("").waits,
    )


def day_of(date: str, fields: Mapping[str, int]) -> Day:
    """Return a day from the fields that are counted; what is not there is 0, what is not known is left out."""
    names = ("answered", "unanswered", "failed", "cached", "up", "down", "down_unanswered")
    waits = tuple(fields.get(f"wait{number}", 0) for number in range(len(BUCKETS_S) + 1))
    answered, unanswered, failed, cached, up, down, down_unanswered = (max(0, fields.get(name, 0)) for name in names)
    return Day(date, answered, unanswered, failed, cached, up, down, down_unanswered, waits)
