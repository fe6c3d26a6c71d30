"""The world as RDF triples, in both generations of the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.gn_server.world import World

GraphKind = Literal["old", "new", "empty"]
Triple = tuple[str, str, str]
_RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_RDFS, _SKOS = "http://www.w3.org/2000/01/rdf-schema#", "http://www.w3.org/2004/02/skos/core#"
_DCT, _DCAT = "http://purl.org/dc/terms/", "http://www.w3.org/ns/dcat#"
_FABIO, _XKOS = "http://purl.org/spar/fabio/", "http://rdf-vocabulary.ddialliance.org/xkos#"


@dataclass(frozen=True, slots=True)
class _Names:
    base: str
    snake: bool

    def term(self, camel: str) -> str:
        name = "".join("_" + one.lower() if one.isupper() and self.snake else one for one in camel)
        return f"{self.base}term/{name}"

    def id(self, name: str) -> str:
        return f"{self.base}id/{name}"

    def category(self, name: str) -> str:
        return f"{self.base}category/{name}"


GRAPHS = {
    "old": _Names("http://genenetwork.org/", snake=False),
    "new": _Names("http://rdf.genenetwork.org/v1/", snake=True),
}


def triples(world: World, kind: GraphKind) -> list[Triple]:
    """Return all triples of a generation; those of an empty graph are none."""
    if kind == "empty":
        return []
    names = GRAPHS[kind]
    found: list[Triple] = []
    for species in world.species:
        subject = names.id(species.full_name.replace(" ", "_"))
        found += [(subject, _RDF_TYPE, names.category("species")), (subject, _SKOS + "altLabel", species.name)]
    for group in world.groups:
        species = next(one for one in world.species if one.name == group.species)
        subject = names.id(f"set{group.name}")
        found += [
            (subject, _RDF_TYPE, names.category("set")),
            (subject, _RDFS + "label", group.full_name),
            (subject, _SKOS + "altLabel", group.name),
            (subject, names.term("geneticType"), group.genetic_type),
            (subject, names.term("family"), group.family),
            (subject, names.term("belongsToSpecies"), names.id(species.full_name.replace(" ", "_"))),
        ]
        tissues = {row.tissue for row in world.of_group(group.name, "molecular") if row.is_public}
        for tissue in sorted(tissues):
            place = names.id("tissue_" + tissue.replace(" ", "_"))
            found += [(subject, names.term("hasTissue"), place), (place, _RDFS + "label", tissue)]
    for row in world.datasets:
        if not row.accession and not row.is_public:
            continue  # those without an info file come from the public tables only
        subject = names.id(row.name.capitalize())
        found += [
            (subject, _RDF_TYPE, _DCAT + "Dataset"),
            (subject, _RDFS + "label", row.name),
            (subject, _DCT + "title", row.full_name),
            (subject, _DCT + "created", row.created.isoformat()),
            (subject, names.term("belongsToGroup"), names.id(f"set{row.group}")),
            (subject, _XKOS + "classifiedUnder", names.category(row.kind)),
        ]
        if row.accession:
            found += [(subject, _DCT + "identifier", row.accession), (subject, _DCT + "accessRights", row.rights)]
        for trait in row.traits if row.kind == "phenotype" else ():
            code = world.group_of(row).code
            place = names.id(f"trait_{code}_{trait.name}")
            found += [
                (place, _RDF_TYPE, names.category("Phenotype")),
                (place, _SKOS + "altLabel", f"{code}_{trait.name}"),
            ]
            if trait.pubmed_id:
                paper = f"http://rdf.ncbi.nlm.nih.gov/pubmed/{trait.pubmed_id}"
                found.append((place, _DCT + "isReferencedBy", paper))
    for publication in world.publications:
        paper = f"http://rdf.ncbi.nlm.nih.gov/pubmed/{publication.pubmed_id}"
        found += [
            (paper, _DCT + "title", publication.title),
            (paper, _FABIO + "Journal", publication.journal),
            (paper, _FABIO + "hasPublicationYear", str(publication.year)),
        ]
    return found
