"""What the client hands out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.live.values import MappingMethod
from knowledge.genenetwork.records import CorrelationRow, MappedMarker, Rif

CorrelationKind = Literal["sample", "tissue", "literature"]


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """A public dataset of a group.

    Attributes:
        group: Its group.
        name: The key of every other call and link.
        full_name: Title for people.
        kind: "mrna", "phenotype", "genotype", "protein" or "other".
        type_name: The menu's type, such as "Hippocampus mRNA"; "" where no menu is there.
        dataset_id: GeneNetwork's number, or "".
        dated: ISO date of the curators, sometimes years before it was entered, or "".
        scale: Such as "log2", or "".
    """

    group: str
    name: str
    full_name: str
    kind: str
    type_name: str = ""
    dataset_id: str = ""
    dated: str = ""
    scale: str = ""


@dataclass(frozen=True, slots=True)
class DatasetList:
    """Some datasets of a group.

    Attributes:
        entries: As many as were asked for.
        total: How many match.
    """

    entries: tuple[DatasetEntry, ...]
    total: int


@dataclass(frozen=True, slots=True)
class DatasetCard:
    """A public dataset in full; what is not known is "" or None.

    Attributes:
        samples: Number of strains or individuals, where its description says it.
        summary: Plain text of its description.
        cases: Plain text on its cases.
        access: "public", or "" where GeneNetwork only lists it.
    """

    species: str
    group: str
    name: str
    full_name: str
    short_name: str
    kind: str
    type_name: str
    dataset_id: str
    accession: str
    tissue: str
    platform: str
    normalization: str
    scale: str
    dated: str
    organization: str
    contact: str
    samples: int | None
    access: str
    summary: str
    cases: str
    citation: str


@dataclass(frozen=True, slots=True)
class Trait:
    """A trait: a transcript, a protein, a phenotype, a marker. What is not known is "" or None.

    Attributes:
        name: Its key within the dataset ("1436869_at", "10001").
        display_name: What people call it ("BXD_10001").
        chr: Chromosome of the gene, and
        mb: its position in megabases of the species' assembly in GeneNetwork; of a marker its own.
        mean: Over samples.
        lrs: Likelihood ratio statistic of the best marker.
        lod: The same as LOD.
        locus: The best marker, at
        peak_chr: chromosome and
        peak_mb: megabases.
        additive: Effect of that marker, half the difference between the homozygotes.
    """

    dataset: str
    kind: str
    name: str
    display_name: str
    description: str = ""
    symbol: str = ""
    aliases: str = ""
    chr: str = ""
    mb: float | None = None
    mean: float | None = None
    lrs: float | None = None
    lod: float | None = None
    locus: str = ""
    peak_chr: str = ""
    peak_mb: float | None = None
    additive: float | None = None
    p_value: float | None = None
    pubmed_id: str = ""
    title: str = ""
    year: str = ""
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MappingResult:
    """A genome scan; `markers` are in genome order, `loco` says whether GEMMA left the own chromosome out."""

    dataset: str
    trait: str
    method: MappingMethod
    loco: bool
    markers: tuple[MappedMarker, ...]


@dataclass(frozen=True, slots=True)
class Correlations:
    """Traits of a dataset that correlate best with a trait, by |r|.

    `method` is "spearman" for sample correlations: GeneNetwork computes those whatever is asked for.
    """

    dataset: str
    trait: str
    target: str
    kind: CorrelationKind
    method: str
    rows: tuple[CorrelationRow, ...]


@dataclass(frozen=True, slots=True)
class GeneCard:
    """What GeneNetwork knows about a gene; `dataset` and `trait` name one transcript of it."""

    symbol: str
    aliases: tuple[str, ...]
    description: str
    species: str
    chr: str
    mb: float | None
    dataset: str
    trait: str
    rifs: tuple[Rif, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """An answer of SPARQL: the query as it was sent, and rows of named texts."""

    query: str
    rows: tuple[dict[str, str], ...]
