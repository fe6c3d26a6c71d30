"""Cards put together from the answers of several calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from selectolax.lexbor import LexborHTMLParser

from bot.live.units import lod_from_lrs
from bot.plain_text import one_line
from knowledge.genenetwork.gate import OpenDataset
from knowledge.genenetwork.menu import Menu, MenuEntry
from knowledge.genenetwork.records import (
    DatasetMetadata,
    DatasetSummary,
    MarkerRow,
    PhenotypeFacts,
    PhenotypeMetadata,
    ProbeSetTrait,
    Rif,
    SearchHit,
)
from knowledge.genenetwork.units import kind_of
from knowledge.genenetwork.values import DatasetCard, DatasetEntry, GeneCard, Trait

MOST_SECTION = 4000  # characters of a section of a dataset's description
_SAMPLES = re.compile(r"\b(\d{1,4})\s+(?:\w+\s+){0,3}?(?:strains|individuals|animals|samples|cases)\b", re.IGNORECASE)


def plain_text(html: str) -> str:
    """Return the text of a fragment of HTML in one line, without scripts and styles."""
    if "<" not in html and "&" not in html:
        return one_line(html)[:MOST_SECTION]
    tree = LexborHTMLParser(html)
    tree.strip_tags(["script", "style", "template", "iframe", "object"], recursive=True)
    body = tree.body
    return one_line(body.text(separator=" ") if body is not None else "")[:MOST_SECTION]


def entries(group: str, rows: Iterable[DatasetSummary], menu: Menu | None) -> list[DatasetEntry]:
    """Return a group's molecular datasets, the last entered first, and its phenotypes and genotypes of the menu."""
    listed = [one for one in menu.entries if one.group == group] if menu else []
    types = {one.name: one.type_name for one in listed}
    ordered = sorted(rows, key=lambda row: (-int(row.id) if row.id.isdigit() else 0, row.name))
    found = []
    for row in ordered:
        type_name = types.get(row.name, "")
        kind = kind_of(type_name or row.full_name) if type_name else "other"
        title = row.full_name or row.name
        found.append(DatasetEntry(group, row.name, title, kind, type_name, row.id, row.dated, row.scale))
    for one in listed:
        if (kind := kind_of(one.type_name)) in {"phenotype", "genotype"}:
            number = one.dataset_id if one.dataset_id != "None" else ""
            found.append(DatasetEntry(group, one.name, one.full_name, kind, one.type_name, number))
    return found


def dataset_card(found: OpenDataset, entry: MenuEntry | None, metadata: DatasetMetadata | None) -> DatasetCard:
    """Return the card of a dataset from what GN2, the menu and the metadata say."""
    facts = found.facts
    type_name = entry.type_name if entry else (facts.tissue if facts else f"{found.kind.title()}s")
    full_name = (facts.full_name if facts else "") or (entry.full_name if entry else "") or found.name
    cases = plain_text(metadata.cases) if metadata else ""
    return DatasetCard(
        species=entry.species if entry else "",
        group=found.group or (entry.group if entry else "") or (metadata.group if metadata else ""),
        name=found.name,
        full_name=full_name,
        short_name=facts.short_name if facts else "",
        kind=kind_of(type_name),
        type_name=type_name,
        dataset_id=facts.id if facts else "",
        accession=metadata.accession if metadata else "",
        tissue=(facts.tissue if facts else "") or (metadata.tissue if metadata else ""),
        platform=metadata.platform if metadata else "",
        normalization=metadata.normalization if metadata else "",
        scale=facts.scale if facts else "",
        dated=metadata.dated if metadata else "",
        organization=metadata.organization if metadata else "",
        contact=metadata.contact if metadata else "",
        samples=sample_size(cases),
        access=metadata.access_rights if metadata else "",
        summary=plain_text(metadata.summary) if metadata else "",
        cases=cases,
        citation=plain_text(metadata.citation) if metadata else "",
    )


def sample_size(cases: str) -> int | None:
    """Return how many strains or individuals a description names first, or None."""
    found = _SAMPLES.search(cases)
    return int(found[1]) if found else None


def molecular_trait(found: OpenDataset, key: str, row: ProbeSetTrait, peak: MarkerRow | None) -> Trait:
    """Return a transcript, protein or metabolite."""
    return Trait(
        dataset=found.name,
        kind=kind_of(found.facts.tissue) if found.facts else "other",
        name=row.name or key,
        display_name=row.name or key,
        description=row.description,
        symbol=row.symbol,
        aliases=row.aliases,
        chr=row.chr,
        mb=row.mb,
        mean=row.mean,
        lrs=row.lrs,
        lod=_lod(row.lrs),
        locus=row.locus,
        peak_chr=peak.chr if peak else "",
        peak_mb=peak.mb if peak else None,
        additive=row.additive,
        p_value=row.p_value,
    )


def phenotype_trait(
    found: OpenDataset, key: str, row: ProbeSetTrait, facts: PhenotypeFacts, more: PhenotypeMetadata | None
) -> Trait:
    """Return a phenotype; `more` adds mean and place of the peak."""
    return Trait(
        dataset=found.name,
        kind="phenotype",
        name=key,
        display_name=(more.display_name if more else "") or key,
        description=facts.description,
        symbol=facts.abbreviation,
        mean=more.mean if more else None,
        lrs=row.lrs,
        lod=_lod(row.lrs),
        locus=row.locus,
        peak_chr=more.locus_chr if more else "",
        peak_mb=more.locus_mb if more else None,
        additive=row.additive,
        pubmed_id=facts.pubmed_id,
        title=facts.title,
        year=facts.year,
        authors=more.authors if more else (),
    )


def marker_trait(dataset: str, row: MarkerRow) -> Trait:
    """Return a marker."""
    return Trait(dataset, "genotype", row.name, row.name, chr=row.chr, mb=row.mb)


def gene_card(symbol: str, names: Sequence[str], hits: Sequence[SearchHit], rifs: Sequence[Rif]) -> GeneCard:
    """Return a gene; its place is that of the first transcript that was found."""
    same = [hit for hit in hits if hit.symbol.casefold() == symbol.casefold()]
    first = next((hit for hit in same if hit.chr), None)
    return GeneCard(
        symbol=first.symbol if first else symbol,
        aliases=tuple(names),
        description=first.description if first else "",
        species=first.species if first else "",
        chr=first.chr if first else "",
        mb=first.mb if first else None,
        dataset=first.dataset if first else "",
        trait=first.name if first else "",
        rifs=tuple(rif.model_copy(update={"comment": plain_text(rif.comment)}) for rif in rifs),
    )


def _lod(lrs: float | None) -> float | None:
    return lod_from_lrs(lrs) if lrs is not None and lrs >= 0 else None
