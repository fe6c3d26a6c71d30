"""A small SPARQL: SELECT with triple patterns, OPTIONAL, simple filters, ORDER BY and LIMIT; anything else fails."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tests.gn_server.graph import Triple

Row = dict[str, str]
_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|<[^>]*>|\?\w+|[\w-]*:[\w-]*|[{}.;()]|FILTER|OPTIONAL|a\b|\S+)')
_QUERY = re.compile(
    r"^(?P<prefixes>(?:PREFIX\s+\S+\s+<[^>]*>\s*)*)SELECT\s+(?P<distinct>DISTINCT\s+)?(?P<names>(?:\?\w+\s+)+)"
    r"(?:FROM\s+<(?P<graph>[^>]*)>\s+)?WHERE\s*\{(?P<where>.*)\}\s*"
    r"(?:ORDER BY\s+\?(?P<order>\w+)\s*)?LIMIT\s+(?P<limit>\d+)$",
    re.DOTALL,
)
_FILTERS = (
    (re.compile(r'lcase\(str\(\?(\w+)\)\) (=|!=) "((?:[^"\\]|\\.)*)"'), False),
    (re.compile(r'!bound\(\?(\w+)\) \|\| lcase\(str\(\?\1\)\) (=) "((?:[^"\\]|\\.)*)"'), True),
)
_A = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"


class QueryError(Exception):
    """The query cannot be read."""


class Select:
    """One query.

    Args:
        text: As it came.

    Attributes:
        graph: The named graph it asks, or "".
        names: Its variables.

    Raises:
        QueryError: If it is none that this engine knows, such as one without LIMIT.
    """

    def __init__(self, text: str) -> None:
        read = _QUERY.match(text.strip())
        if read is None:
            raise QueryError("only SELECT … WHERE … LIMIT is known")
        self._prefixes = dict(re.findall(r"PREFIX\s+(\S*):\s+<([^>]*)>", read["prefixes"]))
        self.graph = read["graph"] or ""
        self.names = [name.removeprefix("?") for name in read["names"].split()]
        self._distinct, self._order, self._limit = bool(read["distinct"]), read["order"], int(read["limit"])
        where = read["where"]
        self._filters = [
            _filter(text) for text in re.findall(r"FILTER \(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)", where)
        ]
        where = re.sub(r"FILTER \(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)", "", where)
        self._optional = [self._patterns(text) for text in re.findall(r"OPTIONAL \{([^}]*)\}", where)]
        self._required = self._patterns(re.sub(r"OPTIONAL \{[^}]*\}", "", where))

    def run(self, triples: Sequence[Triple]) -> list[Row]:
        """Return rows of the variables that are bound."""
        rows = _joined([{}], self._required, triples)
        for patterns in self._optional:
            rows = [wider for row in rows for wider in (_joined([row], patterns, triples) or [row])]
        rows = [row for row in rows if all(_holds(row, one) for one in self._filters)]
        if self._order:
            rows.sort(key=lambda row: row.get(self._order, ""))
        rows = [{name: row[name] for name in self.names if name in row} for row in rows]
        if self._distinct:
            rows = list({tuple(sorted(row.items())): row for row in rows}.values())
        return rows[: self._limit]

    def _patterns(self, text: str) -> list[tuple[str, str, str]]:
        found: list[tuple[str, str, str]] = []
        subject = ""
        terms: list[str] = []
        for token in [*_TOKEN.findall(text), "."]:
            if token in {".", ";"}:
                if len(terms) == 3:
                    subject = terms[0]
                elif len(terms) == 2:
                    terms = [subject, *terms]
                elif terms:
                    raise QueryError(f"no triple: {terms}")
                if terms:
                    found.append((terms[0], terms[1], terms[2]))
                terms = []
            else:
                terms.append(self._term(token))
        return found

    def _term(self, token: str) -> str:
        if token.startswith("?"):
            return token
        if token == "a":
            return _A
        if token.startswith(("<", '"')):
            return token[1:-1]
        prefix, colon, name = token.partition(":")
        if not colon or prefix not in self._prefixes:
            raise QueryError(f"unknown term {token}")
        return str(self._prefixes[prefix]) + name


def _joined(rows: list[Row], patterns: Iterable[Triple], triples: Sequence[Triple]) -> list[Row]:
    for pattern in patterns:
        rows = [wider for row in rows for triple in triples if (wider := _bound(row, pattern, triple)) is not None]
    return rows


def _bound(row: Row, pattern: Triple, triple: Triple) -> Row | None:
    wider = row
    for term, value in zip(pattern, triple, strict=True):
        if not term.startswith("?"):
            if term != value:
                return None
        elif (known := wider.get(term[1:])) is None:
            wider = {**wider, term[1:]: value}
        elif known != value:
            return None
    return wider


def _filter(text: str) -> tuple[str, bool, str, bool]:
    for pattern, unbound in _FILTERS:
        if read := pattern.fullmatch(text.strip()):
            return read[1], read[2] == "=", read[3].replace('\\"', '"').replace("\\\\", "\\"), unbound
    raise QueryError(f"unknown filter {text}")


def _holds(row: Row, condition: tuple[str, bool, str, bool]) -> bool:
    name, same, wanted, unbound = condition
    if name not in row:
        return unbound
    return (row[name].lower() == wanted) is same
