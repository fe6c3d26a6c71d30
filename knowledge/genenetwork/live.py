"""The client behind the port of live answers, `bot.live.data.LiveData`: its records as the core's values."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from typing import TypeVar

from bot.errors import BotError, InvalidRequestError, NotFoundError, UnavailableError
from bot.live import values
from bot.live.values import Fact, Fetched, MappingMethod, SearchKind
from knowledge.genenetwork.client import GeneNetwork
from knowledge.genenetwork.menu import assembly_of
from knowledge.genenetwork.values import DatasetEntry, Question

T = TypeVar("T")
S = TypeVar("S")

CODES = {"HSR": "HSNIH-Palmer", "HRP": "HXBBXH", "BDL": "BXD-Longevity"}
"""Codes that begin display names of phenotypes (InbredSetCode), where they differ from the group's name."""


class LiveGeneNetwork:
    """GeneNetwork for live answers.

    Args:
        client: Asks.
    """

    def __init__(self, client: GeneNetwork) -> None:
        self._client = client

    async def species(self) -> Fetched[tuple[values.Species, ...]]:
        return _all(values.Species, await self._client.species())

    async def groups(self, species: str = "") -> Fetched[tuple[values.Group, ...]]:
        return _all(values.Group, await self._client.groups(species or None))

    async def datasets(
        self, group: str, *, tissue: str = "", kind: str = "", text: str = "", limit: int
    ) -> Fetched[values.DatasetList]:
        def matching(entry: DatasetEntry) -> bool:
            return (
                _within(tissue, entry.type_name, entry.full_name)
                and _within(kind, entry.kind, entry.type_name)
                and _within(text, entry.full_name, entry.name)
            )

        found = await self._client.datasets(group, matching=matching, limit=limit)
        entries = tuple(_as(values.DatasetEntry, one) for one in found.value.entries)
        return _fetched(values.DatasetList(entries, found.value.total), found)

    async def dataset(self, name: str) -> Fetched[values.DatasetCard]:
        found = await self._client.dataset(name)
        return _fetched(_as(values.DatasetCard, found.value), found)

    async def trait(self, dataset: str, name: str) -> Fetched[values.Trait]:
        asked = CODES.get(dataset.upper(), dataset)
        found = await self._client.trait(asked, name)
        species = scale = ""
        with suppress(BotError):  # only completes what is known
            card = (await self._client.dataset(found.value.dataset)).value
            species, scale = card.species, card.scale
        assembly = await self._assembly(species)
        trait = _as(values.Trait, found.value, species=species, scale=scale, assembly=assembly)
        if trait.kind == "phenotype" and trait.display_name == trait.name and len(dataset) == 3 and dataset.isalpha():
            trait = replace(trait, display_name=f"{dataset.upper()}_{trait.name}")
        return _fetched(trait, found)

    async def samples(self, dataset: str, name: str) -> Fetched[tuple[values.Sample, ...]]:
        return _all(values.Sample, await self._client.sample_data(CODES.get(dataset.upper(), dataset), name))

    async def search(self, kind: SearchKind, query: str, *, limit: int) -> Fetched[tuple[values.SearchHit, ...]]:
        found = await self._client.search(kind, query, limit=limit)
        hits = tuple([_as(values.SearchHit, hit, assembly=await self._assembly(hit.species)) for hit in found.value])
        return _fetched(hits, found)

    async def correlate(self, dataset: str, name: str, target: str, *, top: int) -> Fetched[values.Correlations]:
        found = await self._client.correlate(dataset, name, target, limit=top)
        rows = tuple(_as(values.Correlate, row) for row in found.value.rows)
        return _fetched(values.Correlations(found.value.target, found.value.method, rows), found)

    async def scan(self, dataset: str, name: str, method: MappingMethod) -> Fetched[values.MappingResult]:
        found = await self._client.map_trait(dataset, name, method=method)

        def converted() -> tuple[values.MappedMarker, ...]:
            return tuple(_as(values.MappedMarker, marker) for marker in found.value.markers)

        # Tens of thousands of markers take a while.
        markers = await asyncio.to_thread(converted)
        return _fetched(values.MappingResult(found.value.method, found.value.loco, markers), found)

    async def gene(self, symbol: str) -> Fetched[values.GeneCard]:
        found = await self._client.gene(symbol)
        rifs = tuple(_as(values.Rif, rif) for rif in found.value.rifs)
        assembly = await self._assembly(found.value.species)
        return _fetched(_as(values.GeneCard, found.value, rifs=rifs, assembly=assembly), found)

    async def marker(self, name: str) -> Fetched[values.Marker]:
        found = await self._client.marker(name)
        # The species of a marker is its title, "Mouse (Mus musculus, mm10)".
        title = found.value.species
        species, assembly = title.partition(" (")[0], assembly_of(title) or await self._assembly(title)
        return _fetched(_as(values.Marker, found.value, species=species.lower(), assembly=assembly), found)

    async def _assembly(self, species: str) -> str:
        """Return the assembly that GeneNetwork's menu names for a species, or ""."""
        if not species:
            return ""
        named = {name.casefold(): one for name, one in (await self._client.assemblies()).items()}
        return named.get(species.casefold(), "")

    async def facts(self, fact: Fact, about: str) -> Fetched[values.Facts]:
        questions = self._client.questions
        if questions is None:
            raise UnavailableError(
                "This needs GeneNetwork's SPARQL service: set LOCUS_GENENETWORK_SPARQL_URL to its address."
            )
        if fact == "publications":
            code, underscore, _ = about.partition("_")
            if not underscore:
                raise InvalidRequestError("Name the phenotype as BXD_10001 to get its publications.")
            group = CODES.get(code.upper(), code.upper())
            found = await questions.publications(group, f"{code.upper()}_{about.partition('_')[2]}")
        else:
            ask: Mapping[Fact, Callable[[str], Awaitable[Fetched[Question]]]] = {
                "tissues": questions.tissues,
                "populations": questions.populations,
                "sets": questions.sets,
                "metadata": questions.dataset,
            }
            found = await ask[fact](about)
        if not found.value.rows:
            raise NotFoundError(f"GeneNetwork's graph names no {fact} of {about[:80]!r}: check the name.")
        return _fetched(_facts(found.value), found)


def _facts(question: Question) -> values.Facts:
    return values.Facts(question.query, question.rows)


def _within(wanted: str, *texts: str) -> bool:
    return not wanted or any(wanted.casefold() in text.casefold() for text in texts)


def _fetched(value: T, found: Fetched[S]) -> Fetched[T]:
    return Fetched(value, found.url, found.page, found.fetched_at, found.also)


def _all(kind: Callable[..., T], found: Fetched[tuple[S, ...]]) -> Fetched[tuple[T, ...]]:
    return _fetched(tuple(_as(kind, one) for one in found.value), found)


def _as(kind: Callable[..., T], record: object, **more: object) -> T:
    """Return a value of the core from a record that has fields of the same names."""
    names = [field.name for field in fields(kind) if field.name not in more]  # type: ignore[arg-type]
    return kind(**{name: getattr(record, name) for name in names if hasattr(record, name)}, **more)
