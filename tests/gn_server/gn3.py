"""GN3's REST API: search, metadata, data, menu."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from tests.gn_server.answers import as_json, gn3_error
from tests.gn_server.gn3_metadata import CONTEXT, Gn3Metadata
from tests.gn_server.menu import menu
from tests.gn_server.values import DatasetRow, TraitRow
from tests.gn_server.world import World

_FIELD = re.compile(r"(\w+):(\S+)")


class Gn3:
    """The handlers, below any prefix.

    Args:
        world: What they answer from.
        prefixes: Below which the API stands: "/api3", "/api3/api", or none at all.
    """

    def __init__(self, world: World, prefixes: tuple[str, ...]) -> None:
        self._world = world
        self._prefixes = prefixes

    def routes(self) -> list[web.RouteDef]:
        """Return all addresses."""
        table: dict[str, Callable[[web.Request], web.Response]] = {
            **Gn3Metadata(self._world).table(),
            "/version": lambda _: as_json("1.0"),
            "/search/": self._search,
            "/menu/generate/json": lambda _: as_json(menu(self._world)),
            "/lmdb/v1/data/traits/{trait}": self._values,
            "/metadata/wiki/{symbol}": self._wiki,
            "/metadata/rif/{symbol}": self._rif,
        }
        rows = [
            web.get(prefix + path, _handled(handler)) for prefix in self._prefixes for path, handler in table.items()
        ]
        # The alias service is a program of its own.
        return [*rows, web.get("/gn3/gene/aliases/{symbol}", _handled(self._aliases))]

    def _search(self, request: web.Request) -> web.Response:
        query, kind = request.query.get("query", ""), request.query.get("type", "gene")
        page, per_page = int(request.query.get("page", "1")), int(request.query.get("per_page", "100"))
        if page < 1:
            return gn3_error(404, "Not Found", "Requested page does not exist")
        if per_page > 50_000:
            return gn3_error(400, "Bad Request", "Requested too many search results")
        if query.strip().upper().startswith("NOT ") or query.count('"') % 2:
            return as_json({"error_type": "QueryParserError", "error": "Syntax: <expression> NOT <expression>"}, 400)
        fields = {
            name: value for name, value in _FIELD.findall(query) if name in {"species", "group", "symbol", "dataset"}
        }
        words = _FIELD.sub("", query).casefold().split()
        hits = [
            self._hit(row, trait)
            for row in self._world.datasets
            if self._searched(row, kind, fields)
            for trait in row.traits
            if ("symbol" not in fields or trait.symbol.casefold() == fields["symbol"].casefold())
            and all(
                word in f"{trait.name} {trait.symbol} {trait.description} {trait.aliases}".casefold() for word in words
            )
        ]
        return as_json(hits[(page - 1) * per_page : page * per_page])

    def _searched(self, row: DatasetRow, kind: str, fields: dict[str, str]) -> bool:
        if row.kind != {"gene": "molecular", "phenotype": "phenotype"}.get(kind):
            return False
        if row.kind == "molecular" and (row.public <= 0 or row.confidentiality > 0):
            return False  # phenotypes are not filtered
        group = self._world.group_of(row)
        return (
            fields.get("species", group.species).casefold() == group.species.casefold()
            and fields.get("group", row.group).casefold() == row.group.casefold()
            and fields.get("dataset", row.name).casefold() == row.name.casefold()
        )

    def _hit(self, row: DatasetRow, trait: TraitRow) -> dict[str, object]:
        scan = self._world.scan(row, trait)
        marker = scan.markers[scan.peak]
        group = self._world.group_of(row)
        hit: dict[str, object | None] = {
            "name": trait.name,
            "description": trait.description,
            "dataset": row.name,
            "dataset_fullname": row.full_name,
            "species": group.species,
            "group": row.group,
            "mean": trait.mean,
            "lrs": scan.lrs(scan.peak),
            "additive": float(scan.additive[scan.peak]),
            "geno_chr": marker.chr,
            "geno_mb": marker.mb,
        }
        if row.kind == "phenotype":
            paper = self._world.find_publication(trait.pubmed_id)
            hit |= {
                "authors": list(trait.authors),
                "inbredsetcode": group.code,
                "pubmed_id": trait.pubmed_id,
                "year": paper.year if paper else None,
            }
        else:
            hit |= {"symbol": trait.symbol, "chr": trait.chr, "mb": trait.mb, "tissue": row.tissue}
        return {name: value for name, value in hit.items() if value is not None}

    def _values(self, request: web.Request) -> web.Response:
        name = request.match_info["trait"].removesuffix(".json")
        dataset, _, number = name.rpartition("_")
        if not dataset or not number.isdigit():
            message = "Format should be <dataset>_<trait_id>, e.g., BXDPublish_12315"
            return as_json({"error": "Invalid trait specification", "message": message}, 400)
        row = self._world.find_dataset(dataset)
        trait = self._world.find_trait(row, number) if row else None
        if trait is None:
            return gn3_error(500, "KeyError", number)
        return as_json({one: {"value": value, "SE": error} for one, (value, error, _) in trait.values.items()})

    def _wiki(self, request: web.Request) -> web.Response:
        gene = self._world.find_gene(request.match_info["symbol"])
        if gene is None or not gene.wiki:
            return as_json({}, 404)
        return as_json([{"symbol": gene.symbol, "comment": text, "species": "mouse", "id": 1} for text in gene.wiki])

    def _rif(self, request: web.Request) -> web.Response:
        gene = self._world.find_gene(request.match_info["symbol"])
        if gene is None or not gene.rifs:
            return as_json({}, 404)
        entries: list[dict[str, object]] = [
            {
                "gene_id": gene.gene_id,
                "version": 1,
                "species": "mouse",
                "symbol": gene.symbol,
                "created": created,
                "pubmed_id": pubmed,
                "comment": comment,
                "taxonomic_id": 10090,
            }
            for pubmed, comment, created in gene.rifs
        ]
        return as_json({"@context": CONTEXT, "data": entries} if len(entries) > 1 else entries[0])

    def _aliases(self, request: web.Request) -> web.Response:
        gene = self._world.find_gene(request.match_info["symbol"])
        return as_json(list(gene.aliases) if gene else [])


def _handled(handler: Callable[[web.Request], web.Response]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        return handler(request)

    return handle
