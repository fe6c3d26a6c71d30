"""GN3's REST API, whose place behind the proxy is found at the first call: search, metadata, menu."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from pydantic import JsonValue

from bot.errors import BotError, InvalidRequestError, NotFoundError
from bot.live.values import SearchKind
from knowledge.genenetwork.errors import ServiceDownError, ServiceFailedError
from knowledge.genenetwork.fields import as_text, read, read_all
from knowledge.genenetwork.menu import Menu, read_menu
from knowledge.genenetwork.records import (
    DatasetMetadata,
    MarkerRow,
    PhenotypeMetadata,
    Publication,
    Rif,
    SearchHit,
)
from knowledge.genenetwork.service import Data, Service
from knowledge.genenetwork.timing import Timing

PREFIXES = ("", "/api")  # the proxy adds /api itself on some hosts (gn_api section 0)
PROBE_AGAIN_S = 3600.0


class Gn3:
    """The calls.

    Args:
        service: GN3; its base address gains the prefix that is found.
        timing: Clocks.
    """

    def __init__(self, service: Service, *, timing: Timing) -> None:
        self._service = service
        self._configured = service.base
        self._timing = timing
        self._found: bool | None = None
        self._probed_at = 0.0
        self._probing = asyncio.Lock()

    async def is_there(self) -> bool:
        """Whether there is a GN3 at its address; looked up once, and again after an hour when there was none.

        Raises:
            UnavailableError: If that cannot be told now.
        """
        async with self._probing:
            age_s = self._timing.monotonic() - self._probed_at
            if self._found or (self._found is False and age_s < PROBE_AGAIN_S):
                return self._found
            self._found, self._probed_at = await self._probe(), self._timing.monotonic()
            return self._found

    @property
    def base(self) -> str:
        """Its address, with the prefix as far as that was found."""
        return self._service.base

    async def _probe(self) -> bool:
        for prefix in PREFIXES:
            self._service.base = self._configured + prefix
            try:
                data = await self._service.get(self._service.url("version"), fresh_s=0)
            except ServiceDownError:
                raise
            except BotError:
                continue
            if as_text(data.value) or isinstance(data.value, dict):
                return True
        self._service.base = self._configured
        return False

    async def _get(self, *parts: str, fresh_s: float | None = None, **query: str | int | None) -> Data:
        if not await self.is_there():
            raise ServiceFailedError(
                f"{self._service.name} does not answer at {self._configured}: check LOCUS_GENENETWORK_GN3_URL."
            )
        url = self._service.url(*parts, **query)
        # The search's address ends in a slash, which stands before the query.
        return await self._service.get(url.replace("/search?", "/search/?", 1), fresh_s=fresh_s)

    async def menu(self, *, fresh_s: float | None = None) -> tuple[Menu, Data]:
        """Return all listed datasets; some of them may be confidential, so none may be shown without a look."""
        data = await self._get("menu", "generate", "json", fresh_s=fresh_s)
        return read_menu(data.value, self._service.name), data

    async def dataset(self, name: str, *, fresh_s: float | None = None) -> tuple[DatasetMetadata, Data]:
        """Return the metadata of a dataset by name or accession.

        Raises:
            NotFoundError: It has none.
        """
        data = await self._get("metadata", "datasets", name, fresh_s=fresh_s)
        return read(DatasetMetadata, self._one(data), self._service.name), data

    async def phenotype(self, group: str, number: str) -> tuple[PhenotypeMetadata, Data]:
        """Return the metadata of a phenotype; raises as `dataset`."""
        data = await self._get("metadata", "phenotypes", group, number)
        return read(PhenotypeMetadata, self._one(data), self._service.name), data

    async def marker(self, name: str) -> tuple[MarkerRow, Data]:
        """Return a marker; raises as `dataset`."""
        data = await self._get("metadata", "genotypes", name)
        one = self._one(data)
        return read(MarkerRow, {"name": name, **one}, self._service.name), data

    async def publication(self, pubmed_id: str) -> tuple[Publication, Data]:
        """Return a publication; raises as `dataset`."""
        data = await self._get("metadata", "publications", pubmed_id)
        return read(Publication, self._one(data), self._service.name), data

    async def rifs(self, symbol: str) -> tuple[tuple[Rif, ...], Data]:
        """Return what NCBI's GeneRIF says about a gene; "none" comes as 404, as {} or as an empty list."""
        try:
            data = await self._get("metadata", "rif", symbol)
        except NotFoundError:
            url = self._service.url("metadata", "rif", symbol)
            return (), Data([], url, datetime.fromtimestamp(self._timing.now(), UTC))
        return read_all(Rif, self._several(data), self._service.name), data

    async def search(self, kind: SearchKind, query: str, *, limit: int) -> tuple[tuple[SearchHit, ...], Data]:
        """Return hits in the order of relevance; those of phenotypes are not filtered by the server.

        Raises:
            InvalidRequestError: The query cannot be understood.
        """
        try:
            data = await self._get("search", query=query, type=kind, page=1, per_page=limit)
        except InvalidRequestError as error:
            raise InvalidRequestError(
                "GeneNetwork cannot read this search: use plain words, fields such as symbol:Shh or species:mouse, and "
                "no NOT at its beginning."
            ) from error
        except NotFoundError:
            url = self._service.url("search", query=query, type=kind, page=1, per_page=limit)
            return (), Data([], url, datetime.fromtimestamp(self._timing.now(), UTC))
        return read_all(SearchHit, self._several(data), self._service.name), data

    def _one(self, data: Data) -> dict[str, JsonValue]:
        """Return the single thing of JSON-LD: the object itself, the first under `data`; {} is "not found"."""
        value = data.value
        if isinstance(value, dict) and isinstance(graph := value.get("data"), list):
            value = graph[0] if graph else {}
        if not isinstance(value, dict):
            raise ServiceFailedError(f"{self._service.name} sent data of an unknown form: try again later.")
        plain = {name: one for name, one in value.items() if name != "@context"}
        if not plain:
            raise NotFoundError(f"{self._service.name} does not know this: check the name.")
        return plain

    def _several(self, data: Data) -> list[JsonValue]:
        """Return the things of JSON-LD: a list, what is under `data`, a single object, or none."""
        value = data.value
        if isinstance(value, dict):
            if "data" in value:
                inner = value["data"]
                return inner if isinstance(inner, list) else [inner]
            plain: dict[str, JsonValue] = {name: one for name, one in value.items() if name != "@context"}
            return [plain] if plain else []
        if isinstance(value, list):
            return value
        raise ServiceFailedError(f"{self._service.name} sent data of an unknown form: try again later.")
