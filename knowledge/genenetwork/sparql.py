"""The SPARQL endpoint: sends the queries of `sparql_queries` to the generation of the graph that is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pydantic import JsonValue

from bot.errors import NotFoundError
from knowledge.genenetwork import sparql_queries
from knowledge.genenetwork.errors import ServiceFailedError
from knowledge.genenetwork.fields import as_text
from knowledge.genenetwork.service import Data, Service
from knowledge.genenetwork.sparql_queries import GENERATIONS, Generation
from knowledge.genenetwork.values import Question

RESULTS = "application/sparql-results+json"


class Sparql:
    """The questions.

    Args:
        service: The endpoint.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._generation: Generation | None = None
        self._choosing = asyncio.Lock()

    async def ask(self, make: Callable[[Generation], str], *, fresh_s: float | None = None) -> tuple[Question, Data]:
        """Ask a question of `sparql_queries`; `fresh_s` as in `Service.get`.

        Raises:
            UnavailableError: If the endpoint is down, or holds no graph of GeneNetwork.
        """
        return await self._run(make(await self._chosen()), fresh_s)

    async def restricted(self, *, fresh_s: float | None = None) -> frozenset[str]:
        """Return the names, in small letters, of all datasets that not everybody may see.

        Raises:
            UnavailableError: If they cannot all be told.
        """
        asked, _ = await self.ask(sparql_queries.restricted_datasets, fresh_s=fresh_s)
        if len(asked.rows) >= sparql_queries.MOST_RESTRICTED:
            raise ServiceFailedError(f"{self._service.name} lists too many restricted datasets to know them all.")
        return frozenset(text.casefold() for row in asked.rows for text in row.values())

    async def _chosen(self) -> Generation:
        async with self._choosing:
            if self._generation is None:
                for generation in GENERATIONS:
                    found, _ = await self._run(sparql_queries.has_datasets(generation), None)
                    if found.rows:
                        self._generation = generation
                        break
                else:
                    raise ServiceFailedError(
                        f"{self._service.name} holds no graph of GeneNetwork: check LOCUS_GENENETWORK_SPARQL_URL."
                    )
            return self._generation

    async def _run(self, query: str, fresh_s: float | None) -> tuple[Question, Data]:
        try:
            data = await self._service.post({"query": query}, accept=RESULTS, fresh_s=fresh_s)
        except NotFoundError as error:
            raise ServiceFailedError(
                f"{self._service.name} is not at its address: check LOCUS_GENENETWORK_SPARQL_URL."
            ) from error
        return Question(query, _rows(data.value, self._service.name)), data


def _rows(value: JsonValue, name: str) -> tuple[dict[str, str], ...]:
    """Return SPARQL 1.1 JSON results as texts; an unbound variable is not in its row."""
    results = value.get("results") if isinstance(value, dict) else None
    bindings = results.get("bindings") if isinstance(results, dict) else None
    if not isinstance(bindings, list):
        raise ServiceFailedError(f"{name} sent data of an unknown form: try again later.")
    return tuple(
        {key: as_text(cell.get("value")) for key, cell in row.items() if isinstance(cell, dict)}
        for row in bindings
        if isinstance(row, dict)
    )
