"""The state of the local GeneNetwork, and what may happen to it."""

from __future__ import annotations

import datetime
from functools import cached_property

from tests.gn_server.content import GENES, PUBLICATIONS, SPECIES, datasets, groups
from tests.gn_server.genetics import Scan, make_markers
from tests.gn_server.values import DatasetRow, Gene, Group, Kind, Marker, Publication, Species, TraitRow


class World:
    """Species, groups, datasets and genes; every change is seen by the next request.

    Args:
        step_mb: Distance of markers; 0.13 gives mice about 20,000.
    """

    def __init__(self, *, step_mb: float = 4.0) -> None:
        self.species: list[Species] = list(SPECIES)
        self.groups: list[Group] = groups()
        self.markers: dict[str, tuple[Marker, ...]] = {
            group.name: make_markers(group, step_mb=step_mb) for group in self.groups
        }
        self.datasets: list[DatasetRow] = datasets({group.name: group for group in self.groups}, self.markers)
        self.genes: list[Gene] = list(GENES)
        self.publications: list[Publication] = list(PUBLICATIONS)
        self._scans: dict[tuple[str, str], Scan] = {}

    # Looking

    def find_species(self, name: str) -> Species | None:
        """Return a species by any of its names, in any case."""
        wanted = name.casefold()
        return next((one for one in self.species if wanted in {one.name.casefold(), one.full_name.casefold()}), None)

    def find_group(self, name: str) -> Group | None:
        """Return a group by name, in any case."""
        return next((one for one in self.groups if one.name.casefold() == name.casefold()), None)

    def find_dataset(self, name: str) -> DatasetRow | None:
        """Return a dataset by name, title, number or accession; a group's name means its phenotypes."""
        wanted = name.casefold()
        for row in self.datasets:
            if wanted in {row.name.casefold(), row.full_name.casefold(), row.accession.casefold() or row.name}:
                return row
            if wanted == str(row.id) and row.kind == "molecular":
                return row
        group = self.find_group(name)
        return self.find_dataset(f"{group.name}Publish") if group else None

    def find_trait(self, dataset: DatasetRow, name: str) -> TraitRow | None:
        """Return a trait by name, with or without its group's code."""
        code = self.group_of(dataset).code
        plain = name.removeprefix(f"{code}_")
        return next((one for one in dataset.traits if one.name.casefold() == plain.casefold()), None)

    def group_of(self, dataset: DatasetRow) -> Group:
        """Return the group of a dataset."""
        return next(group for group in self.groups if group.name == dataset.group)

    def of_group(self, group: str, kind: Kind | None = None) -> list[DatasetRow]:
        """Return the datasets of a group."""
        return [row for row in self.datasets if row.group == group and kind in {None, row.kind}]

    def find_gene(self, symbol: str) -> Gene | None:
        """Return a gene by symbol, in any case."""
        return next((gene for gene in self.genes if gene.symbol.casefold() == symbol.casefold()), None)

    def find_publication(self, pubmed_id: int | None) -> Publication | None:
        """Return a publication."""
        return next((paper for paper in self.publications if paper.pubmed_id == pubmed_id), None)

    def scan(self, dataset: DatasetRow, trait: TraitRow) -> Scan:
        """Return the genome scan of a trait, computed once."""
        key = (dataset.name, trait.name)
        if key not in self._scans:
            self._scans[key] = Scan(self.group_of(dataset), self.markers[dataset.group], trait)
        return self._scans[key]

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """Words of what was not public at the start and must never be shown."""
        return tuple(text for row in self.datasets if not row.is_public for text in (row.name, row.full_name))

    # Changing

    def add_dataset(
        self,
        name: str,
        *,
        group: str = "BXD",
        kind: Kind = "molecular",
        tissue: str = "Liver mRNA",
        full_name: str = "",
        created: datetime.date = datetime.date(2026, 11, 2),
        public: int = 1,
        confidentiality: int = 0,
        rights: str = "public",
        accession: str = "",
        platform: str = "",
        samples: int | None = None,
        summary: str = "",
    ) -> DatasetRow:
        """Enter a dataset with the next number."""
        row = DatasetRow(
            group,
            kind,
            max(one.id for one in self.datasets) + 1,
            name,
            full_name or f"{group} {tissue} ({name})",
            tissue,
            created,
            public,
            confidentiality,
            accession,
            rights,
            platform=platform,
            samples=samples,
            summary=summary,
        )
        self.datasets.append(row)
        return row

    def publish(self, name: str) -> None:
        """Let everybody see a dataset."""
        row = self._get(name)
        row.public, row.confidentiality, row.rights = 1, 0, "public"

    def withdraw(self, name: str) -> None:
        """Take a dataset off the lists (public 0)."""
        self._get(name).public = 0

    def make_confidential(self, name: str) -> None:
        """Restrict a dataset."""
        self._get(name).confidentiality = 1

    def rename(self, name: str, new: str, *, full_name: str = "") -> None:
        """Give a dataset another name; its number stays."""
        row = self._get(name)
        row.name, row.full_name = new, full_name or row.full_name

    def remove(self, name: str) -> None:
        """Delete a dataset."""
        self.datasets.remove(self._get(name))

    def _get(self, name: str) -> DatasetRow:
        return next(row for row in self.datasets if row.name == name)
