"""What only SPARQL can say: populations, sets of a family, tissues, papers of a trait, metadata of a dataset."""

from __future__ import annotations

from collections.abc import Callable

from bot.errors import NotFoundError
from bot.live.values import Fetched
from knowledge.genenetwork import sparql_queries
from knowledge.genenetwork.gate import Gate, checked_name
from knowledge.genenetwork.links import Links
from knowledge.genenetwork.privacy import has_public_rights
from knowledge.genenetwork.sparql import Sparql
from knowledge.genenetwork.sparql_queries import Generation
from knowledge.genenetwork.values import Question


class Questions:
    """The questions; each answer holds the query, which can be run again as it is.

    Args:
        sparql: The endpoint.
        gate: Says what is public.
        links: Pages for people.
    """

    def __init__(self, sparql: Sparql, gate: Gate, links: Links) -> None:
        self._sparql = sparql
        self._gate = gate
        self._links = links

    async def populations(self, species: str | None = None) -> Fetched[Question]:
        """Return groups with title, family, type and species: rows of name, title, family, type, species."""
        return await self._asked(lambda graph: sparql_queries.populations(graph, species), self._links.home())

    async def sets(self, family: str) -> Fetched[Question]:
        """Return the groups of a family: rows of name, title."""
        return await self._asked(lambda graph: sparql_queries.sets_of_family(graph, family), self._links.home())

    async def tissues(self, group: str) -> Fetched[Question]:
        """Return the tissues that a group has data of: rows of tissue."""
        return await self._asked(lambda graph: sparql_queries.tissues(graph, group), self._links.home())

    async def publications(self, group: str, display_name: str) -> Fetched[Question]:
        """Return the papers that a phenotype stands in: rows of paper, title, year, journal.

        Args:
            group: Whose phenotype, such as BXD.
            display_name: Such as BXD_10001.
        """
        found = await self._gate.open(group)
        page = self._links.trait(found.name, display_name.rpartition("_")[2])
        return await self._asked(lambda graph: sparql_queries.publications(graph, display_name), page)

    async def dataset(self, name: str) -> Fetched[Question]:
        """Return what the graph says of a dataset: rows of name, title, created, accession, group, tissue, kind.

        Raises:
            NotFoundError: There is no such dataset, or not everybody may see it.
        """
        found = await self._gate.open(checked_name(name))
        asked = await self._asked(
            lambda graph: sparql_queries.dataset_metadata(graph, found.name), self._links.dataset(found.name)
        )
        rows = tuple(row for row in asked.value.rows if has_public_rights(row.get("rights", "")))
        if not rows:
            raise NotFoundError(f"GeneNetwork's graph does not hold the dataset {found.name}.")
        return Fetched(Question(asked.value.query, rows), asked.url, asked.page, asked.fetched_at)

    async def _asked(self, make: Callable[[Generation], str], page: str) -> Fetched[Question]:
        question, data = await self._sparql.ask(make)
        return Fetched(question, data.url, page, data.fetched_at)
