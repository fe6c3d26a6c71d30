"""What a trait is, its values by strain, and two traits against each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bot.live import units
from bot.live.data import LiveData
from bot.live.lookups import CompareLookup, TraitName, ValuesLookup
from bot.live.values import Fetched, Sample, Trait
from bot.live.writing import Writing, cell
from bot.pictures import Drawing, StrainValue, Variable, histogram, scatter, strain_values
from bot.pictures.figures import shown_number
from bot.pictures.histogram import normality_hint
from bot.pictures.scatter import correlation_text
from bot.statistics import correlate, summarise

OUTERMOST = 3
BARE = frozenset({"ratio", "score", "count", "n", "index", "scale"})  # units that do not stand behind figures


def title_of(trait: Trait) -> str:
    """Return a trait's name with what it is, for a heading."""
    what = f"{trait.symbol}: {trait.description}" if trait.symbol and trait.kind != "phenotype" else trait.description
    return f"{trait.display_name} {what}".strip() if trait.kind != "phenotype" else f"{trait.display_name}: {what}"


def unit_of(trait: Trait) -> str:
    """Return what the trait's values are."""
    if trait.kind == "phenotype":
        return units.unit_of(trait.description)
    return units.scale(trait.kind, trait.scale)


def measured(value: float, one: Trait) -> str:
    """Return a figure in units of a trait, with the unit where it is one that stands behind figures."""
    unit = cell(unit_of(one), 40) if one.kind == "phenotype" else ""
    return shown_number(value) if unit.casefold() in BARE else f"{shown_number(value)} {unit}".strip()


async def fetch(data: LiveData, name: TraitName) -> tuple[Fetched[Trait], Fetched[tuple[Sample, ...]]]:
    """Return a trait and its values."""
    found = await data.trait(name.dataset, name.name)
    return found, await data.samples(found.value.dataset, found.value.name)


async def trait(data: LiveData, name: TraitName, writing: Writing) -> None:
    """Write what a trait is: description, place, mean, peak."""
    found, samples = await fetch(data, name)
    one = found.value
    mark = writing.cite(found, f"Trait {one.display_name} in {one.dataset}")
    writing.say(f"**{cell(one.display_name)}** in {cell(one.dataset)}: {cell(one.description, 400)} {mark}")
    symbol = "Abbreviation" if one.kind == "phenotype" else "Gene"
    writing.items(
        (
            (symbol, cell(one.symbol)),
            ("Aliases", cell(one.aliases)),
            ("Position", units.position(cell(one.chr), one.mb, one.assembly)),
            *_peak(one),
            ("Publication", _publication(one)),
        ),
        mark,
    )
    if samples.value:
        _summary(one, samples, writing)


def _peak(one: Trait) -> tuple[tuple[str, str], ...]:
    lod = one.lod
    if lod is None and one.lrs is not None and one.lrs >= 0:
        lod = units.lod_from_lrs(one.lrs)
    if lod is None:
        return ()
    at = units.position(cell(one.peak_chr), one.peak_mb, one.assembly)
    place = f" at {cell(one.locus)}" if one.locus else ""
    lrs = f" (LRS {shown_number(one.lrs)})" if one.lrs is not None else ""
    effect = measured(one.additive, one) if one.additive is not None else ""
    return (
        ("Highest peak stored", f"LOD {shown_number(lod)}{lrs}{place}{f', {at}' if at else ''}"),
        ("Additive effect of that marker", effect),
    )


def _publication(one: Trait) -> str:
    if not one.title:
        return ""
    parts = (cell(one.title, 200), cell(one.year), f"PubMed {cell(one.pubmed_id)}" if one.pubmed_id else "")
    return ", ".join(part for part in parts if part)


def _summary(one: Trait, samples: Fetched[tuple[Sample, ...]], writing: Writing) -> str:
    figures = summarise([sample.value for sample in samples.value])
    mark = writing.cite(samples, f"Values of {one.display_name} in {one.dataset}")
    unit = unit_of(one)
    writing.items(
        (
            ("Mean over strains", units.mean_with_error(figures.mean, figures.se, figures.n)),
            ("Range", f"{shown_number(figures.smallest)} to {shown_number(figures.largest)}"),
            ("Unit", cell(unit)),
        ),
        mark,
    )
    return mark


async def values(data: LiveData, drawing: Drawing, lookup: ValuesLookup, writing: Writing) -> None:
    """Write a trait's values in figures, with a picture of all of them."""
    found, samples = await fetch(data, lookup.trait)
    one = found.value
    described = writing.cite(found, f"Trait {one.display_name} in {one.dataset}")
    writing.say(
        f"Values of **{cell(one.display_name)}** in {cell(one.dataset)}: {cell(one.description, 400)} {described}"
    )
    if not samples.value:
        no_values = writing.cite(samples, f"Values of {one.display_name} in {one.dataset}")
        writing.say(f"GeneNetwork has no values of it {no_values}.")
        return
    mark = _summary(one, samples, writing)
    numbers = [sample.value for sample in samples.value]
    ordered = sorted(samples.value, key=lambda sample: (sample.value, sample.name))
    writing.items(
        (
            ("Lowest", _named(ordered[:OUTERMOST])),
            ("Highest", _named(ordered[::-1][:OUTERMOST])),
            ("Distribution", normality_hint(numbers)),
        ),
        mark,
    )
    unit = unit_of(one)
    if lookup.view == "histogram":
        await writing.draw(drawing, f"{one.display_name}_histogram", histogram, title_of(one), numbers, unit)
    else:
        bars = [StrainValue(sample.name, sample.value, sample.se, sample.cases) for sample in ordered]
        await writing.draw(drawing, f"{one.display_name}_values", strain_values, title_of(one), bars, unit)
    if lookup.csv:
        rows = [(sample.name, sample.value, sample.se, sample.cases) for sample in samples.value]
        writing.data(f"{one.display_name}_values", ("strain", "value", "se", "n"), rows)
    else:
        writing.say('Say "csv" for the data as a file.')


def _named(samples: Sequence[Sample]) -> str:
    return ", ".join(f"{cell(one.name, 30)} {shown_number(one.value)}{_error(one)}" for one in samples)


def _error(sample: Sample) -> str:
    return f" ± {shown_number(sample.se, 2)}" if sample.se is not None and math.isfinite(sample.se) else ""


async def compare(data: LiveData, drawing: Drawing, lookup: CompareLookup, writing: Writing) -> None:
    """Write how two traits go together over the strains that have both."""
    (first, first_values), (second, second_values) = await fetch(data, lookup.first), await fetch(data, lookup.second)
    x, y = first.value, second.value
    marks = [
        writing.cite(samples, f"Values of {one.display_name} in {one.dataset}")
        for one, samples in ((x, first_values), (y, second_values))
    ]
    others = {sample.name: sample for sample in second_values.value}
    pairs = [(sample, others[sample.name]) for sample in first_values.value if sample.name in others]
    heading = f"**{cell(x.display_name)}** and **{cell(y.display_name)}**"
    if not pairs:
        writing.say(f"{heading} have no strain in common {' '.join(marks)}.")
        return
    xs, ys = [one.value for one, _ in pairs], [other.value for _, other in pairs]
    writing.say(f"{heading}: {correlation_text(correlate(xs, ys), len(pairs))} {' '.join(marks)}.")
    writing.say(f"- {cell(title_of(x), 200)} {marks[0]}\n- {cell(title_of(y), 200)} {marks[1]}")
    name = f"{x.display_name}_{y.display_name}"
    title = f"{x.display_name} and {y.display_name}"
    await writing.draw(drawing, name, scatter, title, Variable(_axis(x), xs), Variable(_axis(y), ys))
    if lookup.csv:
        rows = [(one.name, one.value, one.se, other.value, other.se) for one, other in pairs]
        columns = ("strain", x.display_name, f"{x.display_name} se", y.display_name, f"{y.display_name} se")
        writing.data(name, columns, rows)
    else:
        writing.say('Say "csv" for the data as a file.')


def _axis(one: Trait) -> str:
    unit = unit_of(one)
    what = one.symbol or one.display_name
    name = what if what == one.display_name else f"{one.display_name} ({what})"
    return f"{name}, {unit}" if unit else name
