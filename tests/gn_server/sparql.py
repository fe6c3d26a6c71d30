"""The SPARQL endpoint: POSTed queries over the world's triples."""

from __future__ import annotations

import json

from aiohttp import web

from tests.gn_server.graph import GraphKind, triples
from tests.gn_server.sparql_engine import QueryError, Select
from tests.gn_server.world import World

NEW_GRAPH = "http://rdf.genenetwork.org/v1"


class Sparql:
    """The endpoint.

    Args:
        world: What it answers from.
        graph: Which generation is there; the new one must be named by the query.
    """

    def __init__(self, world: World, graph: GraphKind = "old") -> None:
        self._world = world
        self._graph: GraphKind = graph

    def routes(self) -> list[web.RouteDef]:
        """Return its address."""
        return [web.post("/sparql", self._query)]

    async def _query(self, request: web.Request) -> web.Response:
        text = str((await request.post()).get("query", ""))
        try:
            query = Select(text)
        except QueryError as error:
            # Virtuoso's errors are plain text.
            return web.Response(text=f"Virtuoso 37000 Error SP030: {error}", status=400, content_type="text/plain")
        asked: GraphKind = "new" if query.graph == NEW_GRAPH else "old"
        rows = query.run(triples(self._world, self._graph if asked == self._graph else "empty"))
        bindings = [
            {
                name: {"type": "uri" if value.startswith("http") else "literal", "value": value}
                for name, value in row.items()
            }
            for row in rows
        ]
        body = json.dumps({"head": {"vars": query.names}, "results": {"bindings": bindings}})
        return web.Response(text=body, content_type="application/sparql-results+json")
