"""Too much at once: a list of datasets that has grown by more than people enter was incomplete before, or is wrong now.

Such news are held until an administrator says whether they are told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.digest.datasets import GroupKey, Listed
from bot.digest.differences import difference
from bot.digest.news import KnownGroup

MANY = 200  # new datasets of one look
SOME = 100  # that are too many where they are also more than a `SHARE` of all that was known
SHARE = 0.2
OF_A_SPECIES = 20  # new datasets of a species that was not listed before


def flood(listed: Mapping[GroupKey, Sequence[Listed]], known: Mapping[GroupKey, KnownGroup]) -> frozenset[Listed]:
    """Return the datasets of a look that are to be held.

    Args:
        listed: Groups about which something can be said, as they are listed.
        known: All groups as they are known.
    """
    new: list[Listed] = []
    for key, datasets in listed.items():
        group = known.get(key)
        if group is not None and group.awaited:
            continue  # of which nothing is news
        before = group.datasets if group is not None else ()
        found = difference(before, datasets)
        new += [one for one in found.listed[len(before) :] if one is not None]
    total = sum(len(group.datasets) for group in known.values())
    if len(new) > MANY or (len(new) > SOME and len(new) > SHARE * total):
        return frozenset(new)
    species = {group.species for group in known.values()}
    foreign: dict[str, list[Listed]] = {}
    for one in new:
        if one.species not in species:
            foreign.setdefault(one.species, []).append(one)
    return frozenset(one for many in foreign.values() if len(many) > OF_A_SPECIES for one in many)


def held_back(count: int) -> str:
    """Return what administrators are told of datasets that are held."""
    return (
        f"GeneNetwork lists {count:,} datasets that were not there before, more than are added at once: the list was "
        "probably incomplete earlier. No channel is told of them until somebody runs `locus digest baseline` (they "
        "count as known) or `locus digest release` (the digests tell them)."
    )
