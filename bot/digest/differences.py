"""What changed between what is known of a group's datasets and what is listed now.

Identity is the number GeneNetwork gave within a group and a type; where it gave none, the name. What is not listed any
more stays known: an answer may be incomplete, and what comes back is not new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.digest.datasets import Listed

NO_ID = "None"  # as GeneNetwork writes it


class Sight(StrEnum):
    """What is known of whether people may hear of a dataset."""

    UNCHECKED = "unchecked"  # listed when the first look was taken; never to be announced, unless it turns out hidden
    PUBLIC = "public"  # announced, or there from the beginning
    PENDING = "pending"  # new; nothing could be learnt about it yet
    HELD = "held"  # new, but too much at once: an administrator decides whether it is told
    HIDDEN = "hidden"  # listed, but not public: announced as soon as it is


@dataclass(frozen=True, slots=True)
class KnownDataset:
    """A dataset as it was listed last; `checked` is the number of the look in which its publicity was asked for."""

    type_name: str
    dataset_id: str
    name: str
    full_name: str
    sight: Sight
    checked: int = 0

    def is_listed(self, listed: Listed) -> bool:
        """True when both are the same dataset, under whatever name."""
        if self.dataset_id == listed.dataset_id != NO_ID:
            # A dataset that moved to another type keeps both its number and its name.
            return self.type_name == listed.type_name or self.name == listed.name
        numbered = self.dataset_id != NO_ID and listed.dataset_id != NO_ID
        return not numbered and self.type_name == listed.type_name and self.name == listed.name


@dataclass(frozen=True, slots=True)
class Difference:
    """What becomes of what is known.

    Attributes:
        datasets: What is known now, in the order it became known.
        listed: For each of `datasets`, how it is listed now, or None.
        new: Number of datasets at the end of `datasets` that were not known.
        changed: True when `datasets` differs from before.
    """

    datasets: tuple[KnownDataset, ...]
    listed: tuple[Listed | None, ...]
    new: int
    changed: bool


def difference(known: Sequence[KnownDataset], listed: Sequence[Listed], *, baseline: bool = False) -> Difference:
    """Compare a group as it is known with how it is listed.

    Args:
        known: Before.
        listed: Now; the same dataset twice counts once.
        baseline: True to take what is not known as having been there from the beginning.
    """
    after = list(known)
    now: list[Listed | None] = [None] * len(after)
    by_id: dict[str, list[int]] = {}
    by_name: dict[str, list[int]] = {}

    def index(place: int) -> None:
        by_id.setdefault(after[place].dataset_id, []).append(place)
        by_name.setdefault(after[place].name, []).append(place)

    for place in range(len(after)):
        index(place)
    for one in listed:
        candidates = [*by_id.get(one.dataset_id, ()), *by_name.get(one.name, ())]
        same = next((place for place in candidates if after[place].is_listed(one)), None)
        if same is None:
            sight = Sight.UNCHECKED if baseline else Sight.PENDING
            after.append(KnownDataset(one.type_name, one.dataset_id, one.name, one.full_name, sight))
            now.append(one)
            index(len(after) - 1)
        elif now[same] is None:
            now[same] = one
            dataset_id = one.dataset_id if one.dataset_id != NO_ID else after[same].dataset_id
            after[same] = replace(
                after[same],
                type_name=one.type_name or after[same].type_name,
                dataset_id=dataset_id,
                name=one.name,
                full_name=one.full_name,
            )
            index(same)  # the same dataset may be listed a second time, under its new name
    return Difference(tuple(after), tuple(now), len(after) - len(known), tuple(after) != tuple(known))
