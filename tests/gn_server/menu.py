"""The menu: every species, group, type and dataset that is listed."""

from __future__ import annotations

from tests.gn_server.world import World


def menu(world: World) -> dict[str, object]:
    """Return all public datasets; confidential ones are not left out (a quirk)."""
    types: dict[str, dict[str, list[list[str]]]] = {}
    datasets: dict[str, dict[str, dict[str, list[list[str]]]]] = {}
    for group in world.groups:
        for row in world.of_group(group.name):
            if row.kind == "molecular" and row.public <= 0:
                continue
            section = row.type_name if row.kind != "molecular" else "Molecular Traits"
            title = {"Phenotypes": "Traits and Cofactors", "Genotypes": "DNA Markers and SNPs"}.get(
                row.type_name, row.type_name
            )
            kinds = types.setdefault(group.species, {}).setdefault(group.name, [])
            if [row.type_name, title, section] not in kinds:
                kinds.append([row.type_name, title, section])
            shown = str(row.id) if row.kind == "molecular" else row.accession.removeprefix("GN") or "None"
            of_group = datasets.setdefault(group.species, {}).setdefault(group.name, {})
            of_group.setdefault(row.type_name, []).append([shown, row.name, row.full_name])
    groups: dict[str, list[list[str]]] = {}
    for group in world.groups:
        groups.setdefault(group.species, []).append([group.name, group.full_name, f"Family:{group.family}"])
    species = [[one.name, one.label, "Vertebrates"] for one in world.species]
    return {"species": species, "groups": groups, "types": types, "datasets": datasets}
