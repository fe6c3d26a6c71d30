"""What GN3 adds to the answers of GN2, and what may be missing: the menu, places of markers, papers of phenotypes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from bot.errors import BotError
from knowledge.genenetwork.gn3 import Gn3
from knowledge.genenetwork.menu import Menu
from knowledge.genenetwork.records import DatasetMetadata, MarkerRow, PhenotypeMetadata
from knowledge.genenetwork.service import Data


class Supplements:
    """The calls; what is not there is None.

    Args:
        gn3: GN3's API, or None.
    """

    def __init__(self, gn3: Gn3 | None) -> None:
        self._gn3 = gn3

    async def menu(self) -> Menu | None:
        """Return the menu, None where there is no GN3; its names must not be shown without the gate.

        Raises:
            UnavailableError: If there is one and it does not answer.
        """
        if self._gn3 is None or not await self._gn3.is_there():
            return None
        menu, _ = await self._gn3.menu()
        return menu

    async def assemblies(self) -> Mapping[str, str]:
        """Return the assembly of each species' positions, by the species' name; empty where nothing says so."""
        with suppress(BotError):
            menu = await self.menu()
            if menu is not None:
                return menu.assemblies
        return {}

    async def dataset(self, name: str, *, fresh_s: float | None = None) -> tuple[DatasetMetadata, Data] | None:
        """Return the metadata of a dataset.

        Raises:
            UnavailableError: If it cannot be told whether there are some: they say who may see the dataset.
            NotFoundError: If there are none.
        """
        if self._gn3 is None or not await self._gn3.is_there():
            return None
        return await self._gn3.dataset(name, fresh_s=fresh_s)

    async def marker(self, name: str) -> tuple[MarkerRow, Data] | None:
        """Return a marker's place."""
        if name and self._gn3 is not None:
            with suppress(BotError):
                return await self._gn3.marker(name)
        return None

    async def phenotype(self, group: str, number: str) -> tuple[PhenotypeMetadata, Data] | None:
        """Return mean, place of the peak and authors of a phenotype."""
        if self._gn3 is not None:
            with suppress(BotError):
                return await self._gn3.phenotype(group, number)
        return None
