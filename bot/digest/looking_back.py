"""A look back: the datasets that curators dated since a day, without anything that is remembered."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from bot.digest.datasets import Dataset, DatasetCatalogue, Listed
from bot.digest.interests import Interest
from bot.digest.plain import plain_dataset
from bot.errors import BotError, InvalidRequestError, UnavailableError

logger = logging.getLogger(__name__)

MAX_ASKED = 3000  # datasets; GeneNetwork is asked for one after the other
MAX_FAILURES = 5  # in a row


@dataclass(frozen=True, slots=True)
class LookBack:
    """What a look back found.

    Attributes:
        datasets: Public, plain, dated on the day or later.
        undated: Public datasets without a date.
        unknown: Datasets and groups about which nothing could be learnt.
    """

    datasets: tuple[Dataset, ...]
    undated: int
    unknown: int


async def look_back(
    catalogue: DatasetCatalogue,
    since: date,
    interest: Interest,
    *,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> LookBack:
    """Return the datasets that are dated since a day, which says nothing about when they were entered.

    Args:
        catalogue: GeneNetwork.
        since: The first day.
        interest: Only these; naming groups or species saves most of the questions.
        progress: Told how many of how many datasets were asked for.

    Raises:
        InvalidRequestError: If that would be too many questions.
        UnavailableError: If GeneNetwork is away.
    """
    listing = await catalogue.listed()
    candidates = [
        one
        for (species, group), datasets in listing.groups.items()
        if _may_hold(interest, species, group)
        for one in datasets
    ]
    if len(candidates) > MAX_ASKED:
        raise InvalidRequestError(
            f"GeneNetwork would have to be asked for {len(candidates):,} datasets one by one: name groups with --group."
        )
    found: list[Dataset] = []
    undated = unknown = failures = 0
    for number, one in enumerate(candidates, 1):
        progress(number, len(candidates))
        try:
            dataset = await _details(catalogue, one)
        except UnavailableError:
            unknown, failures = unknown + 1, failures + 1
            if failures >= MAX_FAILURES:
                raise
            continue
        failures = 0
        if dataset is None or not interest.holds(dataset):
            continue
        if not dataset.dated:
            undated += 1
        elif dataset.dated >= since.isoformat():
            found.append(dataset)
    return LookBack(tuple(found), undated, unknown + len(listing.unknown))


def _may_hold(interest: Interest, species: str, group: str) -> bool:
    probe = Dataset(species, group, "other", "", "", "", "")
    return Interest(groups=interest.groups, species=interest.species).holds(probe)


async def _details(catalogue: DatasetCatalogue, listed: Listed) -> Dataset | None:
    try:
        found = await catalogue.details(listed)
    except UnavailableError:
        raise
    except BotError as error:
        logger.info("a dataset was left out of a look back: %s", error)
        return None
    return plain_dataset(found) if found is not None else None
