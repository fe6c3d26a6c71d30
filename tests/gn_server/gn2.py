"""GN2's REST API (`v_pre1`) with its quirks: species, groups, datasets, traits."""

from __future__ import annotations

from aiohttp import web

from tests.gn_server.answers import ServerError, as_json, body_error
from tests.gn_server.gn2_data import Gn2Data
from tests.gn_server.gn2_parts import Plain, failing, name_of, number_or_text, public_row, row_of
from tests.gn_server.menu import menu
from tests.gn_server.values import DatasetRow, Group, TraitRow
from tests.gn_server.world import World


class Gn2:
    """The handlers.

    Args:
        world: What they answer from.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        """Return all addresses, below /api/v_pre1."""
        table: dict[str, Plain] = {
            **Gn2Data(self._world).table(),
            "/": lambda _: as_json({"hello": "world"}),
            "/species": lambda _: as_json([self._species(one.name) for one in self._world.species]),
            "/species/{name}": self._one_species,
            "/groups": self._groups,
            "/groups/{species}": self._groups,
            "/group/{group}": self._one_group,
            "/group/{species}/{group}": self._one_group,
            "/datasets/{group}": self._datasets,
            "/datasets/{species}/{group}": self._broken,
            "/dataset/{name}": self._dataset,
            "/dataset/{group}/{number}": self._phenotype,
            "/traits/{dataset}": self._traits,
            "/trait/{dataset}/{trait:.+}": self._trait,
            "/trait_info/{dataset}/{trait:.+}": self._trait,
            "/gen_dropdown": lambda _: as_json(menu(self._world)),
        }
        return [web.get("/api/v_pre1" + path, failing(handler)) for path, handler in table.items()]

    def _species(self, name: str) -> dict[str, object]:
        found = self._world.find_species(name)
        if found is None:
            raise ServerError
        return {"FullName": found.full_name, "Id": found.id, "Name": found.name, "TaxonomyId": found.taxonomy_id}

    def _one_species(self, request: web.Request) -> web.Response:
        return as_json(self._species(name_of(request, "name")))

    @staticmethod
    def _group(group: Group, species_id: int) -> dict[str, object]:
        return {
            "DisplayName": group.name,
            "FullName": group.full_name,
            "GeneticType": group.genetic_type,
            "Id": group.id,
            "MappingMethodId": "1" if group.genetic_type != "None" else "None",
            "Name": group.name,
            "SpeciesId": species_id,
            "public": group.public,
        }

    def _groups(self, request: web.Request) -> web.Response:
        wanted = name_of(request, "species")
        species = {one.name: one for one in self._world.species}
        found = self._world.find_species(wanted) if wanted else None
        rows = [
            self._group(one, species[one.species].id)
            for one in self._world.groups
            if not wanted or (found is not None and one.species == found.name)
        ]
        return as_json(rows) if rows else body_error("groups/<path:species_name>")

    def _one_group(self, request: web.Request) -> web.Response:
        group = self._world.find_group(name_of(request, "group"))
        species = {one.name: one for one in self._world.species}
        if group is None:
            return body_error("group/<path:group_name>")
        return as_json(self._group(group, species[group.species].id))

    def _datasets(self, request: web.Request) -> web.Response:
        group = self._world.find_group(name_of(request, "group"))
        rows = self._world.of_group(group.name, "molecular") if group else []
        if not rows:
            return body_error("datasets/<path:group_name>")
        return as_json([row_of(one) for one in rows])

    def _broken(self, request: web.Request) -> web.Response:
        raise ServerError

    def _dataset(self, request: web.Request) -> web.Response:
        row = self._world.find_dataset(name_of(request, "name"))
        if row is None or row.kind != "molecular" or row.public <= 0 or row.confidentiality > 0:
            return body_error("dataset/<path:dataset_name>")
        return as_json(
            {
                "confidential": row.confidentiality,
                "data_scale": row.scale,
                "dataset_type": "mRNA expression" if "mRNA" in row.tissue else row.tissue.split()[-1],
                "full_name": row.full_name,
                "id": row.id,
                "name": row.name,
                "public": row.public,
                "short_name": row.short_name or row.full_name,
                "tissue": row.tissue,
                "tissue_id": 9,
            }
        )

    def _phenotype(self, request: web.Request) -> web.Response:
        group = self._world.find_group(name_of(request, "group"))
        row = self._world.find_dataset(f"{group.name}Publish") if group else None
        if row is None or not row.is_public:
            return body_error("dataset/<path:group_name>/<path:dataset_name>")
        number = name_of(request, "number")
        # The route knows the plain number only.
        trait = self._world.find_trait(row, number) if number.isdigit() else None
        molecular = next(
            (one for one in self._world.datasets if one.kind == "molecular" and str(one.id) == number), None
        )
        if trait is None:
            return body_error("dataset/<path:group_name>/<path:dataset_name>")
        paper = self._world.find_publication(trait.pubmed_id)
        answer: dict[str, object] = {
            "dataset_type": "phenotype",
            "description": trait.description,
            "id": int(trait.name),
            "name": trait.abbreviation,
        }
        if paper is not None:
            answer |= {"pubmed_id": paper.pubmed_id, "title": paper.title, "year": str(paper.year)}
        return as_json([answer, row_of(molecular)] if molecular else answer)

    def _traits(self, request: web.Request) -> web.Response:
        raw = request.match_info["dataset"]
        row = self._world.find_dataset(name_of(request, "dataset"))
        if row is None or (row.kind == "molecular" and not public_row(self._world, row.name)):
            raise ServerError
        if raw.rpartition(".")[2] not in {"json", "csv", raw.rpartition(".")[0], raw}:
            return body_error(
                "traits/<path:dataset_name>.<path:file_format>", status=400, title="Invalid Output Format"
            )
        if public_row(self._world, row.name) is None:
            return body_error("traits/<path:dataset_name>")
        limit = int(request.query.get("limit_to", "1000000"))
        if row.kind == "genotype":
            markers = self._world.markers[row.group][:limit]
            return as_json(
                [
                    {
                        "Id": place,
                        "Name": one.name,
                        "Marker_Name": one.name,
                        "Chr": one.chr,
                        "Mb": one.mb,
                        "Source": "x",
                    }
                    for place, one in enumerate(markers, 1)
                ]
            )
        if "ids_only" in request.query or "names_only" in request.query:
            return as_json([number_or_text(one.name) for one in row.traits[:limit]])
        return as_json([self._listed(row, one) for one in row.traits[:limit]])

    def _listed(self, row: DatasetRow, trait: TraitRow) -> dict[str, object]:
        scan = self._world.scan(row, trait)
        marker = scan.markers[scan.peak]
        if row.kind == "phenotype":
            paper = self._world.find_publication(trait.pubmed_id)
            values: dict[str, object] = {
                "Id": int(trait.name),
                "Description": trait.description,
                "Authors": ", ".join(trait.authors),
                "Year": str(paper.year) if paper else None,
                "PubMedID": trait.pubmed_id,
                "Mean": trait.mean,
                "LRS": scan.lrs(scan.peak),
                "Additive": float(scan.additive[scan.peak]),
                "Locus": marker.name,
                "Chr": marker.chr,
                "Mb": marker.mb,
            }
        else:
            values = {
                "Id": trait.id,
                "Name": trait.name,
                "Symbol": trait.symbol,
                "Description": trait.description,
                "Chr": trait.chr,
                "Mb": trait.mb,
                "Aliases": trait.aliases,
                "Mean": trait.mean,
                "SE": None,
                "Locus": marker.name,
                "LRS": scan.lrs(scan.peak),
                "P-Value": 0.118,
                "Additive": float(scan.additive[scan.peak]),
                "h2": 0,
            }
        return {name: value for name, value in values.items() if value}

    def _trait(self, request: web.Request) -> web.Response:
        row = self._world.find_dataset(name_of(request, "dataset"))
        if row is None:
            raise ServerError
        name = name_of(request, "trait")
        if row.kind == "genotype":
            marker = next((one for one in self._world.markers[row.group] if one.name == name), None)
            if marker is None:
                return body_error("trait/<path:dataset_name>/<path:trait_name>")
            return as_json({"chr": marker.chr, "id": 7, "mb": marker.mb, "name": marker.name})
        trait = self._world.find_trait(row, name)
        if trait is None:
            return body_error("trait/<path:dataset_name>/<path:trait_name>")
        scan = self._world.scan(row, trait)
        peak: dict[str, object] = {
            "additive": float(scan.additive[scan.peak]),
            "id": trait.id,
            "locus": scan.markers[scan.peak].name,
            "lrs": scan.lrs(scan.peak),
        }
        if row.kind == "phenotype":
            return as_json(peak)
        more = {
            "alias": trait.aliases,
            "chr": trait.chr,
            "description": trait.description,
            "mb": trait.mb,
            "mean": trait.mean,
            "name": trait.name,
            "p_value": 0.306,
            "se": None,
            "symbol": trait.symbol,
        }
        return as_json(peak | more)
