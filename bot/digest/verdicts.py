"""What is learnt about listed datasets one by one: whether people may hear of them, and what they are."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence

from bot.digest.datasets import Dataset, DatasetCatalogue, GroupKey, Listed, Listing
from bot.digest.differences import NO_ID, KnownDataset, Sight, difference
from bot.digest.news import KnownGroup
from bot.digest.plain import plain_dataset
from bot.errors import BotError, UnavailableError

logger = logging.getLogger(__name__)

MAX_NEW_CHECKS = 300  # new datasets whose details are asked for in one look; the others in the next
MAX_OLD_CHECKS = 50  # of those that were hidden, or there from the beginning
MAX_FAILURES = 5  # in a row, after which a look asks no more
MAX_CHARS = 500  # of a name in a listing; what is longer is none
_TO_CHECK = (Sight.PENDING, Sight.HIDDEN, Sight.UNCHECKED)

Verdicts = Mapping[Listed, Dataset | None]
"""What was learnt about datasets; None means not public, absence that nothing could be learnt."""


def candidates(
    listed: Mapping[GroupKey, Sequence[Listed]], known: Mapping[GroupKey, KnownGroup]
) -> tuple[list[Listed], list[Listed]]:
    """Return what is to be asked for: what is new, and the rest, that which was not asked for longest first."""
    new: list[Listed] = []
    old: list[tuple[int, Listed]] = []
    for key, datasets in listed.items():
        group = known.get(key)
        if group is not None and group.awaited:
            continue
        found = difference(group.datasets if group is not None else (), datasets)
        for entry, one in zip(found.datasets, found.listed, strict=True):
            if one is not None and entry.sight is Sight.PENDING:
                new.append(one)
            elif one is not None and entry.sight in _TO_CHECK:
                old.append((entry.checked, one))
    return new, [one for _, one in sorted(old, key=lambda pair: pair[0])]


async def ask(catalogue: DatasetCatalogue, new: Sequence[Listed], old: Sequence[Listed] = ()) -> Verdicts:
    """Ask for the details of what is new, and of some of what was hidden or never asked for.

    Args:
        catalogue: GeneNetwork.
        new: The first `MAX_NEW_CHECKS` are asked for.
        old: The first `MAX_OLD_CHECKS`.
    """
    verdicts: dict[Listed, Dataset | None] = {}
    failures = 0
    for one in [*new[:MAX_NEW_CHECKS], *old[:MAX_OLD_CHECKS]]:
        try:
            found = await catalogue.details(one)
        except UnavailableError as error:
            failures += 1
            if failures >= MAX_FAILURES:
                logger.warning("a look at new datasets was cut short: %s", error)
                break
            continue
        except BotError as error:
            logger.warning("a dataset could not be looked at: %s", error)
            continue
        failures = 0
        verdicts[one] = plain_dataset(found) if found is not None else None
    return verdicts


def decide(
    entry: KnownDataset, listed: Listed | None, verdicts: Verdicts, number: int, *, silent: bool
) -> tuple[KnownDataset, Dataset | None]:
    """Return a dataset after what was learnt about it, and the dataset where it is news."""
    if silent and entry.sight in (Sight.PENDING, Sight.HELD, Sight.HIDDEN) and listed is not None:
        return dataclasses.replace(entry, sight=Sight.UNCHECKED), None
    if listed is None or entry.sight not in _TO_CHECK or listed not in verdicts:
        return entry, None
    dataset = verdicts[listed]
    if dataset is None:
        return dataclasses.replace(entry, sight=Sight.HIDDEN, checked=number), None
    news = None if entry.sight is Sight.UNCHECKED else dataset
    return dataclasses.replace(entry, sight=Sight.PUBLIC, checked=number), news


def same_dataset(entry: KnownDataset, listed: Listed) -> bool:
    """True when news are of a known dataset; a number that was given since makes no other dataset of it."""
    return entry.is_listed(listed) or (listed.dataset_id == NO_ID and entry.name == listed.name)


def comparable(listing: Listing) -> dict[GroupKey, tuple[Listed, ...]]:
    """Return the groups about which something can be said."""
    return {
        key: tuple(filter(_sane, datasets))
        for key, datasets in listing.groups.items()
        if datasets and key not in listing.unknown
    }


def _sane(listed: Listed) -> bool:
    """True for a dataset whose texts are text of a sane length."""
    fields = (listed.species, listed.group, listed.type_name, listed.dataset_id, listed.name, listed.full_name)
    return bool(listed.name) and all(len(one) <= MAX_CHARS and one.isprintable() for one in fields)
