"""SPARQL: fixed templates with typed, escaped arguments; every query has a LIMIT and reads only.

Two generations of the graph are live (gn_api section 10): the old one is the endpoint's default and writes its terms in
camelCase, the new one must be named and writes them in snake_case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.errors import InvalidRequestError

MOST_ROWS = 200
MOST_RESTRICTED = 10_000

_PREFIXES = """\
PREFIX dct: <http://purl.org/dc/terms/>
PREFIX dcat: <http://www.w3.org/ns/dcat#>
PREFIX fabio: <http://purl.org/spar/fabio/>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX xkos: <http://rdf-vocabulary.ddialliance.org/xkos#>
"""
_ARGUMENT = re.compile(r"[\w .,:;/()+@#&'-]{1,200}")


@dataclass(frozen=True, slots=True)
class Generation:
    """How one generation of the graph is asked.

    Attributes:
        graph: The named graph, or "" for the endpoint's default.
        base: Of categories and terms.
        snake_case: Whether terms are written so.
    """

    graph: str
    base: str
    snake_case: bool

    def term(self, name: str) -> str:
        """Return one of GeneNetwork's terms, given in camelCase."""
        return "gnt:" + (re.sub(r"(?<=[a-z])([A-Z])", lambda m: "_" + m[1].lower(), name) if self.snake_case else name)

    def select(self, variables: str, where: str, *, order: str = "", limit: int, distinct: bool = False) -> str:
        """Return a query."""
        lines = [
            _PREFIXES + f"PREFIX gnc: <{self.base}category/>\nPREFIX gnt: <{self.base}term/>",
            f"SELECT {'DISTINCT ' if distinct else ''}{variables}",
            *([f"FROM <{self.graph}>"] if self.graph else []),
            f"WHERE {{\n{where}\n}}",
            *([f"ORDER BY {order}"] if order else []),
            f"LIMIT {limit}",
        ]
        return "\n".join(lines)


OLD = Generation("", "http://genenetwork.org/", snake_case=False)
NEW = Generation("http://rdf.genenetwork.org/v1", "http://rdf.genenetwork.org/v1/", snake_case=True)
GENERATIONS = (OLD, NEW)


def literal(text: str) -> str:
    """Return a text as a SPARQL literal in small letters, to be compared with `lcase(str(?x))`.

    Raises:
        InvalidRequestError: If it holds what no name in GeneNetwork has.
    """
    text = text.strip()
    if not _ARGUMENT.fullmatch(text):
        raise InvalidRequestError("This is no name in GeneNetwork: use letters, figures and plain punctuation.")
    return '"' + text.lower().replace("\\", "\\\\").replace('"', '\\"') + '"'


def _equals(variable: str, text: str) -> str:
    return f"  FILTER (lcase(str({variable})) = {literal(text)})"


def has_datasets(graph: Generation) -> str:
    """Whether a generation knows datasets and their rights: one row, or none."""
    return graph.select("?d", "  ?d a dcat:Dataset ; dct:accessRights ?rights .", limit=1)


def restricted_datasets(graph: Generation) -> str:
    """Datasets that not everybody may see: ?name, ?other."""
    where = (
        "  ?d a dcat:Dataset ; rdfs:label ?name ; dct:accessRights ?rights .\n"
        "  OPTIONAL { ?d skos:prefLabel ?other }\n"
        '  FILTER (lcase(str(?rights)) != "public")'
    )
    return graph.select("?name ?other", where, limit=MOST_RESTRICTED)


def populations(graph: Generation, species: str | None) -> str:
    """Groups with their families: ?name, ?title, ?family, ?type, ?species."""
    where = (
        f"  ?g a gnc:set ; skos:altLabel ?name ; {graph.term('belongsToSpecies')} ?s .\n"
        "  ?s skos:altLabel ?species .\n"
        "  OPTIONAL { ?g rdfs:label ?title }\n"
        f"  OPTIONAL {{ ?g {graph.term('family')} ?family }}\n"
        f"  OPTIONAL {{ ?g {graph.term('geneticType')} ?type }}"
    )
    if species is not None:
        where += "\n" + _equals("?species", species)
    return graph.select("?name ?title ?family ?type ?species", where, order="?name", limit=MOST_ROWS)


def sets_of_family(graph: Generation, family: str) -> str:
    """Groups of one family: ?name, ?title."""
    where = (
        f"  ?g a gnc:set ; skos:altLabel ?name ; {graph.term('family')} ?family .\n"
        "  OPTIONAL { ?g rdfs:label ?title }\n" + _equals("?family", family)
    )
    return graph.select("?name ?title", where, order="?name", limit=MOST_ROWS)


def tissues(graph: Generation, group: str) -> str:
    """Tissues with data of a group: ?tissue."""
    where = (
        f"  ?g a gnc:set ; skos:altLabel ?name ; {graph.term('hasTissue')} ?t .\n"
        "  ?t rdfs:label ?tissue .\n" + _equals("?name", group)
    )
    return graph.select("?tissue", where, order="?tissue", limit=MOST_ROWS, distinct=True)


def publications(graph: Generation, display_name: str) -> str:
    """Papers that a phenotype stands in: ?paper, ?title, ?year, ?journal."""
    where = (
        "  ?trait a gnc:Phenotype ; skos:altLabel ?name ; dct:isReferencedBy ?paper .\n"
        "  ?paper dct:title ?title .\n"
        "  OPTIONAL { ?paper fabio:hasPublicationYear ?year }\n"
        "  OPTIONAL { ?paper fabio:Journal ?journal }\n" + _equals("?name", display_name)
    )
    return graph.select("?paper ?title ?year ?journal", where, limit=20)


def dataset_metadata(graph: Generation, name: str) -> str:
    """One dataset: ?name, ?title, ?created, ?accession, ?rights, ?group, ?tissue, ?kind; none that is restricted."""
    where = (
        "  ?d a dcat:Dataset ; rdfs:label ?name .\n"
        "  OPTIONAL { ?d dct:title ?title } OPTIONAL { ?d dct:created ?created }\n"
        "  OPTIONAL { ?d dct:identifier ?accession } OPTIONAL { ?d dct:accessRights ?rights }\n"
        f"  OPTIONAL {{ ?d {graph.term('belongsToGroup')} ?g . ?g rdfs:label ?group }}\n"
        f"  OPTIONAL {{ ?d {graph.term('hasTissue')} ?t . ?t rdfs:label ?tissue }}\n"
        "  OPTIONAL { ?d xkos:classifiedUnder ?kind }\n"
        '  FILTER (!bound(?rights) || lcase(str(?rights)) = "public")\n' + _equals("?name", name)
    )
    variables = "?name ?title ?created ?accession ?rights ?group ?tissue ?kind"
    return graph.select(variables, where, limit=5)
