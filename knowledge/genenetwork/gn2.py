"""GN2's REST API (`v_pre1`): the calls Locus uses, each as records with the data they came from."""

from __future__ import annotations

from pydantic import JsonValue

from bot.errors import NotFoundError
from bot.live.values import MappingMethod
from knowledge.genenetwork.errors import ServiceFailedError
from knowledge.genenetwork.fields import read, read_all, read_many
from knowledge.genenetwork.menu import Menu, read_menu
from knowledge.genenetwork.records import (
    CorrelationRow,
    DatasetFacts,
    DatasetSummary,
    Group,
    MappedMarker,
    PhenotypeFacts,
    ProbeSetTrait,
    Sample,
    Species,
)
from knowledge.genenetwork.service import Data, Service
from knowledge.genenetwork.values import CorrelationKind


class Gn2:
    """The calls; rows come as they are, and `privacy` says which may be shown.

    Args:
        service: GN2, with its base address.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def species(self) -> tuple[tuple[Species, ...], Data]:
        """Return all species."""
        data = await self._service.get(self._service.url("species"))
        return read_all(Species, data.value, self._service.name), data

    async def groups(
        self, species: str | None = None, *, fresh_s: float | None = None
    ) -> tuple[tuple[Group, ...], Data]:
        """Return the groups of a species, or all.

        Raises:
            NotFoundError: There is no such species, or it has no group.
        """
        parts = ("groups",) if species is None else ("groups", species)
        data = await self._service.get(self._service.url(*parts), fresh_s=fresh_s)
        return read_all(Group, data.value, self._service.name), data

    async def menu(self, *, fresh_s: float | None = None) -> tuple[Menu, Data]:
        """Return all listed datasets in GN3's form; some may be confidential.

        Raises:
            NotFoundError: This release has no such call.
        """
        data = await self._service.get(self._service.url("gen_dropdown"), fresh_s=fresh_s)
        return read_menu(data.value, self._service.name), data

    async def datasets(self, group: str, *, fresh_s: float | None = None) -> tuple[tuple[DatasetSummary, ...], Data]:
        """Return the rows of a group's molecular datasets, also of those that are not public.

        The documented form with a species before the group fails on the server.

        Raises:
            NotFoundError: There is no such group, or it has none.
        """
        data = await self._service.get(self._service.url("datasets", group), fresh_s=fresh_s)
        return await read_many(DatasetSummary, data.value, self._service.name), data

    async def dataset(self, name: str, *, fresh_s: float | None = None) -> tuple[DatasetFacts, Data]:
        """Return a molecular dataset by name, number or title.

        Raises:
            NotFoundError: There is none that is public.
        """
        data = await self._service.get(self._service.url("dataset", name), fresh_s=fresh_s)
        return read(DatasetFacts, data.value, self._service.name), data

    async def has_traits(self, dataset: str, *, fresh_s: float | None = None) -> bool:
        """Whether a dataset of phenotypes or genotypes is public and has traits (the call filters by itself)."""
        url = self._service.url("traits", dataset, limit_to=1, ids_only=1)
        try:
            data = await self._service.get(url, fresh_s=fresh_s)
        except NotFoundError:
            return False
        except ServiceFailedError as error:
            if error.status == 500:  # what GN2 says of a dataset that is not there
                return False
            raise
        return isinstance(data.value, list) and bool(data.value)

    async def phenotype(self, group: str, number: str) -> tuple[PhenotypeFacts, Data]:
        """Return what a phenotype is; where the number is a dataset's too, two answers come and one is left out.

        Raises:
            NotFoundError: There is no such phenotype that is public.
        """
        data = await self._service.get(self._service.url("dataset", group, number))
        values: list[JsonValue] = data.value if isinstance(data.value, list) else [data.value]
        for value in values:
            if isinstance(value, dict) and value.get("dataset_type") == "phenotype":
                return read(PhenotypeFacts, value, self._service.name), data
        raise NotFoundError(f"{self._service.name} knows no phenotype {number} of {group}: check the number.")

    async def trait(self, dataset: str, name: str) -> tuple[ProbeSetTrait, Data]:
        """Return a trait; of a phenotype only peak and effect are filled.

        Raises:
            NotFoundError: There is no such trait.
        """
        data = await self._service.get(self._service.url("trait", dataset, name))
        if not isinstance(data.value, dict) or not data.value:
            raise NotFoundError(f"{self._service.name} knows no such trait: check its name.")
        return read(ProbeSetTrait, data.value, self._service.name), data

    async def samples(self, dataset: str, name: str) -> tuple[tuple[Sample, ...], Data]:
        """Return the values of a trait; samples without one are left out.

        Raises:
            NotFoundError: There is no such trait, or it has no value.
        """
        data = await self._service.get(self._service.url("sample_data", dataset, name))
        if data.value == []:
            raise NotFoundError(f"{self._service.name} has no values of this trait: check its name.")
        return await read_many(Sample, data.value, self._service.name), data

    async def mapping(
        self, dataset: str, trait: str, method: MappingMethod, *, loco: bool
    ) -> tuple[tuple[MappedMarker, ...], Data]:
        """Compute a genome scan, which may take minutes; markers come in genome order.

        Raises:
            NotFoundError: The computation gave no result.
        """
        query = {"trait_id": trait, "db": dataset, "method": method}
        if method == "gemma":
            query["use_loco"] = "true" if loco else "false"
        data = await self._service.get(self._service.url("mapping", **query), compute=True)
        rows = data.value
        # GEMMA's markers come as the first of a pair, R/qtl's as the list itself.
        if isinstance(rows, list) and rows and (isinstance(rows[0], list) or rows[0] == {}):
            rows = rows[0] or []
        if rows == []:
            raise NotFoundError(
                f"{self._service.name} computed no genome scan of this trait: it may have too few values."
            )
        return await read_many(MappedMarker, rows, self._service.name), data

    async def correlation(
        self, dataset: str, trait: str, target: str, *, kind: CorrelationKind, limit: int
    ) -> tuple[tuple[CorrelationRow, ...], Data]:
        """Compute the best correlations by |r|; few shared samples give none."""
        url = self._service.url(
            "correlation",
            trait_id=trait,
            db=dataset,
            target_db=target,
            type=kind,
            method="spearman",
            return_count=limit,
        )
        try:
            data = await self._service.get(url, compute=True)
        except NotFoundError as error:
            raise NotFoundError(f"{self._service.name} found no correlations of this trait: check its name.") from error
        if not isinstance(data.value, list):
            raise ServiceFailedError(f"{self._service.name} sent data of an unknown form: try again later.")
        return (await read_many(CorrelationRow, data.value, self._service.name))[:limit], data
