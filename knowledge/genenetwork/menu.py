"""The menu: all species, groups, types and datasets in one answer."""

from __future__ import annotations

from collections.abc import Iterator
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
    """All entries, and all groups as (species, group), also those without an entry."""

    entries: tuple[MenuEntry, ...]
    groups: frozenset[tuple[str, str]]

    def find(self, name: str) -> MenuEntry | None:
        """Return the entry of a dataset by name, in any case."""
        wanted = name.casefold()
        return next((one for one in self.entries if one.name.casefold() == wanted), None)


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
    return Menu(entries, frozenset(groups))


def _entries(datasets: JsonValue) -> Iterator[MenuEntry]:
    for species, groups in datasets.items() if isinstance(datasets, dict) else ():
        for group, types in groups.items() if isinstance(groups, dict) else ():
            for type_name, leaves in types.items() if isinstance(types, dict) else ():
                for leaf in leaves if isinstance(leaves, list) else ():
                    if isinstance(leaf, list) and len(leaf) >= 2 and (name := as_text(leaf[1])):
                        full_name = as_text(leaf[2]) if len(leaf) > 2 else ""
                        yield MenuEntry(species, group, type_name, as_text(leaf[0]) or "None", name, full_name or name)
