"""The menu: all species, groups, types and datasets in one answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from knowledge.genenetwork.errors import ServiceFailedError
from knowledge.genenetwork.fields import as_text


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """A dataset as the menu lists it; `dataset_id` is "None" where it has no number."""

    species: str
    group: str
    type_name: str
    dataset_id: str
    name: str
    full_name: str


@dataclass(frozen=True, slots=True)
class Menu:
    """All entries, all groups as (species, group), also those without an entry, and species with their titles."""

    entries: tuple[MenuEntry, ...]
    groups: frozenset[tuple[str, str]]
    species: tuple[tuple[str, str], ...] = ()

    @property
    def assemblies(self) -> Mapping[str, str]:
        """The assembly of each species, by its name, where its title has one: "Mouse (Mus musculus, mm10)"."""
        return {name: found for name, title in self.species if (found := assembly_of(title))}

    def find(self, name: str) -> MenuEntry | None:
        """Return the entry of a dataset by name, in any case."""
        wanted = name.casefold()
        return next((one for one in self.entries if one.name.casefold() == wanted), None)


def assembly_of(title: str) -> str:
    """Return the assembly that a species' title names, "mm10" of "Mouse (Mus musculus, mm10)", or ""."""
    match = re.fullmatch(r".*\(.*, *([A-Za-z]+\d+(?:\.\d+)*)\)\s*", title)
    return match[1] if match else ""


def read_menu(value: JsonValue, name: str) -> Menu:
    """Return the menu; leaves that are none are left out.

    Raises:
        ServiceFailedError: If it is no menu, or an empty one: then nothing can be said.
    """
    datasets = value.get("datasets") if isinstance(value, dict) else None
    entries = tuple(_entries(datasets))
    if not entries:
        raise ServiceFailedError(f"{name} sent an empty list of datasets: try again later.")
    groups = {(one.species, one.group) for one in entries}
    listed = value.get("groups") if isinstance(value, dict) else None
    for species, rows in listed.items() if isinstance(listed, dict) else ():
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, list) and row and (group := as_text(row[0])):
                groups.add((species, group))
    titled = value.get("species") if isinstance(value, dict) else None
    titles = tuple(
        (as_text(row[0]), as_text(row[1]))
        for row in (titled if isinstance(titled, list) else ())
        if isinstance(row, list) and len(row) > 1
    )
    return Menu(entries, frozenset(groups), titles)


def _entries(datasets: JsonValue) -> Iterator[MenuEntry]:
    for species, groups in datasets.items() if isinstance(datasets, dict) else ():
        for group, types in groups.items() if isinstance(groups, dict) else ():
            for type_name, leaves in types.items() if isinstance(types, dict) else ():
                for leaf in leaves if isinstance(leaves, list) else ():
                    if isinstance(leaf, list) and len(leaf) >= 2 and (name := as_text(leaf[1])):
                        full_name = as_text(leaf[2]) if len(leaf) > 2 else ""
                        yield MenuEntry(species, group, type_name, as_text(leaf[0]) or "None", name, full_name or name)
