"""The documents that describe a dataset, named below its card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.errors import BotError
from bot.evidence import Answer, Citation, Home
from bot.live.lookups import DatasetLookup, Lookup
from bot.live.writing import cell
from bot.ports import PUBLIC_SCOPE, Retriever
from bot.texts import live_note_with_documents

LOOKED_THROUGH = 20
NAMED = 3


async def with_documents(answer: Answer, lookup: Lookup, retriever: Retriever) -> Answer:
    """Return the card of a dataset with the public documents that name it; every other answer as it is."""
    if not (isinstance(lookup, DatasetLookup) and answer.answered and answer.citations):
        return answer
    names = _names(answer, lookup)
    try:
        evidence = await retriever.search(" ".join(names), scopes=(PUBLIC_SCOPE,), top_k=LOOKED_THROUGH)
    except BotError:
        return answer  # the card stands without them
    homes = dict.fromkeys(
        home
        for passage in evidence.passages
        for home in passage.homes
        if any(name.casefold() in f"{passage.text} {home.title} {home.source}".casefold() for name in names)
    )
    return _named(answer, list(homes)[:NAMED]) if homes else answer


def _names(answer: Answer, lookup: DatasetLookup) -> tuple[str, ...]:
    """Return the dataset's name and what else it was called; the citation's title begins with the name."""
    name = answer.citations[0].title.removeprefix("Dataset ").partition(":")[0]
    return tuple(dict.fromkeys((name, lookup.name)))


def _named(answer: Answer, homes: Sequence[Home]) -> Answer:
    numbers = range(len(answer.citations) + 1, len(answer.citations) + 1 + len(homes))
    citations = tuple(
        Citation(number, cell(home.title) or home.source, home.source, home.url, "")
        for number, home in zip(numbers, homes, strict=True)
    )
    listed = ", ".join(f"{one.title} [{one.n}]" for one in citations)
    return replace(
        answer,
        text=f"{answer.text}\n\nDocuments that name it: {listed}.",
        citations=(*answer.citations, *citations),
        note=live_note_with_documents(answer.note),
    )
