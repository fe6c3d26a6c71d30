"""What the local GeneNetwork's world consists of."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["molecular", "phenotype", "genotype"]
Values = dict[str, tuple[float, float | None, int | None]]


@dataclass(slots=True)
class Species:
    """A species; `name` is its key, `label` what menus say."""

    id: int
    name: str
    full_name: str
    label: str
    taxonomy_id: int
    binomial: str


@dataclass(slots=True)
class Group:
    """A group; `code` begins the display names of its phenotypes, `assembly` is that of its positions in Mb."""

    id: int
    name: str
    full_name: str
    species: str
    code: str
    genetic_type: str
    samples: tuple[str, ...]
    parents: tuple[str, str]
    chromosomes_mb: Mapping[str, float]
    family: str = "Reference Populations (replicate average, SE, N)"
    public: int = 2


@dataclass(slots=True)
class Publication:
    """A paper in PubMed."""

    pubmed_id: int
    title: str
    authors: tuple[str, ...]
    journal: str
    year: int
    month: str = "Jul"
    volume: str = "21"
    pages: str = "1-12"
    abstract: str = "A made-up abstract."


@dataclass(slots=True)
class TraitRow:
    """A trait: a transcript, a protein, a phenotype; its values are by sample, with SE and number of cases.

    `name` is the probeset's name or the phenotype's number; `id` is a number of the database and no name.
    """

    id: int
    name: str
    description: str
    values: Values
    symbol: str = ""
    aliases: str = ""
    chr: str = ""
    mb: float | None = None
    abbreviation: str = ""
    authors: tuple[str, ...] = ()
    pubmed_id: int | None = None

    @property
    def mean(self) -> float:
        """Mean over samples."""
        return sum(value for value, _, _ in self.values.values()) / len(self.values) if self.values else 0.0


@dataclass(slots=True)
class Gene:
    """A gene, as the alias service and the GeneRIF entries know it."""

    symbol: str
    aliases: tuple[str, ...]
    gene_id: int
    rifs: tuple[tuple[int, str, str], ...] = ()  # PubMed id, comment, date
    wiki: tuple[str, ...] = ()


@dataclass(slots=True)
class DatasetRow:
    """A dataset.

    Attributes:
        group: Name of its group.
        kind: Molecular data have rows in /datasets/GROUP; phenotypes and genotypes do not.
        id: `ProbeSetFreeze.Id` of molecular data; grows in order of entry.
        name: The key in every URL (`Short_Abbreviation`).
        full_name: Title for people.
        tissue: With the kind of data, such as "Hippocampus mRNA": the menus' types.
        created: The curators' date, sometimes back-dated.
        public: Listed from 1 on.
        confidentiality: Open at 0.
        accession: GN accession such as GN112, or "".
        rights: `accessRights` of the metadata: public or private.
        summary: HTML.
    """

    group: str
    kind: Kind
    id: int
    name: str
    full_name: str
    tissue: str = ""
    created: datetime.date = datetime.date(2024, 1, 15)
    public: int = 2
    confidentiality: int = 0
    accession: str = ""
    rights: str = "public"
    short_name: str = ""
    long_name: str = ""
    platform: str = ""
    normalization: str = ""
    average_id: int = 3
    study: int = 1
    scale: str = "log2"
    summary: str = ""
    samples: int | None = None
    traits: list[TraitRow] = field(default_factory=list)

    @property
    def type_name(self) -> str:
        """The menus' type."""
        return {"phenotype": "Phenotypes", "genotype": "Genotypes"}.get(self.kind, self.tissue)

    @property
    def is_public(self) -> bool:
        """Whether everybody may see it."""
        return self.public > 0 and self.confidentiality == 0 and self.rights == "public"


@dataclass(frozen=True, slots=True)
class Marker:
    """A marker with the alleles of all samples of its group: -1 maternal, 1 paternal, 0 heterozygous."""

    name: str
    chr: str
    mb: float
    alleles: tuple[int, ...]
