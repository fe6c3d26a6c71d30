"""What a channel wants to hear of: groups, kinds of data, tissues."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.digest.datasets import Dataset

KINDS = ("mrna", "phenotype", "genotype", "protein", "other")
KIND_NAMES = {
    "mrna": "mRNA",
    "phenotype": "phenotypes",
    "genotype": "genotypes",
    "protein": "protein",
    "other": "other data",
}
_SEPARATORS = re.compile(r"[\s_/-]+")


@dataclass(frozen=True, slots=True)
class Interest:
    """A choice of datasets; an empty part means all.

    Attributes:
        groups: Names of groups ("BXD"), in any case.
        kinds: Of `KINDS`.
        tissues: Words that stand in the name of the tissue ("hippocampus"); blanks, dashes and underscores are alike.
        species: Names of species ("mouse").
    """

    groups: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    tissues: tuple[str, ...] = ()
    species: tuple[str, ...] = ()

    def holds(self, dataset: Dataset) -> bool:
        """True when a dataset is one of them."""
        tissue = _plain(f"{dataset.tissue} {dataset.type_name}")
        return (
            (not self.groups or _plain(dataset.group) in map(_plain, self.groups))
            and (not self.kinds or dataset.kind in self.kinds)
            and (not self.tissues or any(_plain(word) in tissue for word in self.tissues))
            and (not self.species or dataset.species.casefold() in (name.casefold() for name in self.species))
        )

    @property
    def limit(self) -> str:
        """What stands behind a sentence on new datasets: " for BXD, mRNA", or "" without any choice."""
        return "" if self == Interest() else f" for {self.words}"

    @property
    def words(self) -> str:
        """As people read it: "BXD and HXBBXH, mRNA, hippocampus"; "all of GeneNetwork" without any choice."""
        parts = [
            listed_in_words(self.groups),
            listed_in_words(self.species),
            listed_in_words(tuple(KIND_NAMES.get(kind, kind) for kind in self.kinds)),
            listed_in_words(self.tissues),
        ]
        return ", ".join(part for part in parts if part) or "all of GeneNetwork"


def listed_in_words(names: tuple[str, ...]) -> str:
    """Return names as a sentence has them: "a, b and c"."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def _plain(text: str) -> str:
    return _SEPARATORS.sub(" ", text).strip().casefold()
