"""A dataset's card."""

from __future__ import annotations

from bot.live import units
from bot.live.data import LiveData
from bot.live.writing import Writing, cell

SUMMARY_CHARS = 500


async def dataset(data: LiveData, name: str, writing: Writing) -> None:
    """Write what a dataset is."""
    found = await data.dataset(name)
    card = found.value
    mark = writing.cite(found, f"Dataset {card.name}: {card.full_name}")
    writing.say(f"**{cell(card.name)}** is the dataset {cell(card.full_name)} {mark}.")
    group = f"{cell(card.group)} ({cell(card.species)})" if card.species and card.group else cell(card.group)
    measured = units.scale(card.kind, cell(card.scale)) or card.kind
    writing.items(
        (
            ("Group", group),
            ("Tissue", cell(card.tissue)),
            ("What was measured", measured if measured != "other" else cell(card.scale)),
            ("Platform", cell(card.platform)),
            ("Normalisation", cell(card.normalization)),
            ("Samples", str(card.samples) if card.samples is not None else ""),
            ("Dated", cell(card.dated)),
            ("Accession", cell(card.accession)),
            ("Access", cell(card.access) or "listed as public"),
            ("Made by", ", ".join(filter(None, (cell(card.organization), cell(card.contact))))),
        ),
        mark,
    )
    if card.summary:
        writing.say(f"From its description: {cell(card.summary, SUMMARY_CHARS)} {mark}")
