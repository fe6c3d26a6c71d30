"""The traits of a dataset that go with a trait."""

from __future__ import annotations

from contextlib import suppress

from bot.errors import NotFoundError
from bot.live.answers.traits import title_of
from bot.live.data import LiveData
from bot.live.lookups import CorrelationLookup
from bot.live.writing import Writing, cell
from bot.pictures.figures import shown_number

NAMED = 5  # of the best, whose descriptions are fetched; each is a further request


async def correlations(data: LiveData, lookup: CorrelationLookup, writing: Writing) -> None:
    """Write a table of the best correlations."""
    found = await data.trait(lookup.trait.dataset, lookup.trait.name)
    trait = found.value
    computed = await data.correlate(trait.dataset, trait.name, lookup.target, top=lookup.top)
    described = writing.cite(found, f"Trait {trait.display_name} in {trait.dataset}")
    mark = writing.cite(computed, f"Correlations of {trait.display_name} with {computed.value.target}")
    writing.say(f"**{cell(trait.display_name)}**: {cell(trait.description, 400)} {described}")
    rows = computed.value.rows[: lookup.top]
    if not rows:
        raise NotFoundError(f"No trait of {lookup.target[:80]} shares enough strains with it for a correlation.")
    method = {"spearman": "Spearman's rank correlation"}.get(computed.value.method, "correlation")
    best = f"{len(rows)} traits" if len(rows) > 1 else "trait"
    go = "go" if len(rows) > 1 else "goes"
    writing.say(f"The {best} of {cell(computed.value.target)} that {go} best with it, by {method} {mark}:")
    symbol = "rho" if computed.value.method == "spearman" else "r"
    shown: list[tuple[str, ...]] = []
    files: list[tuple[str | float | int | None, ...]] = []
    for place, row in enumerate(rows):
        name, source = "", "–"
        if place < NAMED:
            with suppress(NotFoundError):
                other = await data.trait(computed.value.target, row.trait)
                name = title_of(other.value).removeprefix(other.value.display_name).lstrip(": ")
                source = writing.cite(other, f"Trait {other.value.display_name} in {other.value.dataset}")
        p = f"{row.p_value:.2g}" if row.p_value is not None else ""
        r = shown_number(row.r, 3) if row.r is not None else ""
        n = str(row.samples) if row.samples is not None else ""
        shown.append((cell(row.trait), f"{cell(name, 80)} {source}".strip(), r, p, n))
        files.append((row.trait, name, row.r, row.p_value, row.samples))
    writing.table(("Trait", "What it is", symbol, "p", "n"), shown, mark)
    if lookup.csv:
        writing.data(f"{trait.display_name}_correlations", ("trait", "description", symbol, "p", "n"), files)
    else:
        writing.say('Say "csv" for the table as a file.')
