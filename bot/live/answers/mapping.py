"""A genome scan of a trait."""

from __future__ import annotations

import asyncio
import math

from bot.errors import NotFoundError
from bot.live import units
from bot.live.answers.traits import title_of, unit_of
from bot.live.data import LiveData
from bot.live.lookups import MappingLookup
from bot.live.values import MappedMarker, MappingMethod, Trait
from bot.live.writing import Writing, cell
from bot.pictures import Drawing, MarkerScore, Picture, genome_scan
from bot.pictures.figures import shown_number
from bot.pictures.genome_scan import Score

LOCI = 5
NO_THRESHOLD = "no significance threshold: GeneNetwork's API returns none"
SAME = 0.01  # by which -log10 p may differ from the score that is it


def method_name(method: MappingMethod, *, loco: bool = True) -> str:
    """Return what a mapping method is called."""
    if method == "rqtl":
        return "R/qtl (Haley-Knott regression)"
    return "GEMMA with LOCO" if loco else "GEMMA"


async def mapping(data: LiveData, drawing: Drawing, lookup: MappingLookup, writing: Writing) -> None:
    """Write the best loci of a trait, with a picture of the whole scan."""
    found = await data.trait(lookup.trait.dataset, lookup.trait.name)
    trait = found.value
    scan = await data.scan(trait.dataset, trait.name, lookup.method)
    markers = [one for one in scan.value.markers if math.isfinite(one.lod)]
    if not markers:
        raise NotFoundError(f"GeneNetwork computed no result for {trait.display_name[:80]}: try the other method.")
    described = writing.cite(found, f"Trait {trait.display_name} in {trait.dataset}")
    mark = writing.cite(scan, f"Mapping of {trait.display_name} in {trait.dataset}")
    writing.say(f"**{cell(trait.display_name)}** in {cell(trait.dataset)}: {cell(trait.description, 400)} {described}")
    loci = await asyncio.to_thread(best_loci, markers)
    peak, score = loci[0], score_of(markers)
    more = f" (LRS {shown_number(units.lrs_from_lod(max(0.0, peak.lod)))})" if score == "LOD" else ""
    method = method_name(scan.value.method, loco=scan.value.loco)
    place = units.position(cell(peak.chr), peak.mb, trait.assembly) or "place unknown"
    writing.say(
        f"Mapped by {method} over {len(markers):,} markers, it peaks at {cell(peak.name)}, {place}, with {score} "
        f"{shown_number(peak.lod)}{more} {mark}."
    )
    unit = cell(unit_of(trait), 40) if trait.kind == "phenotype" else ""
    writing.table(
        ("Locus", "Position", score, "p", f"Additive effect{f' ({unit})' if unit else ''}"),
        [_row(one, trait) for one in loci],
        mark,
    )
    writing.say(
        "Of each chromosome the best marker is listed. No significance threshold is drawn: GeneNetwork's API returns "
        f"none, also where permutations are asked for; run them on the trait's page, Mapping Tools {described}."
    )
    placed = [one for one in markers if one.mb is not None and one.chr]
    if placed:
        await writing.draw(drawing, f"{trait.display_name}_map", _draw, trait, placed, score)
    if lookup.csv:
        rows = [(one.name, one.chr, one.mb, one.lod, one.p_value, one.additive) for one in markers]
        columns = ("marker", "chromosome", "position_mb", "lod" if score == "LOD" else "minus_log10_p", "p", "additive")
        await asyncio.to_thread(writing.data, f"{trait.display_name}_map", columns, rows)
    else:
        writing.say('Say "csv" for the scores of all markers as a file.')


def best_loci(markers: list[MappedMarker]) -> list[MappedMarker]:
    """Return the best markers, at most `LOCI`, one of each chromosome."""
    loci: list[MappedMarker] = []
    for one in sorted(markers, key=lambda marker: (-marker.lod, marker.name)):
        if all(one.chr != other.chr for other in loci):
            loci.append(one)
        if len(loci) == LOCI:
            break
    return loci


def _row(one: MappedMarker, trait: Trait) -> tuple[str, ...]:
    return (
        cell(one.name),
        units.position(cell(one.chr), one.mb, trait.assembly),
        shown_number(one.lod),
        f"{one.p_value:.2g}" if one.p_value is not None else "",
        shown_number(one.additive) if one.additive is not None else "",
    )


def score_of(markers: list[MappedMarker]) -> Score:
    """Return what the scores are: LOD, or -log10 p, which GeneNetwork sends for GEMMA under the name of LOD.

    Source:
        GN2's gemma_mapping.py sets lod_score to -log10(p_value): the documented answer has 0.0605538 beside 0.8698536.
    """
    best = max(markers, key=lambda marker: marker.lod)
    if best.p_value is None or not 0 < best.p_value <= 1:
        return "LOD"
    return "−log10 p" if abs(best.lod + math.log10(best.p_value)) < SAME else "LOD"


def _draw(trait: Trait, markers: list[MappedMarker], score: Score) -> Picture:
    scores = [MarkerScore(one.name, one.chr, one.mb or 0.0, one.lod) for one in markers]
    return genome_scan(title_of(trait), scores, score=score, assembly=trait.assembly, remark=NO_THRESHOLD)
