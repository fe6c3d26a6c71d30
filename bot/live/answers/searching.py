"""Traits that match a query, and what is known about a gene."""

from __future__ import annotations

from bot.live import units
from bot.live.data import LiveData
from bot.live.lookups import GeneLookup, SearchLookup
from bot.live.values import Fetched, SearchHit
from bot.live.writing import Writing, cell
from bot.pictures.figures import shown_number

HITS = 10
RIFS = 5
ALIASES = 20


async def search(data: LiveData, lookup: SearchLookup, writing: Writing) -> None:
    """Write a table of hits, or that there is none."""
    found = await data.search(lookup.kind, lookup.query, limit=HITS)
    # What GeneNetwork finds for a gene are its transcripts and proteins.
    one, several = ("trait of a gene", "traits of genes") if lookup.kind == "gene" else ("phenotype", "phenotypes")
    what = "genes" if lookup.kind == "gene" else "phenotypes"
    mark = writing.cite(found, f"GeneNetwork: {what} that match {lookup.query}")
    count, query = len(found.value), f"“{cell(lookup.query)}” {mark}"
    if not count:
        writing.say(
            f"GeneNetwork finds no public {what} for {query}. Its fields are author, species, group, tissue, dataset, "
            "symbol, chr, description, and ranges such as mean:5..7."
        )
        return
    matching = f"{several} that match" if count > 1 else f"{one} that matches"
    begin = f"The first {count}" if count >= HITS else "The public" if count > 1 else "The one public"
    writing.say(f"{begin} {matching} {query}:")
    hits(found, writing, mark)


def hits(found: Fetched[tuple[SearchHit, ...]], writing: Writing, mark: str) -> None:
    """Write a table of hits."""
    writing.table(
        ("Trait", "Dataset", "What it is", "Mean", "Peak LOD", "Peak at"),
        [_hit(one) for one in found.value],
        mark,
    )


def _hit(one: SearchHit) -> tuple[str, ...]:
    what = f"{one.symbol}: {one.description}" if one.symbol else one.description
    lod = shown_number(units.lod_from_lrs(one.lrs), 3) if one.lrs is not None and one.lrs >= 0 else ""
    return (
        cell(one.display_name),
        cell(one.dataset),
        cell(what, 80),
        shown_number(one.mean) if one.mean is not None else "",
        lod,
        units.position(cell(one.peak_chr), one.peak_mb, one.assembly),
    )


async def gene(data: LiveData, lookup: GeneLookup, writing: Writing) -> None:
    """Write what is known about a gene: names, place, sentences of papers."""
    found = await data.gene(lookup.symbol)
    card = found.value
    mark = writing.cite(found, f"Gene {card.symbol}")
    description = f": {cell(card.description, 300)}" if card.description else ""
    writing.say(f"Gene **{cell(card.symbol)}**{description} {mark}")
    transcript = f"{cell(card.trait)} in {cell(card.dataset)}" if card.trait and card.dataset else ""
    writing.items(
        (
            ("Species", cell(card.species)),
            ("Also called", ", ".join(cell(one, 40) for one in card.aliases[:ALIASES])),
            ("Position", units.position(cell(card.chr), card.mb, card.assembly)),
            ("A transcript of it", transcript),
        ),
        mark,
    )
    if card.rifs:
        lines = [
            f"- {cell(one.comment, 300)}{f' (PubMed {cell(one.pubmed_id)})' if one.pubmed_id else ''} {mark}"
            for one in card.rifs[:RIFS]
        ]
        more = len(card.rifs) - len(lines)
        writing.say(
            f"What papers say of it (GeneRIF){f', {more} more on its page' if more else ''}:\n\n" + "\n".join(lines)
        )
