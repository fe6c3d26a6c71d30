"""What GeneNetwork knows, as the answers need it. Texts are as GeneNetwork has them, and not to be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeVar

T_co = TypeVar("T_co", covariant=True)
MappingMethod = Literal["gemma", "rqtl"]
SearchKind = Literal["gene", "phenotype"]


@dataclass(frozen=True, slots=True)
class Fetched(Generic[T_co]):
    """A value and where it came from.

    Attributes:
        value: What was asked for.
        url: The request that says so and can be run again; of several, the one that matters most.
        page: GeneNetwork's page about it, for people.
        fetched_at: When GeneNetwork last vouched for it, UTC.
        also: Further requests that it was put together from.
    """

    value: T_co
    url: str
    page: str
    fetched_at: datetime
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Species:
    """A species; `name` is its key."""

    name: str
    full_name: str = ""
    taxonomy_id: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A group (population) of a species; `name` is its key."""

    name: str
    full_name: str = ""
    genetic_type: str = ""


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """A public dataset of a group; `type_name` is that of the menu, `kind` "mrna", "phenotype", ..."""

    group: str
    name: str
    full_name: str
    kind: str
    type_name: str = ""
    dated: str = ""
    scale: str = ""


@dataclass(frozen=True, slots=True)
class DatasetList:
    """Some datasets of a group; `total` says how many match."""

    entries: tuple[DatasetEntry, ...]
    total: int


@dataclass(frozen=True, slots=True)
class DatasetCard:
    """A public dataset; what is not known is "" or None."""

    species: str
    group: str
    name: str
    full_name: str
    kind: str
    type_name: str = ""
    accession: str = ""
    tissue: str = ""
    platform: str = ""
    normalization: str = ""
    scale: str = ""
    dated: str = ""
    organization: str = ""
    contact: str = ""
    samples: int | None = None
    access: str = ""
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Trait:
    """A trait: a transcript, a protein, a phenotype, a marker. What is not known is "" or None.

    Attributes:
        dataset: Its dataset's name.
        kind: As of the dataset.
        name: Its key there ("1436869_at", "10001").
        display_name: What people call it ("BXD_10001").
        species: Of its group, or "".
        assembly: Of the positions, such as "mm10", or "".
        scale: Of the dataset's values, such as "log2", or "".
        chr: Chromosome of the gene.
        mb: Position there, in megabases.
        mean: Over strains, as GeneNetwork stores it.
        lrs: Likelihood ratio statistic of the best marker.
        lod: The same as a LOD score, where GeneNetwork says that.
        locus: The best marker.
        peak_chr: Its chromosome.
        peak_mb: Its position, in megabases.
        additive: Its effect, half the difference between the homozygotes, in units of the trait.
    """

    dataset: str
    kind: str
    name: str
    display_name: str
    description: str = ""
    species: str = ""
    assembly: str = ""
    scale: str = ""
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
    pubmed_id: str = ""
    title: str = ""
    year: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of a trait in a strain or individual; SE and number of cases where they are known."""

    name: str
    value: float
    se: float | None = None
    cases: int | None = None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A trait that a search found; `lrs` is that of its best marker, at `peak_chr`, `peak_mb` of `assembly`."""

    name: str
    dataset: str
    display_name: str
    description: str = ""
    symbol: str = ""
    species: str = ""
    group: str = ""
    tissue: str = ""
    chr: str = ""
    mb: float | None = None
    mean: float | None = None
    lrs: float | None = None
    peak_chr: str = ""
    peak_mb: float | None = None
    assembly: str = ""


@dataclass(frozen=True, slots=True)
class Correlate:
    """A trait that correlates: `r` from -1 to 1, its p value, the number of shared strains."""

    trait: str
    r: float | None
    p_value: float | None = None
    samples: int | None = None


@dataclass(frozen=True, slots=True)
class Correlations:
    """The traits of a dataset that correlate best with a trait, by |r|; `method` is what was computed."""

    target: str
    method: str
    rows: tuple[Correlate, ...]


@dataclass(frozen=True, slots=True)
class MappedMarker:
    """A marker of a genome scan: LOD score, and for GEMMA its p value and additive effect."""

    name: str
    chr: str
    mb: float | None
    lod: float
    p_value: float | None = None
    additive: float | None = None


@dataclass(frozen=True, slots=True)
class MappingResult:
    """A genome scan; `loco` says whether each marker's own chromosome was left out of the kinship."""

    method: MappingMethod
    loco: bool
    markers: tuple[MappedMarker, ...]


@dataclass(frozen=True, slots=True)
class Marker:
    """A marker and its position in megabases of an assembly."""

    name: str
    chr: str
    mb: float | None
    species: str = ""
    assembly: str = ""


@dataclass(frozen=True, slots=True)
class Rif:
    """What a paper says a gene does."""

    comment: str
    pubmed_id: str = ""
    species: str = ""


@dataclass(frozen=True, slots=True)
class GeneCard:
    """A gene; `dataset` and `trait` name one transcript of it."""

    symbol: str
    aliases: tuple[str, ...]
    description: str
    species: str
    chr: str
    mb: float | None
    dataset: str
    trait: str
    rifs: tuple[Rif, ...]
    assembly: str = ""


Fact = Literal["tissues", "populations", "publications", "sets", "metadata"]
"""What only the knowledge graph says: tissues of a group, populations of a species, publications of a trait, metadata
of a dataset, sets of a family of populations, which has a name with blanks such as "Reference Populations
(replicate average, SE, N)".
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """Rows of the knowledge graph, and the query that found them."""

    query: str
    rows: tuple[Mapping[str, str], ...]
