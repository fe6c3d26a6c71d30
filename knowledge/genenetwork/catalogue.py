"""The datasets there are, for digests: one call where GN3 or GN2 has a menu, else three per group.

What is listed may hold datasets that not everybody may see; `details` tells.
"""

from __future__ import annotations

from bot.digest.datasets import Dataset, GroupKey, Listed, Listing
from bot.errors import BotError, NotFoundError, UnavailableError
from knowledge.genenetwork.client import GeneNetwork
from knowledge.genenetwork.errors import ServiceDownError, ServiceFailedError
from knowledge.genenetwork.gn2 import Gn2
from knowledge.genenetwork.gn3 import Gn3
from knowledge.genenetwork.menu import Menu
from knowledge.genenetwork.privacy import only_open
from knowledge.genenetwork.units import kind_of

NOW = 0.0  # seconds: a remembered answer counts only if GeneNetwork says that it did not change


class Catalogue:
    """Implements `bot.digest.datasets.DatasetCatalogue`.

    Args:
        genenetwork: The client.
        gn2: GN2's API.
        gn3: GN3's API, or None.
    """

    def __init__(self, genenetwork: GeneNetwork, gn2: Gn2, gn3: Gn3 | None) -> None:
        self._genenetwork = genenetwork
        self._gn2 = gn2
        self._gn3 = gn3

    async def listed(self) -> Listing:
        if self._gn3 is not None and await self._gn3.is_there():
            menu, _ = await self._gn3.menu(fresh_s=NOW)
            return _of_menu(menu)
        try:
            menu, _ = await self._gn2.menu(fresh_s=NOW)
        except (NotFoundError, ServiceFailedError):
            return await self._by_groups()
        return _of_menu(menu)

    async def details(self, listed: Listed) -> Dataset | None:
        try:
            found = await self._genenetwork.gate.open(listed.name, fresh_s=NOW)
        except NotFoundError:
            return None
        if found.name.casefold() != listed.name.casefold():
            return None  # GN2 took the name for another dataset's title or number
        fetched = await self._genenetwork.card(found, fresh_s=NOW)
        card = fetched.value
        return Dataset(
            species=listed.species,
            group=listed.group,
            kind=kind_of(listed.type_name or card.type_name),
            type_name=listed.type_name or card.type_name,
            dataset_id=listed.dataset_id,
            name=found.name,
            full_name=card.full_name,
            tissue=card.tissue,
            platform=card.platform,
            samples=card.samples,
            dated=card.dated or await self._dated(listed),
            url=fetched.page,
            summary=card.summary,
            accession=card.accession,
        )

    async def _by_groups(self) -> Listing:
        """List the datasets of every group: the molecular ones have no type then, only number and name."""
        species, _ = await self._gn2.species()
        names = {one.id: one.name for one in species}
        known, _ = await self._gn2.groups(fresh_s=NOW)
        groups: dict[GroupKey, tuple[Listed, ...]] = {}
        unknown: set[GroupKey] = set()
        for group in known:
            key = (names.get(group.species_id, ""), group.name)
            try:
                listed = [*await self._molecular(key), *await self._conventional(key)]
            except ServiceDownError:
                # The others would fail too.
                raise
            except BotError:
                listed = []
            if listed:
                groups[key] = tuple(listed)
            else:
                unknown.add(key)
        if not groups:
            raise UnavailableError("GeneNetwork lists no datasets at the moment: try again later.")
        return Listing(groups, frozenset(unknown))

    async def _molecular(self, key: GroupKey) -> list[Listed]:
        try:
            rows, _ = await self._gn2.datasets(key[1], fresh_s=NOW)
        except NotFoundError:
            return []
        return [Listed(*key, "", row.id, row.name, row.full_name) for row in only_open(rows)]

    async def _conventional(self, key: GroupKey) -> list[Listed]:
        """Return phenotypes and genotypes, whose datasets are called after their group."""
        found = []
        for ending, type_name in (("Publish", "Phenotypes"), ("Geno", "Genotypes")):
            name = f"{key[1]}{ending}"
            if await self._gn2.has_traits(name, fresh_s=NOW):
                found.append(Listed(*key, type_name, "None", name, f"{key[1]} {type_name}"))
        return found

    async def _dated(self, listed: Listed) -> str:
        """Return the date of the group's list, where the metadata have none."""
        try:
            rows, _ = await self._gn2.datasets(listed.group, fresh_s=NOW)
        except NotFoundError:
            return ""
        return next((row.dated for row in rows if row.name == listed.name), "")


def _of_menu(menu: Menu) -> Listing:
    groups: dict[GroupKey, list[Listed]] = {}
    for one in menu.entries:
        row = Listed(one.species, one.group, one.type_name, one.dataset_id, one.name, one.full_name)
        groups.setdefault((one.species, one.group), []).append(row)
    return Listing({key: tuple(rows) for key, rows in groups.items()}, menu.groups - groups.keys())
