"""Species, groups, the datasets of a group, and what the knowledge graph lists."""

from __future__ import annotations

import re

from bot.live.data import LiveData
from bot.live.lookups import DatasetsLookup, FactsLookup, GroupsLookup
from bot.live.writing import Writing, cell
from bot.plain_text import one_line

DATASETS = 20
GROUPS = 60
FACTS = 40
FEW = 4  # columns of a table; more of a single thing are a list
CATEGORY = re.compile(r"https?://(?:rdf\.)?genenetwork\.org/(?:v1/)?category/(\w+)")
PUBMED = re.compile(r"https?://(?:rdf\.ncbi\.nlm\.nih\.gov/pubmed|pubmed\.ncbi\.nlm\.nih\.gov)/(\d+)/?")


async def species(data: LiveData, writing: Writing) -> None:
    """Write a table of all species."""
    found = await data.species()
    mark = writing.cite(found, "GeneNetwork: species")
    writing.say(f"GeneNetwork has {len(found.value)} species {mark}:")
    rows = [(cell(one.name), cell(one.full_name), cell(one.taxonomy_id)) for one in found.value]
    writing.table(("Name", "Species", "NCBI taxonomy"), rows, mark)


async def groups(data: LiveData, lookup: GroupsLookup, writing: Writing) -> None:
    """Write a table of groups."""
    found = await data.groups(lookup.species)
    about = f"groups of {cell(lookup.species)}" if lookup.species else "groups"
    mark = writing.cite(found, f"GeneNetwork: {about}")
    shown = found.value[:GROUPS]
    writing.say(f"GeneNetwork has {len(found.value)} {about} {mark}{_cut(len(shown), len(found.value))}:")
    rows = [(cell(one.name), cell(one.full_name), cell(one.genetic_type)) for one in shown]
    writing.table(("Group", "Full name", "Type"), rows, mark)


async def datasets(data: LiveData, lookup: DatasetsLookup, writing: Writing) -> None:
    """Write a table of a group's public datasets, newest first."""
    found = await data.datasets(lookup.group, tissue=lookup.tissue, kind=lookup.kind, text=lookup.text, limit=DATASETS)
    filters = [
        f"{name} {cell(value)}"
        for name, value in (("tissue", lookup.tissue), ("type", lookup.kind), ("text", lookup.text))
        if value
    ]
    suffix = f" with {', '.join(filters)}" if filters else ""
    mark = writing.cite(found, f"GeneNetwork: datasets of {lookup.group}")
    entries, total = found.value.entries, found.value.total
    count = f"{total} public {'dataset' if total == 1 else 'datasets'}" if total else "no public dataset"
    group = entries[0].group if entries else lookup.group  # as GeneNetwork writes it
    writing.say(f"{cell(group)} has {count}{suffix} {mark}{_cut(len(entries), total)}.")
    if entries:
        rows = [
            (cell(one.name), cell(one.full_name), cell(one.type_name or one.kind), cell(one.dated)) for one in entries
        ]
        writing.table(("Name", "Title", "Type", "Dated"), rows, mark)


async def facts(data: LiveData, lookup: FactsLookup, writing: Writing) -> str:
    """Write what the knowledge graph lists; returns the query in SPARQL."""
    found = await data.facts(lookup.fact, lookup.about)
    mark = writing.cite(found, f"GeneNetwork: {lookup.fact} of {lookup.about}")
    rows = found.value.rows
    writing.say(
        f"{cell(lookup.fact).capitalize()} of {cell(lookup.about)} {mark}{_cut(min(FACTS, len(rows)), len(rows))}:"
    )
    columns = list(dict.fromkeys(name for row in rows for name in row))
    shown = [[cell(_named(row.get(name, ""))) for name in columns] for row in rows[:FACTS]]
    names = [one_line(name).capitalize() for name in columns]
    if len(shown) == 1 and len(columns) > FEW:
        writing.items(zip(names, shown[0], strict=True), mark)
    else:
        writing.table(names, shown, mark)
    return found.value.query


def _named(value: str) -> str:
    """Return a value of the graph as people read it: of the address of a paper or a category its name."""
    return CATEGORY.sub(r"\1", PUBMED.sub(r"PubMed \1", value))


def _cut(shown: int, total: int) -> str:
    return f"; the first {shown} are shown" if shown < total else ""
