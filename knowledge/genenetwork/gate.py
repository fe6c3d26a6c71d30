"""Which datasets may be looked into: every call on a dataset or its traits passes here first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bot.errors import InvalidRequestError, NotFoundError
from bot.plain_text import one_line, shortened
from knowledge.genenetwork.gn2 import Gn2
from knowledge.genenetwork.gn3 import Gn3
from knowledge.genenetwork.privacy import Rights, is_open
from knowledge.genenetwork.records import DatasetFacts
from knowledge.genenetwork.values import DatasetEntry

MOST_NAME = 200
_ACCESSION = re.compile(r"GN\d{1,9}", re.IGNORECASE)
_DISPLAY_NAME = re.compile(r"[A-Za-z]{3}_(\d+)")


@dataclass(frozen=True, slots=True)
class OpenDataset:
    """A dataset that everybody may see.

    Attributes:
        name: As GeneNetwork writes it.
        kind: Which calls it takes.
        group: Its group where the name tells it, else "".
        facts: What GN2 says of molecular data.
        url: The request that says so, or "".
    """

    name: str
    kind: Literal["molecular", "phenotype", "genotype"]
    group: str = ""
    facts: DatasetFacts | None = None
    url: str = ""


class Gate:
    """Finds datasets that are public.

    Args:
        gn2: GN2's API.
        gn3: GN3's API, or None.
        rights: Access rights.
    """

    def __init__(self, gn2: Gn2, gn3: Gn3 | None, rights: Rights) -> None:
        self._gn2 = gn2
        self._gn3 = gn3
        self._rights = rights

    async def open(self, name: str, *, fresh_s: float | None = None) -> OpenDataset:
        """Return a dataset by name, accession ("GN112"), or group, which means its phenotypes.

        Raises:
            NotFoundError: There is no such dataset, or not everybody may see it.
            InvalidRequestError: It is no name.
            UnavailableError: That cannot be told now.
        """
        asked = checked_name(name)
        try:
            found = await self._find(asked, fresh_s)
        except NotFoundError as error:
            raise _not_public(asked) from error
        if await self._rights.restricted([found.name], fresh_s=fresh_s):
            raise _not_public(asked)
        return found

    async def _find(self, asked: str, fresh_s: float | None) -> OpenDataset:
        if _ACCESSION.fullmatch(asked):
            asked = await self._of_accession(asked)
        if (group := await self._group_of(asked)) is not None:
            kind: Literal["phenotype", "genotype"] = "genotype" if asked.casefold().endswith("geno") else "phenotype"
            name = f"{group}{'Geno' if kind == 'genotype' else 'Publish'}"
            if not await self._gn2.has_traits(name, fresh_s=fresh_s):
                raise _not_public(asked)
            return OpenDataset(name, kind, group)
        facts, data = await self._gn2.dataset(asked, fresh_s=fresh_s)
        if not is_open(facts):
            raise _not_public(asked)
        return OpenDataset(facts.name, "molecular", facts=facts, url=data.url)

    async def _of_accession(self, accession: str) -> str:
        if self._gn3 is None or not await self._gn3.is_there():
            raise InvalidRequestError(f"{accession} can only be looked up where GN3 is set: give the dataset's name.")
        metadata, _ = await self._gn3.dataset(accession.upper())
        if not metadata.label:
            raise _not_public(accession)
        return metadata.label

    async def _group_of(self, name: str) -> str | None:
        """Return the group whose phenotypes or genotypes a name means, in GeneNetwork's spelling."""
        wanted = plain_name(name)
        groups, _ = await self._gn2.groups()
        for group in groups:
            base = plain_name(group.name)
            if wanted in {base, f"{base}publish", f"{base}geno"}:
                return group.name
        return None

    async def open_ones(self, names: dict[str, str]) -> frozenset[str]:
        """Return those datasets that everybody may see, of many at once.

        Args:
            names: Names as GeneNetwork writes them, each with its group.
        """
        flagged: set[str] = set()
        molecular: dict[str, set[str]] = {}
        for name, group in names.items():
            if name in {f"{group}Publish", f"{group}Geno"}:
                if await self._gn2.has_traits(name):
                    flagged.add(name)
            else:
                molecular.setdefault(group, set()).add(name)
        for group, wanted in molecular.items():
            try:
                rows, _ = await self._gn2.datasets(group)
            except NotFoundError:
                continue
            flagged |= {row.name for row in rows if row.name in wanted and is_open(row)}
        return frozenset(flagged) - await self._rights.restricted(flagged)

    async def first_open(self, entries: Sequence[DatasetEntry], limit: int) -> tuple[tuple[DatasetEntry, ...], int]:
        """Return the first entries that everybody may see, and how many were left out on the way."""
        shown: list[DatasetEntry] = []
        hidden = 0
        while len(shown) < limit and (batch := entries[len(shown) + hidden :][: limit - len(shown)]):
            may_show = await self.open_ones({one.name: one.group for one in batch})
            kept = [one for one in batch if one.name in may_show]
            hidden += len(batch) - len(kept)
            shown += kept
        return tuple(shown), hidden


def plain_name(name: str) -> str:
    """Return a group's name as it is compared: people write hxb/bxh for HXBBXH."""
    return re.sub(r"[\W_]", "", name.casefold())


def no_trait(key: str, dataset: str) -> NotFoundError:
    """Return the error that says that a dataset has no such trait."""
    return NotFoundError(
        f"GeneNetwork has no trait {shortened(key, 80)!r} in {dataset}: check its name, or search for it."
    )


def checked_name(name: str) -> str:
    """Return a name that can be one.

    Raises:
        InvalidRequestError: If it is empty, too long, or holds control characters.
    """
    asked = name.strip()
    if not asked or len(asked) > MOST_NAME or asked != one_line(asked):
        raise InvalidRequestError("This is no name in GeneNetwork: copy it from its page.")
    if asked.strip(".") == "":
        # A path segment of dots would lead to another call.
        raise InvalidRequestError("This is no name in GeneNetwork: copy it from its page.")
    return asked


def trait_name(dataset: OpenDataset, name: str) -> str:
    """Return a trait's key: of a phenotype the number without its group's code.

    Raises:
        InvalidRequestError: If it cannot be one.
    """
    asked = checked_name(name)
    if dataset.kind != "phenotype":
        return asked
    if display := _DISPLAY_NAME.fullmatch(asked):
        asked = display[1]
    if not (asked.isascii() and asked.isdigit()):
        raise InvalidRequestError(f"Phenotypes have numbers, such as 10001: {shortened(asked, 60)!r} is none.")
    return asked


def _not_public(asked: str) -> NotFoundError:
    return NotFoundError(
        f"GeneNetwork has no public dataset {shortened(asked, 80)!r}: check its name, or list those of its group."
    )
