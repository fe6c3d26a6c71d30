"""GN3's metadata, drawn from RDF: JSON-LD whose fields are texts, objects or lists by their number."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from tests.gn_server.answers import as_json
from tests.gn_server.world import World

CONTEXT = {"dct": "http://purl.org/dc/terms/", "data": "@graph", "type": "@type", "id": "@id"}
_OLD = "http://genenetwork.org/"


class Gn3Metadata:
    """The handlers.

    Args:
        world: What they answer from.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def table(self) -> dict[str, Callable[[web.Request], web.Response]]:
        """Return all addresses, below the prefix."""
        return {
            "/metadata/species": self._all_species,
            "/metadata/groups": self._all_groups,
            "/metadata/datasets/{name}": self._dataset,
            "/metadata/datasets/{group}/list": self._list,
            "/metadata/phenotypes/{trait}": self._phenotype,
            "/metadata/phenotypes/{group}/{number}": self._phenotype,
            "/metadata/probesets/{dataset}/{name:.+}": self._probeset,
            "/metadata/genotypes/{marker}": self._marker,
            "/metadata/publications/{pubmed}": self._publication,
        }

    def _all_species(self, _request: web.Request) -> web.Response:
        found = [
            {"fullName": one.label, "id": f"{_OLD}id/{one.name}", "name": one.name, "taxonomicId": str(one.taxonomy_id)}
            for one in self._world.species
        ]
        return as_json({"@context": CONTEXT, "data": found})

    def _all_groups(self, _request: web.Request) -> web.Response:
        found = [
            {
                "code": one.code,
                "family": one.family,
                "fullName": one.full_name,
                "name": one.name,
                "geneticType": one.genetic_type,
            }
            for one in self._world.groups
        ]
        return as_json({"@context": CONTEXT, "data": found})

    def _dataset(self, request: web.Request) -> web.Response:
        wanted = request.match_info["name"].casefold()
        row = next(
            (one for one in self._world.datasets if wanted in {one.name.casefold(), one.accession.casefold() or None}),
            None,
        )
        if row is None or (not row.accession and row.kind == "molecular" and not row.is_public):
            return as_json({})
        answer: dict[str, object] = {
            "@context": CONTEXT,
            "accessRights": row.rights,
            "classifiedUnder": {
                "id": f"{_OLD}category/{'Probeset' if row.kind == 'molecular' else row.kind.title()}",
                "prefLabel": "mRNA Assay Datasets" if row.kind == "molecular" else row.type_name,
            },
            "created": row.created.isoformat(),
            "id": f"{_OLD}id/{row.name.capitalize()}",
            "inbredSet": {"id": f"{_OLD}id/set{row.group}", "label": self._world.group_of(row).full_name},
            "label": row.name,
            "title": row.full_name,
            "organization": "Virginia Commonwealth University",
            "contactPoint": {"contactName": "Data Curator", "id": f"{_OLD}id/investigator"},
            "type": "dcat:Dataset",
        }
        if row.accession:
            answer["accessionId"] = row.accession
        if row.summary:
            answer["description"] = row.summary
        if row.tissue:
            answer["tissue"] = {"id": f"{_OLD}id/tissue", "label": row.tissue}
        if row.platform:
            answer["platform"] = {"label": row.platform, "prefLabel": row.platform.split()[0]}
        if row.normalization:
            answer["normalization"] = {"id": f"{_OLD}id/avg", "label": row.normalization}
        if row.samples:
            answer["caseInfo"] = f"<p>A set of {row.samples} strains was studied.</p>"
        return as_json(answer)

    def _list(self, request: web.Request) -> web.Response:
        offset, size = int(request.query.get("page", "0")), int(request.query.get("per-page", "10"))
        rows = sorted(self._world.of_group(request.match_info["group"]), key=lambda row: row.created)
        # The page is used as a raw offset (a quirk).
        found = [
            {"created": one.created.isoformat(), "name": one.name} | ({"title": one.full_name} if one.accession else {})
            for one in rows[offset : offset + size]
        ]
        results: object = found[0] if len(found) == 1 else found
        pages = -(-len(rows) // size)
        return as_json(
            {
                "@context": CONTEXT,
                "currentPage": offset,
                "id": "ex:result",
                "pages": pages,
                "results": results,
                "type": "resultItem",
            }
        )

    def _phenotype(self, request: web.Request) -> web.Response:
        info = request.match_info
        name = info.get("trait", f"{info.get('group', '')}_{info.get('number', '')}")
        code, _, number = name.rpartition("_")
        for row in self._world.datasets:
            group = self._world.group_of(row)
            trait = self._world.find_trait(row, number) if row.kind == "phenotype" else None
            if trait is None or code not in {group.code, group.name}:
                continue
            scan = self._world.scan(row, trait)
            marker = scan.markers[scan.peak]
            answer: dict[str, object] = {
                "@context": CONTEXT,
                "abbreviation": trait.abbreviation,
                "additive": float(scan.additive[scan.peak]),
                "dataset": [{"identifier": row.name, "prefLabel": row.full_name}],
                "description": trait.description,
                "group": group.full_name,
                "locus": {"chromosome": marker.chr, "mb": marker.mb, "trait": marker.name},
                "lodScore": float(scan.lod[scan.peak]),
                "mean": trait.mean,
                "species": next(one.label for one in self._world.species if one.name == group.species),
                "trait": trait.name,
                "traitName": f"{group.code}_{trait.name}",
                "type": "gnc:Phenotype",
            }
            paper = self._world.find_publication(trait.pubmed_id)
            if paper is not None:
                answer["references"] = {
                    "id": f"http://rdf.ncbi.nlm.nih.gov/pubmed/{paper.pubmed_id}",
                    "title": paper.title,
                    "creator": list(paper.authors),
                    "year": str(paper.year),
                }
            return as_json(answer)
        return as_json({})

    def _probeset(self, request: web.Request) -> web.Response:
        row = self._world.find_dataset(request.match_info["dataset"])
        trait = self._world.find_trait(row, request.match_info["name"]) if row else None
        if trait is None:
            return as_json({})
        gene = self._world.find_gene(trait.symbol)
        symbol: dict[str, object] = {"symbol": trait.symbol, "location": f"Chr {trait.chr}: {trait.mb}"}
        if gene is not None:
            symbol["geneID"] = str(gene.gene_id)
        return as_json({"@context": CONTEXT, "name": trait.name, "symbol": symbol, "description": trait.description})

    def _marker(self, request: web.Request) -> web.Response:
        for group in self._world.groups:
            for marker in self._world.markers[group.name]:
                if marker.name == request.match_info["marker"]:
                    species = next(one for one in self._world.species if one.name == group.species)
                    return as_json(
                        {
                            "@context": CONTEXT,
                            "chr": marker.chr,
                            "mb": marker.mb,
                            "name": marker.name,
                            "species": species.label,
                        }
                    )
        return as_json({})

    def _publication(self, request: web.Request) -> web.Response:
        paper = self._world.find_publication(int(request.match_info["pubmed"]))
        if paper is None:
            return as_json({})
        return as_json(
            {
                "@context": CONTEXT,
                "title": paper.title,
                "creator": list(paper.authors) if len(paper.authors) > 1 else paper.authors[0],
                "journal": paper.journal,
                "year": str(paper.year),
                "month": paper.month,
                "volume": paper.volume,
                "page": paper.pages,
                "abstract": paper.abstract,
            }
        )
