"""What GeneNetwork knows, as records; each says where its fields come from by their names there."""

from __future__ import annotations

from pydantic import AliasChoices, Field, model_validator

from knowledge.genenetwork.fields import IsoDate, Number, RawText, Row, Text, Texts, Whole, as_number


def _named(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class Species(Row):
    """A species; `name` is its key ("mouse")."""

    id: Text = Field("", validation_alias=_named("Id", "id"))
    name: Text = Field(validation_alias=_named("Name", "name"), min_length=1)
    full_name: Text = Field("", validation_alias=_named("FullName", "fullName"))
    taxonomy_id: Text = Field("", validation_alias=_named("TaxonomyId", "taxonomicId"))


class Group(Row):
    """A group; `name` is the key of every other call ("BXD")."""

    id: Text = Field("", validation_alias=_named("Id", "id"))
    name: Text = Field(validation_alias=_named("Name", "name"), min_length=1)
    display_name: Text = Field("", validation_alias=_named("DisplayName", "shortName"))
    full_name: Text = Field("", validation_alias=_named("FullName", "fullName"))
    genetic_type: Text = Field("", validation_alias=_named("GeneticType", "geneticType"))
    species_id: Text = Field("", validation_alias="SpeciesId")
    public: Whole = Field(None, validation_alias="public")


class DatasetSummary(Row):
    """A row of /datasets/GROUP: molecular data; `dated` is the curators' date."""

    id: Text = Field(validation_alias=_named("Id", "id"), min_length=1)
    name: Text = Field(validation_alias=_named("Short_Abbreviation", "name"), min_length=1)
    long_name: Text = Field("", validation_alias=_named("Long_Abbreviation"))
    full_name: Text = Field("", validation_alias=_named("FullName", "full_name"))
    short_name: Text = Field("", validation_alias=_named("ShortName", "short_name"))
    dated: IsoDate = Field("", validation_alias="CreateTime")
    scale: Text = Field("", validation_alias=_named("DataScale", "data_scale"))
    study: Text = Field("", validation_alias="ProbeFreezeId")
    public: Whole = None
    confidentiality: Whole = Field(None, validation_alias=_named("confidentiality", "confidential"))


class DatasetFacts(Row):
    """The answer of /dataset/NAME."""

    id: Text = ""
    name: Text = Field(min_length=1)
    full_name: Text = ""
    short_name: Text = ""
    dataset_type: Text = ""
    scale: Text = Field("", validation_alias=_named("data_scale", "scale"))
    tissue: Text = ""
    public: Whole = None
    confidentiality: Whole = Field(None, validation_alias=_named("confidential", "confidentiality"))


class DatasetMetadata(Row):
    """GN3's metadata of a dataset; the sections hold HTML."""

    access_rights: Text = Field("", validation_alias=_named("accessRights", "dct:accessRights"))
    accession: Text = Field("", validation_alias="accessionId")
    label: Text = ""
    title: Text = Field("", validation_alias=_named("title", "prefLabel", "altLabel"))
    classified_under: Text = Field("", validation_alias="classifiedUnder")
    dated: IsoDate = Field("", validation_alias="created")
    group: Text = Field("", validation_alias="inbredSet")
    tissue: Text = ""
    platform: Text = ""
    normalization: Text = ""
    organization: Text = ""
    contact: Text = ""
    summary: RawText = Field("", validation_alias="description")
    cases: RawText = Field("", validation_alias="caseInfo")
    citation: RawText = ""

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, value: object) -> object:
        if isinstance(value, dict) and isinstance(value.get("contactPoint"), dict):
            return {**value, "contact": value["contactPoint"].get("contactName")}
        return value


class ProbeSetTrait(Row):
    """/trait/DATASET/NAME of molecular data: position in Mb, LRS of the peak, additive effect."""

    id: Text = ""
    name: Text = ""
    symbol: Text = ""
    description: Text = ""
    aliases: Text = Field("", validation_alias=_named("alias", "aliases"))
    chr: Text = ""
    mb: Number = None
    mean: Number = None
    se: Number = None
    locus: Text = ""
    lrs: Number = None
    p_value: Number = None
    additive: Number = None


class PhenotypeFacts(Row):
    """/dataset/GROUP/NUMBER: what a phenotype is and where it was published."""

    id: Text = Field(min_length=1)
    dataset_type: Text = ""
    description: Text = ""
    abbreviation: Text = Field("", validation_alias="name")
    pubmed_id: Text = ""
    title: Text = ""
    year: Text = ""


class PhenotypeMetadata(Row):
    """GN3's metadata of a phenotype."""

    abbreviation: Text = ""
    description: Text = ""
    mean: Number = None
    lod: Number = Field(None, validation_alias="lodScore")
    additive: Number = None
    display_name: Text = Field("", validation_alias="traitName")
    species: Text = ""
    datasets: Texts = ()
    locus_chr: Text = ""
    locus_mb: Number = None
    locus: Text = ""
    authors: Texts = ()

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        flat = {name: one for name, one in value.items() if name not in {"locus", "dataset"}}
        locus = value.get("locus")
        if isinstance(locus, dict):
            flat |= {"locus": locus.get("trait"), "locus_chr": locus.get("chromosome"), "locus_mb": locus.get("mb")}
        elif isinstance(locus, str):
            flat["locus"] = locus
        datasets = value.get("dataset")
        found = datasets if isinstance(datasets, list) else [datasets]
        flat["datasets"] = [one.get("identifier") for one in found if isinstance(one, dict)]
        references = value.get("references")
        if isinstance(references, dict):
            flat["authors"] = references.get("creator")
        return flat


class Sample(Row):
    """A value of a trait in one strain or individual; SE and number of cases where they are known."""

    name: Text = Field(validation_alias=_named("sample_name", "name"), min_length=1)
    value: float
    se: Number = None
    cases: Whole = Field(None, validation_alias=_named("n_cases", "cases"))

    @model_validator(mode="before")
    @classmethod
    def _has_a_value(cls, value: object) -> object:
        if isinstance(value, dict):
            return {**value, "value": as_number(value.get("value"))}
        return value


class MarkerRow(Row):
    """A marker; its position in Mb is that of the species' assembly in GeneNetwork."""

    name: Text = Field(min_length=1)
    chr: Text = ""
    mb: Number = None
    species: Text = ""
    source: Text = ""


class MappedMarker(Row):
    """A marker of a genome scan: LOD, and for GEMMA the p value and the additive effect.

    Of GEMMA `lod` is -log10 of its p value (GeneNetwork's example: 0.0605538 beside 0.8698536), of R/qtl a LOD.
    """

    name: Text = Field(min_length=1)
    chr: Text = ""
    mb: Number = Field(None, validation_alias=_named("Mb", "mb"))
    lod: float
    p_value: Number = None
    additive: Number = None

    @model_validator(mode="before")
    @classmethod
    def _has_a_lod(cls, value: object) -> object:
        if isinstance(value, dict):
            return {**value, "lod": as_number(value.get("lod_score", value.get("lod")))}
        return value


class CorrelationRow(Row):
    """A trait that correlates: `r` from -1 to 1, its p value, and the number of shared samples."""

    trait: Text = Field(min_length=1)
    r: Number = Field(None, validation_alias=_named("sample_r", "tissue_r", "r"))
    p_value: Number = None
    samples: Whole = Field(None, validation_alias=_named("#_strains", "num_overlap", "samples"))
    symbol: Text = ""


class SearchHit(Row):
    """A trait that a search found; `display_name` is that of pages (BXD_10001)."""

    name: Text = Field(min_length=1)
    dataset: Text = Field(min_length=1)
    dataset_full_name: Text = Field("", validation_alias=_named("dataset_fullname", "dataset_full_name"))
    description: Text = ""
    symbol: Text = ""
    species: Text = ""
    group: Text = ""
    tissue: Text = ""
    code: Text = Field("", validation_alias=_named("inbredsetcode", "code"))
    chr: Text = ""
    mb: Number = None
    mean: Number = None
    lrs: Number = None
    additive: Number = None
    peak_chr: Text = Field("", validation_alias=_named("geno_chr", "peak_chr"))
    peak_mb: Number = Field(None, validation_alias=_named("geno_mb", "peak_mb"))
    pubmed_id: Text = ""
    authors: Texts = ()
    year: Text = ""

    @property
    def display_name(self) -> str:
        """The group's code and the number of a phenotype, where the code has three letters; else the name."""
        return f"{self.code}_{self.name}" if len(self.code) == 3 else self.name


class Rif(Row):
    """A GeneRIF: a sentence on what a gene does, with its paper; `symbol` and `species` say which gene."""

    comment: Text = Field(min_length=1)
    pubmed_id: Text = ""
    symbol: Text = ""
    species: Text = ""
    gene_id: Text = ""
    dated: IsoDate = Field("", validation_alias=_named("created", "dated"))


class Publication(Row):
    """A paper."""

    title: Text = Field(min_length=1)
    authors: Texts = Field((), validation_alias=_named("creator", "authors"))
    journal: Text = ""
    volume: Text = ""
    pages: Text = Field("", validation_alias=_named("page", "pages"))
    year: Text = ""
    abstract: RawText = ""
