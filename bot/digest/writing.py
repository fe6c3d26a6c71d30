"""What a digest says: a headline, the datasets by group, the rest folded into the thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from bot.digest.datasets import Dataset
from bot.digest.interests import KIND_NAMES, Interest, listed_in_words
from bot.digest.news import Part
from bot.digest_memory import BEGINNING, memory_line
from bot.replies import Entry, Section

SHOWN = 10  # datasets in the channel itself; the others stand in the thread
IN_A_PART = 20  # datasets of one message in the thread
MAX_TOLD = 200  # datasets of one digest that are named; of the others the number is said
MAX_MEMORY = 7500  # characters; a turn of a conversation holds 8,000
MANY_GROUPS = 6  # groups that a headline names
CHART_FROM = 11  # datasets
KIND_ADJECTIVES = {"mrna": "mRNA"}  # of a dataset; the other kinds as they are


@dataclass(frozen=True, slots=True)
class Written:
    """A digest as it is posted.

    Attributes:
        parts: The first stands in the channel, the others in its thread.
        memory: The same as plain text, for questions in the thread.
        chart: What the chart counts, the largest first; empty for few datasets.
    """

    parts: tuple[Part, ...]
    memory: str
    chart: tuple[tuple[str, int], ...] = ()


def write_digest(datasets: Sequence[Dataset], interest: Interest, sentences: Mapping[str, str]) -> Written:
    """Return the digest of some datasets.

    Args:
        datasets: Plain and public; at least one.
        interest: What the channel hears of.
        sentences: One sentence on what a dataset is, by `dataset_key`; those that are missing have none.
    """
    ordered = _ordered(datasets)
    told, untold = ordered[:MAX_TOLD], len(ordered) - MAX_TOLD
    shown, folded = told[:SHOWN], told[SHOWN:]
    text = headline(ordered)
    if folded:
        text += f"\n\n… and {len(ordered) - len(shown)} more, in the thread."
    parts = [Part(text, _sections(shown, ordered, sentences))]
    for begin in range(0, len(folded), IN_A_PART):
        piece = folded[begin : begin + IN_A_PART]
        first, last = SHOWN + begin + 1, SHOWN + begin + len(piece)
        heading = f"New datasets {first} to {last} of {len(ordered)}" if first < last else f"New dataset {first}"
        more = untold > 0 and begin + IN_A_PART >= len(folded)
        ending = f"\n\n{untold} more are not named here; GeneNetwork's menus list them." if more else ""
        parts.append(Part(heading + ending, _sections(piece, ordered, sentences)))
    chart = chart_counts(ordered) if len(ordered) >= CHART_FROM else ()
    return Written(tuple(parts), _memory(told, interest, sentences), chart)


def headline(datasets: Sequence[Dataset]) -> str:
    """Return a sentence with counts: "2 new datasets in GeneNetwork: 1 of BXD and 1 of HXBBXH (2 mRNA)."."""
    counts = group_counts(datasets)
    groups = [f"{count} of {name}" for name, count in counts[:MANY_GROUPS]]
    if len(counts) > MANY_GROUPS:
        groups.append(f"{sum(count for _, count in counts[MANY_GROUPS:])} of {len(counts) - MANY_GROUPS} other groups")
    kinds: dict[str, int] = {}
    for dataset in datasets:
        kinds[dataset.kind] = kinds.get(dataset.kind, 0) + 1
    in_kinds = ", ".join(f"{count} {KIND_ADJECTIVES.get(kind, kind)}" for kind, count in kinds.items())
    total = len(datasets)
    noun = "new dataset" if total == 1 else "new datasets"
    if len(counts) == 1:
        return f"{total:,} {noun} of {counts[0][0]} in GeneNetwork ({in_kinds})."
    return f"{total:,} {noun} in GeneNetwork: {listed_in_words(tuple(groups))} ({in_kinds})."


def nothing_new(interest: Interest) -> str:
    """Return the line for a channel that wants one."""
    return f"No new datasets in GeneNetwork{interest.limit} since the last digest."


def group_counts(datasets: Sequence[Dataset]) -> tuple[tuple[str, int], ...]:
    """Return groups with their numbers of datasets, the largest first."""
    return _counts(dataset.group for dataset in datasets)


def chart_counts(datasets: Sequence[Dataset]) -> tuple[tuple[str, int], ...]:
    """Return what the chart shows: datasets by group, or by tissue or kind of data where all are of one group."""
    groups = group_counts(datasets)
    if len(groups) > 1:
        return groups
    return _counts(one.tissue or one.type_name or KIND_NAMES.get(one.kind, one.kind) for one in datasets)


def _counts(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0].casefold())))


def dataset_key(dataset: Dataset) -> str:
    """Return what tells a dataset from all others of a digest."""
    return "/".join((dataset.species, dataset.group, dataset.type_name, dataset.dataset_id, dataset.name))


def facts(dataset: Dataset) -> str:
    """Return a dataset's facts as one line: "Hippocampus mRNA · Affymetrix M430 v2 · 67 samples · dated 2006-06-01"."""
    tissue = dataset.tissue or (dataset.type_name if dataset.kind in {"mrna", "protein"} else "")
    kind = KIND_NAMES.get(dataset.kind, dataset.kind)
    parts = [
        dataset.name if dataset.full_name else "",
        tissue or kind,
        dataset.platform,
        f"{dataset.samples:,} samples" if dataset.samples else "",
        f"dated {dataset.dated}" if dataset.dated else "",
    ]
    return " · ".join(part for part in parts if part)


def _ordered(datasets: Sequence[Dataset]) -> list[Dataset]:
    """Return datasets by group, the largest group first; within one by kind, then the youngest first."""
    places = {name: place for place, (name, _) in enumerate(group_counts(datasets))}
    by_date = sorted(datasets, key=lambda one: one.dated, reverse=True)
    return sorted(by_date, key=lambda one: (places[one.group], one.kind))


def _sections(
    datasets: Sequence[Dataset], all_of_them: Sequence[Dataset], sentences: Mapping[str, str]
) -> tuple[Section, ...]:
    totals = dict(group_counts(all_of_them))
    sections = []
    for group, members in groupby(datasets, key=lambda one: one.group):
        of_group = list(members)
        total = totals[group]
        count = f"{total}" if len(of_group) == total else f"{len(of_group)} of {total}"
        heading = f"{group} ({of_group[0].species}): {count}" if of_group[0].species else f"{group}: {count}"
        sections.append(Section(heading, tuple(_entry(one, sentences) for one in of_group)))
    return tuple(sections)


def _entry(dataset: Dataset, sentences: Mapping[str, str]) -> Entry:
    sentence = sentences.get(dataset_key(dataset), "")
    return Entry(dataset.full_name or dataset.name, dataset.url, ". ".join(filter(None, (facts(dataset), sentence))))


def _memory(datasets: Sequence[Dataset], interest: Interest, sentences: Mapping[str, str]) -> str:
    """Return what a question in the thread is understood by; whole lines, as many as fit."""
    lines = [f"{BEGINNING}{interest.limit}:"]
    length = len(lines[0])
    for number, dataset in enumerate(datasets, 1):
        sentence = sentences.get(dataset_key(dataset), "")
        title = dataset.full_name or dataset.name
        line = memory_line(number, title, dataset.group, dataset.accession, f"{facts(dataset)}. {sentence}")
        length += len(line) + 1
        if length > MAX_MEMORY:
            break
        lines.append(line)
    return "\n".join(lines)
