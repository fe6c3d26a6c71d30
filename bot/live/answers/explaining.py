"""What an identifier that somebody pasted names."""

from __future__ import annotations

from dataclasses import replace

from bot.errors import NotFoundError
from bot.live import units
from bot.live.answers import datasets, searching, traits
from bot.live.data import LiveData
from bot.live.identifiers import kind_of, phenotype
from bot.live.lookups import ExplainLookup
from bot.live.writing import Writing, cell

HITS = 10


async def explain(data: LiveData, lookup: ExplainLookup, writing: Writing) -> None:
    """Write what an identifier names.

    Raises:
        NotFoundError: If it names nothing that is public.
    """
    identifier = lookup.identifier
    kind = kind_of(identifier)
    trait = phenotype(identifier)
    if trait is not None:
        await traits.trait(data, trait, writing)
    elif kind == "marker":
        await _marker(data, identifier, writing)
    elif kind == "probeset":
        await _probeset(data, lookup, writing)
    else:
        await datasets.dataset(data, identifier, writing)


async def _marker(data: LiveData, name: str, writing: Writing) -> None:
    found = await data.marker(name)
    mark = writing.cite(found, f"Marker {found.value.name}")
    place = units.position(cell(found.value.chr), found.value.mb, found.value.assembly) or "an unknown place"
    species = f" of {cell(found.value.species)}" if found.value.species else ""
    writing.say(f"**{cell(found.value.name)}** is a genetic marker{species} at {place} {mark}.")


async def _probeset(data: LiveData, lookup: ExplainLookup, writing: Writing) -> None:
    name = lookup.identifier
    found = await data.search("gene", name, limit=HITS)
    same = tuple(one for one in found.value if one.name.casefold() == name.casefold())
    if not same:
        raise NotFoundError(f"GeneNetwork finds no public probe set {name[:80]!r}: check its name.")
    first = same[0]
    mark = writing.cite(found, f"GeneNetwork: probe set {name}")
    what = f"{first.symbol}, {first.description}" if first.symbol else first.description
    place = units.position(cell(first.chr), first.mb, first.assembly)
    where = f", at {place}" if place else ""
    count = len({one.dataset for one in same})
    writing.say(
        f"**{cell(name)}** is a probe set of {cell(what, 300)}{where}, found in {count} "
        f"{'dataset' if count == 1 else 'datasets'} {mark}."
    )
    searching.hits(replace(found, value=same), writing, mark)
    if lookup.wish:
        writing.say(f"Name the dataset too: `{lookup.wish} {cell(name)} in {cell(first.dataset)}`.")
