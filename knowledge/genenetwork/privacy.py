"""What may be shown: the one place that says which rows are public."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from bot.errors import NotFoundError, UnavailableError
from knowledge.genenetwork.gn3 import Gn3
from knowledge.genenetwork.sparql import Sparql


class Flagged(Protocol):
    """A row with GeneNetwork's flags."""

    @property
    def public(self) -> int | None:
        """Listed from 1 on."""
        ...

    @property
    def confidentiality(self) -> int | None:
        """Open at 0."""
        ...


Row = TypeVar("Row", bound=Flagged)


def is_open(row: Flagged) -> bool:
    """Whether a row's flags say that everybody may see it; a row without flags is not shown."""
    return row.public is not None and row.public > 0 and row.confidentiality == 0


def only_open(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the rows that everybody may see."""
    return tuple(row for row in rows if is_open(row))


def has_public_rights(rights: str) -> bool:
    """Whether access rights of the metadata allow to show it; a dataset without any has only its flags."""
    return rights.casefold() in {"", "public"}


class Rights:
    """Access rights from the metadata, which flags do not tell.

    SPARQL tells all restricted datasets in one answer; without it GN3 is asked for one dataset after the other. Where
    there is neither, the flags decide alone. Where they are down, nothing is shown.

    Args:
        gn3: GN3's API, or None.
        sparql: The endpoint, or None.
    """

    def __init__(self, gn3: Gn3 | None, sparql: Sparql | None) -> None:
        self._gn3 = gn3
        self._sparql = sparql

    async def restricted(self, names: Iterable[str], *, fresh_s: float | None = None) -> frozenset[str]:
        """Return those of the datasets that not everybody may see.

        Args:
            names: Of datasets.
            fresh_s: As in `Service.get`.

        Raises:
            UnavailableError: If that cannot be told now.
        """
        asked = frozenset(names)
        if not asked:
            return asked
        if self._sparql is not None:
            try:
                known = await self._sparql.restricted(fresh_s=fresh_s)
            except UnavailableError:
                if self._gn3 is None:
                    raise
            else:
                return frozenset(name for name in asked if name.casefold() in known)
        if self._gn3 is None or not await self._gn3.is_there():
            return frozenset()
        return frozenset([name for name in sorted(asked) if not await self._is_public(self._gn3, name, fresh_s)])

    @staticmethod
    async def _is_public(gn3: Gn3, name: str, fresh_s: float | None) -> bool:
        try:
            metadata, _ = await gn3.dataset(name, fresh_s=fresh_s)
        except NotFoundError:
            return True  # it has no metadata, so its flags decide
        return has_public_rights(metadata.access_rights)
