"""Values of a look at GeneNetwork."""

from __future__ import annotations

from dataclasses import dataclass

from bot.digest.datasets import Dataset, Listed
from bot.digest.news import News
from bot.digest.verdicts import Verdicts


@dataclass(frozen=True, slots=True)
class LookReport:
    """What a look found.

    Attributes:
        first: True for the one that everything later is compared with.
        groups: Groups that were compared.
        unknown: Groups about which nothing could be said.
        datasets: Datasets listed.
        new: Public datasets that are news now.
        undecided: New datasets about which nothing could be learnt yet.
        held: Datasets that are held, of this look and earlier ones.
    """

    first: bool
    groups: int
    unknown: int
    datasets: int
    new: tuple[Dataset, ...] = ()
    undecided: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Located:
    """News and the dataset they are of.

    Attributes:
        news: As they were found.
        listed: The dataset under the name that it has by now.
        identity: Stands for it for good, whatever it is called and whichever number it is given.
    """

    news: News
    listed: Listed
    identity: str


@dataclass(frozen=True, slots=True)
class Peek:
    """What a look would find: new public datasets, and how many it would hold."""

    new: tuple[Dataset, ...]
    held: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a look has learnt besides the list: verdicts, new folders, what is held, and its number."""

    verdicts: Verdicts
    witnessed: frozenset[str]
    held: frozenset[Listed]
    number: int
    baseline: bool
