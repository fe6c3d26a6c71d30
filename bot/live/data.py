"""The port to GeneNetwork: what a live answer may ask for; only public data comes through."""

from __future__ import annotations

from typing import Protocol

from bot.live.values import (
    Correlations,
    DatasetCard,
    DatasetList,
    Fact,
    Facts,
    Fetched,
    GeneCard,
    Group,
    MappingMethod,
    MappingResult,
    Marker,
    Sample,
    SearchHit,
    SearchKind,
    Species,
    Trait,
)


class LiveData(Protocol):
    """GeneNetwork.

    Every call raises NotFoundError for what is not there or not public, InvalidRequestError for what GeneNetwork cannot
    understand, and UnavailableError where it is away. Cancelling a call ends its request.
    """

    async def species(self) -> Fetched[tuple[Species, ...]]:
        """Return all species."""
        ...

    async def groups(self, species: str = "") -> Fetched[tuple[Group, ...]]:
        """Return the groups of a species, or all."""
        ...

    async def datasets(
        self, group: str, *, tissue: str = "", kind: str = "", text: str = "", limit: int
    ) -> Fetched[DatasetList]:
        """Return the public datasets of a group; each filter is part of a name, in any case."""
        ...

    async def dataset(self, name: str) -> Fetched[DatasetCard]:
        """Return a dataset by name or accession."""
        ...

    async def trait(self, dataset: str, name: str) -> Fetched[Trait]:
        """Return a trait; of a phenotype the dataset may be the group's code, such as BXD or HRP."""
        ...

    async def samples(self, dataset: str, name: str) -> Fetched[tuple[Sample, ...]]:
        """Return a trait's values by strain; the dataset as in `Trait.dataset`."""
        ...

    async def search(self, kind: SearchKind, query: str, *, limit: int) -> Fetched[tuple[SearchHit, ...]]:
        """Return traits that match a query in GeneNetwork's language, such as "shh species:mouse"."""
        ...

    async def correlate(self, dataset: str, name: str, target: str, *, top: int) -> Fetched[Correlations]:
        """Return the traits of `target` that correlate best with a trait; takes up to minutes."""
        ...

    async def scan(self, dataset: str, name: str, method: MappingMethod) -> Fetched[MappingResult]:
        """Map a trait; takes up to minutes."""
        ...

    async def gene(self, symbol: str) -> Fetched[GeneCard]:
        """Return what is known about a gene."""
        ...

    async def marker(self, name: str) -> Fetched[Marker]:
        """Return a marker."""
        ...

    async def facts(self, fact: Fact, about: str) -> Fetched[Facts]:
        """Ask the knowledge graph; `about` is a species, a group or a trait."""
        ...
