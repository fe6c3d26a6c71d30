"""What can be looked up in GeneNetwork, made from what people type or from what a model asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.live.values import Fact, MappingMethod, SearchKind

View = Literal["bars", "histogram"]


@dataclass(frozen=True, slots=True)
class TraitName:
    """A trait: its dataset, or the group's code of a phenotype ("BXD"), and its key there ("10001")."""

    dataset: str
    name: str

    def __str__(self) -> str:
        """As people write it: BXD_10001, or 1436869_at in HC_M2_0606_P."""
        if self.name.isdigit() and self.dataset.isalpha() and len(self.dataset) == 3:
            return f"{self.dataset}_{self.name}"
        return f"{self.name} in {self.dataset}"


@dataclass(frozen=True, slots=True)
class SpeciesLookup:
    """All species."""


@dataclass(frozen=True, slots=True)
class GroupsLookup:
    """The groups of a species, or all where it is ""."""

    species: str = ""


@dataclass(frozen=True, slots=True)
class DatasetsLookup:
    """The datasets of a group; each filter is part of a name, or ""."""

    group: str
    tissue: str = ""
    kind: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class DatasetLookup:
    """A dataset by name or accession."""

    name: str


@dataclass(frozen=True, slots=True)
class TraitLookup:
    """What a trait is."""

    trait: TraitName


@dataclass(frozen=True, slots=True)
class ValuesLookup:
    """A trait's values by strain, drawn as `view`; as a file too where `csv` says so."""

    trait: TraitName
    view: View = "bars"
    csv: bool = False


@dataclass(frozen=True, slots=True)
class CompareLookup:
    """Two traits against each other."""

    first: TraitName
    second: TraitName
    csv: bool = False


@dataclass(frozen=True, slots=True)
class CorrelationLookup:
    """The traits of a dataset that go with a trait; the best `top`."""

    trait: TraitName
    target: str
    top: int = 10
    csv: bool = False


@dataclass(frozen=True, slots=True)
class MappingLookup:
    """A genome scan of a trait."""

    trait: TraitName
    method: MappingMethod = "gemma"
    csv: bool = False


@dataclass(frozen=True, slots=True)
class SearchLookup:
    """Traits that match a query in GeneNetwork's language."""

    kind: SearchKind
    query: str


@dataclass(frozen=True, slots=True)
class GeneLookup:
    """A gene by symbol."""

    symbol: str


@dataclass(frozen=True, slots=True)
class FactsLookup:
    """What only the knowledge graph says: `about` is a group, a species, a family, a trait or a dataset."""

    fact: Fact
    about: str


@dataclass(frozen=True, slots=True)
class ExplainLookup:
    """Whatever an identifier names: a dataset, a trait, a probe set, a marker.

    Attributes:
        identifier: As typed.
        wish: What was asked of it that needs its dataset too, as the words before a trait's name ("map"), or "".
    """

    identifier: str
    wish: str = ""


Lookup = (
    SpeciesLookup
    | GroupsLookup
    | DatasetsLookup
    | DatasetLookup
    | TraitLookup
    | ValuesLookup
    | CompareLookup
    | CorrelationLookup
    | MappingLookup
    | SearchLookup
    | GeneLookup
    | FactsLookup
    | ExplainLookup
)
