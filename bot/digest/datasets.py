"""What a digest needs to know about GeneNetwork's datasets, and the port that tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

GroupKey = tuple[str, str]
"""A species and a group of it, by their names in GeneNetwork: ("mouse", "BXD")."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A dataset as GeneNetwork's menu lists it; what it is about takes another call.

    Attributes:
        species: Name of the species, as every other call has it ("mouse").
        group: Name of the group ("BXD").
        type_name: What the menu calls its kind ("Hippocampus mRNA", "Phenotypes").
        dataset_id: Number as text; "None" where GeneNetwork has none. Unique only within group and type.
        name: The key of its links ("HC_M2_0606_P").
        full_name: Title for people.
    """

    species: str
    group: str
    type_name: str
    dataset_id: str
    name: str
    full_name: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed at one moment.

    Attributes:
        groups: Listed datasets by (species, group).
        unknown: Groups whose answer was empty, cut off or an error. Nothing can be said about them: not that they have
            no dataset, and not that theirs were removed.
    """

    groups: Mapping[GroupKey, tuple[Listed, ...]]
    unknown: frozenset[GroupKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Dataset:
    """A public dataset, with what a digest says about it. Every text is as GeneNetwork has it, and not to be trusted.

    Attributes:
        species: As in `Listed`.
        group: As in `Listed`.
        kind: "mrna", "phenotype", "genotype", "protein" or "other".
        type_name: As in `Listed`.
        dataset_id: As in `Listed`.
        name: As in `Listed`.
        full_name: Title for people.
        tissue: Such as "Hippocampus mRNA", or "".
        platform: What it was measured with, or "".
        samples: Number of strains or individuals with data, or None where it is not said.
        dated: ISO date that a curator gave it, often years before it was entered, or "".
        url: Its page.
        summary: What is written about it; may hold HTML, may be "".
        accession: "GN112", or "".
    """

    species: str
    group: str
    kind: str
    type_name: str
    dataset_id: str
    name: str
    full_name: str
    tissue: str = ""
    platform: str = ""
    samples: int | None = None
    dated: str = ""
    url: str = ""
    summary: str = ""
    accession: str = ""


class DatasetCatalogue(Protocol):
    """GeneNetwork, as far as a digest needs it."""

    async def listed(self) -> Listing:
        """Return what is listed now.

        Raises:
            UnavailableError: If nothing can be learnt at all; one group that fails is `Listing.unknown`.
        """
        ...

    async def details(self, listed: Listed) -> Dataset | None:
        """Return a dataset, or None when it is not public: nothing about it may be said then.

        Raises:
            UnavailableError: If that cannot be told now; ask again later.
        """
        ...
