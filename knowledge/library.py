"""Public documents read from the catalogue, part by part; implements `bot.library.Library`."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Mapping

from bot.evidence import SentenceKind
from bot.library import DocumentPart, DocumentView, Piece, Wanted
from bot.ports import PUBLIC_SCOPE
from knowledge.catalogue import Catalogue
from knowledge.chunking import Unit, render_units
from knowledge.documents import BlockKind

LIKE = 0.5  # share of a passage's words that the part which has taken its place holds
_WORD = re.compile(r"\w{3,}")
_KINDS: Mapping[BlockKind, SentenceKind] = {
    BlockKind.PARAGRAPH: "prose",
    BlockKind.ITEM: "item",
    BlockKind.ROW: "row",
    BlockKind.CODE: "code",
}
_PUBLIC = "FROM documents JOIN sources USING (source_id) WHERE scope = ? AND path = ?"


class CatalogueLibrary:
    """Reads documents of the public scope.

    Args:
        catalogue: Of the index; closed by its owner.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def open(self, wanted: Wanted) -> DocumentView | None:
        """See `bot.library.Library.open`."""
        return await asyncio.to_thread(self._open, wanted)

    def _open(self, wanted: Wanted) -> DocumentView | None:
        with self._catalogue.snapshot() as connection:
            document = _find(connection, wanted)
            if document is None:
                return None
            document_id, title, url = document
            cited = _cited_at(connection, document_id, wanted)
            counted = connection.execute("SELECT COUNT(*) FROM homes WHERE document_id = ?", (document_id,))
            total = int(counted.fetchone()[0])
            near = None if cited else _near(connection, document_id, wanted.text)
            begin = cited[0] if cited else near or 0
            first = begin - wanted.before if wanted.first is None else wanted.first
            first = max(0, min(first, total - 1))
            rows = connection.execute(
                "SELECT position, heading, units FROM homes JOIN chunks USING (chunk_id) "
                "WHERE document_id = ? AND position >= ? AND position < ? ORDER BY position",
                (document_id, first, first + wanted.count),
            )
            parts = tuple(
                DocumentPart(int(position), str(heading), _pieces(str(units))) for position, heading, units in rows
            )
        return DocumentView(title, wanted.source, url, parts, total, cited, near)


def _find(connection: sqlite3.Connection, wanted: Wanted) -> tuple[int, str, str | None] | None:
    """Return id, title and address: the document that holds the passage, else the only one of that place and address.

    A path is known within its source only; two sources may both have a README.md.
    """
    holding = (
        f"SELECT document_id, documents.title, url {_PUBLIC} "  # noqa: S608 - a constant
        "AND document_id IN (SELECT document_id FROM homes WHERE chunk_id = ?) ORDER BY url IS ? DESC, document_id"
    )
    query = (PUBLIC_SCOPE, wanted.source, wanted.passage_id, wanted.url)
    found = connection.execute(holding, query).fetchone()
    if found is None:
        named = f"SELECT document_id, documents.title, url {_PUBLIC} AND url IS ? LIMIT 2"
        rows = connection.execute(named, (PUBLIC_SCOPE, wanted.source, wanted.url)).fetchall()
        if len(rows) != 1:
            return None
        found = rows[0]
    return int(found[0]), str(found[1]), None if found[2] is None else str(found[2])


def _cited_at(connection: sqlite3.Connection, document_id: int, wanted: Wanted) -> tuple[int, ...]:
    """Return where in a document the passage stands, by its id or, of answers that do not name it, by its text."""
    if wanted.passage_id:
        query = "SELECT position FROM homes WHERE document_id = ? AND chunk_id = ? ORDER BY position"
        return tuple(int(row[0]) for row in connection.execute(query, (document_id, wanted.passage_id)))
    text = " ".join(wanted.text.split())
    query = "SELECT position, units FROM homes JOIN chunks USING (chunk_id) WHERE document_id = ? ORDER BY position"
    return tuple(
        int(position)
        for position, units in connection.execute(query, (document_id,))
        if text and text == " ".join(render_units(_units(str(units))).split())
    )


def _near(connection: sqlite3.Connection, document_id: int, text: str) -> int | None:
    """Return the position of the part most like a text: of those that hold enough of its words, by its rarest ones."""
    words = set(_WORD.findall(text.casefold()))
    query = "SELECT position, units FROM homes JOIN chunks USING (chunk_id) WHERE document_id = ? ORDER BY position"
    common = {
        int(position): words & set(_WORD.findall(render_units(_units(str(units))).casefold()))
        for position, units in connection.execute(query, (document_id,))
    }
    parts = Counter(word for held in common.values() for word in held)
    weights = {position: sum(1 / parts[word] for word in held) for position, held in common.items()}
    alike = [position for position, held in common.items() if held and len(held) >= LIKE * len(words)]
    return max(alike, key=lambda position: weights[position], default=None)


def _units(stored: str) -> list[Unit]:
    pairs: list[list[str]] = json.loads(stored)
    return [Unit(BlockKind(kind), text) for kind, text in pairs]


def _pieces(stored: str) -> tuple[Piece, ...]:
    return tuple(Piece(unit.text, _KINDS[unit.kind]) for unit in _units(stored))
