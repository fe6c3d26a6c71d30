"""The catalogue: which texts the index holds, where they stand, and which revision people see.

SQLite in WAL mode. A chunk is stored once per scope and has a *home* in every document that holds it; a chunk without
a home is invisible. A sync first stages new chunks (visible to nobody), then publishes documents, homes and the new
lexical revision in one transaction, so that a reader sees the old index or the new one. Staged chunks outlive a killed
sync: the next one finds them by their text and does not embed them again.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bot.errors import StorageError
from bot.evidence import Home
from knowledge.chunking import Unit
from knowledge.documents import BlockKind
from knowledge.records import ChunkRow, DocumentRow, StoredChunk

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sources (
  source_id INTEGER PRIMARY KEY, scope TEXT NOT NULL, name TEXT NOT NULL, spec TEXT NOT NULL, synced_at TEXT NOT NULL,
  UNIQUE (scope, name));
CREATE TABLE IF NOT EXISTS documents (
  document_id INTEGER PRIMARY KEY, source_id INTEGER NOT NULL, path TEXT NOT NULL, digest TEXT NOT NULL,
  title TEXT NOT NULL, url TEXT, unit TEXT NOT NULL, UNIQUE (source_id, path));
CREATE INDEX IF NOT EXISTS documents_unit ON documents (unit);
CREATE TABLE IF NOT EXISTS chunks (
  chunk_id TEXT PRIMARY KEY, scope TEXT NOT NULL, title TEXT NOT NULL, heading TEXT NOT NULL, units TEXT NOT NULL,
  vectors BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS homes (
  document_id INTEGER NOT NULL, position INTEGER NOT NULL, chunk_id TEXT NOT NULL,
  PRIMARY KEY (document_id, position)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS homes_chunk ON homes (chunk_id);
CREATE TABLE IF NOT EXISTS retired (chunk_id TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
"""
_HOMES_OF = (
    "SELECT homes.chunk_id, documents.path, documents.title, documents.url, unit, position FROM homes "
    "JOIN documents USING (document_id) WHERE homes.chunk_id IN (?) ORDER BY documents.document_id, position"
)
_BATCH = 500  # ids per SQL statement

CLOSE_PATIENCE_S = 10.0  # a search takes milliseconds


class Catalogue:
    """One catalogue file; every thread gets its own connection."""

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            StorageError: If it is damaged or was written by another version of Locus.
        """
        self._path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._readers = 0
        self._read = threading.Condition(self._lock)
        with self.errors():
            connection = self._connection()
            connection.executescript(_SCHEMA)
            version = self.get_meta("schema")
            if version is None:
                with connection:
                    self._set_meta(connection, {"schema": str(SCHEMA_VERSION)})
            elif version != str(SCHEMA_VERSION):
                raise StorageError(
                    f"The index {path} has layout {version}, this Locus reads layout {SCHEMA_VERSION}: "
                    "move the data folder away and run `locus ingest` again."
                )

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Translate SQLite's errors: one sentence each for a full disk and a damaged file."""
        try:
            yield
        except sqlite3.Error as error:
            text = str(error)
            if "full" in text or "disk I/O" in text:
                message = f"The disk with {self._path.parent} is full: free some space and run the command again."
            elif "locked" in text or "readonly" in text or "unable to open" in text:
                message = f"The index {self._path} cannot be used ({text}): check its owner and who else uses it."
            else:
                message = (
                    f"The index {self._path} is damaged ({text}): move the folder {self._path.parent} away and run "
                    "`locus ingest` again."
                )
            raise StorageError(message) from error

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, timeout=30, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA cache_size=-32000")
            self._local.connection = connection
            with self._lock:
                self._connections.append(connection)
        return connection

    def close(self) -> None:
        """Close the connections of all threads, when none reads any more: SQLite would crash the process."""
        with self._lock:
            self._read.wait_for(lambda: self._readers == 0, CLOSE_PATIENCE_S)
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._local = threading.local()

    # Reading

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Everything read by this thread inside the block is of one revision; the connection is for reading only."""
        with self._lock:
            self._readers += 1
        try:
            with self.errors():
                connection = self._connection()
                connection.execute("BEGIN")
                try:
                    yield connection
                finally:
                    connection.rollback()
        finally:
            with self._lock:
                self._readers -= 1
                self._read.notify_all()

    def get_meta(self, key: str) -> str | None:
        """Return a value of the index's own record, or None."""
        row = self._connection().execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def meta_beginning(self, prefix: str) -> dict[str, str]:
        """Return the values of the index's own record whose keys begin so."""
        query = "SELECT key, value FROM meta WHERE substr(key, 1, ?) = ?"
        return {str(key): str(value) for key, value in self._connection().execute(query, (len(prefix), prefix))}

    def documents_by_source(self) -> dict[int, int]:
        """Return the number of documents by source_id."""
        query = "SELECT source_id, COUNT(*) FROM documents GROUP BY source_id"
        return {int(source_id): int(number) for source_id, number in self._connection().execute(query)}

    def revision(self) -> int:
        """Return the number of the published revision; 0 before the first."""
        return int(self.get_meta("revision") or 0)

    def published_revision(self) -> int:
        """Return `revision` outside of a snapshot; a sync that changes nothing leaves it as it is."""
        with self.errors():
            return self.revision()

    def has_documents(self) -> bool:
        """True once a document has been published."""
        with self.errors():
            return self._connection().execute("SELECT 1 FROM documents LIMIT 1").fetchone() is not None

    def counts(self) -> dict[str, int]:
        """Return the number of visible documents and chunks, and of sources."""
        connection = self._connection()
        queries = {
            "sources": "SELECT COUNT(*) FROM sources",
            "documents": "SELECT COUNT(*) FROM documents",
            "chunks": "SELECT COUNT(DISTINCT chunk_id) FROM homes",
        }
        return {name: int(connection.execute(query).fetchone()[0]) for name, query in queries.items()}

    def sources(self) -> list[tuple[int, str, str, str, str]]:
        """Return (source_id, scope, name, spec, synced_at) of every source."""
        query = "SELECT source_id, scope, name, spec, synced_at FROM sources ORDER BY source_id"
        return [(int(a), str(b), str(c), str(d), str(e)) for a, b, c, d, e in self._connection().execute(query)]

    def source_contents(self, titles: int) -> list[tuple[str, str, int, tuple[str, ...]]]:
        """Return (name, scope, number of documents, titles of the largest ones) of every source that has documents."""
        connection = self._connection()
        counts = connection.execute(
            "SELECT source_id, sources.name, scope, COUNT(*) FROM documents JOIN sources USING (source_id) "
            "GROUP BY source_id ORDER BY source_id"
        ).fetchall()
        largest = (
            "SELECT title FROM documents JOIN homes USING (document_id) WHERE source_id = ? "
            "GROUP BY document_id ORDER BY COUNT(*) DESC, document_id LIMIT ?"
        )
        return [
            (
                str(name),
                str(scope),
                int(number),
                tuple(str(row[0]) for row in connection.execute(largest, (key, titles))),
            )
            for key, name, scope, number in counts
        ]

    def documents_of(self, prefix: str, scope: str | None) -> list[tuple[str, str, str, str, int]]:
        """Return (scope, source name, spec, title, number of chunks) of the documents of sources that begin so."""
        query = (
            "SELECT scope, sources.name, spec, documents.title, COUNT(homes.chunk_id) FROM sources "
            "JOIN documents USING (source_id) LEFT JOIN homes USING (document_id) "
            "WHERE substr(sources.name, 1, ?) = ? AND (? IS NULL OR scope = ?) "
            "GROUP BY document_id ORDER BY scope, sources.name"
        )
        with self.errors():
            rows = self._connection().execute(query, (len(prefix), prefix, scope, scope)).fetchall()
        return [(str(a), str(b), str(c), str(d), int(e)) for a, b, c, d, e in rows]

    def scopes(self) -> set[str]:
        """Return the scopes that hold at least one source."""
        return {scope for _, scope, _, _, _ in self.sources()}

    def digests(self, scope: str, name: str) -> dict[str, str]:
        """Return path -> digest of the documents published for a source."""
        query = "SELECT path, digest FROM documents JOIN sources USING (source_id) WHERE scope = ? AND sources.name = ?"
        return {str(path): str(digest) for path, digest in self._connection().execute(query, (scope, name))}

    def existing(self, chunk_ids: Iterable[str]) -> set[str]:
        """Return those of the ids that are stored, visible or staged."""
        found: set[str] = set()
        for batch in _batches(list(chunk_ids)):
            query = f"SELECT chunk_id FROM chunks WHERE chunk_id IN ({_marks(batch)})"  # noqa: S608 - marks only
            found.update(str(row[0]) for row in self._connection().execute(query, batch))
        return found

    def visible(self, chunk_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that have a home."""
        found: set[str] = set()
        for batch in _batches(list(chunk_ids)):
            query = f"SELECT chunk_id FROM homes WHERE chunk_id IN ({_marks(batch)})"  # noqa: S608 - marks only
            found.update(str(row[0]) for row in self._connection().execute(query, batch))
        return found

    def chunks(self, chunk_ids: Sequence[str]) -> dict[str, StoredChunk]:
        """Return the visible ones among the ids."""
        rows: dict[str, ChunkRow] = {}
        homes: dict[str, list[tuple[Home, str, int]]] = {}
        connection = self._connection()
        for batch in _batches(list(chunk_ids)):
            marks = _marks(batch)
            query = _HOMES_OF.replace("?", marks)
            for chunk_id, path, title, url, unit, position in connection.execute(query, batch):
                homes.setdefault(chunk_id, []).append((Home(path, title, url), unit, position))
            query = f"SELECT * FROM chunks WHERE chunk_id IN ({marks})"  # noqa: S608 - marks only
            for row in connection.execute(query, batch):
                rows[row[0]] = _chunk_row(row)
        return {
            chunk_id: StoredChunk(
                rows[chunk_id],
                tuple(dict.fromkeys(home for home, _, _ in homes[chunk_id])),
                homes[chunk_id][0][1],
                tuple(position for _, _, position in homes[chunk_id]),
            )
            for chunk_id in chunk_ids
            if chunk_id in rows and chunk_id in homes
        }

    def all_chunks(self) -> Iterator[ChunkRow]:
        """Yield every stored text, visible or staged."""
        for row in self._connection().execute("SELECT * FROM chunks"):
            yield _chunk_row(row)

    def chunks_of_units(self, units: Iterable[str]) -> Iterator[tuple[str, str, list[StoredChunk]]]:
        """Yield (scope, unit, its visible chunks) for ranking units, as they are inside the current transaction."""
        connection = self._connection()
        for unit in units:
            query = "SELECT DISTINCT chunk_id FROM homes JOIN documents USING (document_id) WHERE unit = ?"
            ids = [str(row[0]) for row in connection.execute(query, (unit,))]
            found = self.chunks(ids)
            by_scope: dict[str, list[StoredChunk]] = {}
            for chunk in found.values():
                by_scope.setdefault(chunk.row.scope, []).append(chunk)
            for scope, chunks in by_scope.items():
                yield scope, unit, chunks

    def retired_before(self, revision: int) -> dict[str, list[str]]:
        """Return scope -> ids of chunks that lost their last home before `revision` and have none now."""
        query = (
            "SELECT scope, chunk_id FROM retired JOIN chunks USING (chunk_id) WHERE revision < ? "
            "AND chunk_id NOT IN (SELECT chunk_id FROM homes)"
        )
        found: dict[str, list[str]] = {}
        for scope, chunk_id in self._connection().execute(query, (revision,)):
            found.setdefault(str(scope), []).append(str(chunk_id))
        return found

    # Writing

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All changes inside become visible at once, or none."""
        with self.errors():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def stage(self, rows: Iterable[ChunkRow]) -> None:
        """Store chunks that nobody sees yet."""
        with self.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (
                        row.chunk_id,
                        row.scope,
                        row.title,
                        row.heading,
                        json.dumps([[unit.kind.value, unit.text] for unit in row.units], ensure_ascii=False),
                        row.vectors.tobytes(),
                    )
                    for row in rows
                ),
            )

    def retire_orphans(self, connection: sqlite3.Connection, revision: int) -> None:
        """Note, inside `transaction`, which chunks have no home: readers of the revision before may still see them."""
        connection.execute("DELETE FROM retired WHERE chunk_id IN (SELECT chunk_id FROM homes)")
        connection.execute(
            "INSERT OR IGNORE INTO retired SELECT chunk_id, ? FROM chunks "
            "WHERE chunk_id NOT IN (SELECT chunk_id FROM homes)",
            (revision,),
        )

    def delete_chunks(self, chunk_ids: Sequence[str]) -> None:
        """Remove stored texts; the caller knows that none has a home."""
        with self.transaction() as connection:
            connection.executemany("DELETE FROM chunks WHERE chunk_id = ?", ((one,) for one in chunk_ids))
            connection.executemany("DELETE FROM retired WHERE chunk_id = ?", ((one,) for one in chunk_ids))

    def publish_source(
        self,
        connection: sqlite3.Connection,
        *,
        scope: str,
        name: str,
        spec: str,
        synced_at: str,
        changed: Iterable[DocumentRow],
        removed: Iterable[str],
    ) -> tuple[set[str], set[str]]:
        """Write a source's changed and removed documents inside `transaction`.

        Returns:
            The ids of all chunks that gained or lost a home, and the ranking units touched.
        """
        connection.execute(
            "INSERT INTO sources (scope, name, spec, synced_at) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (scope, name) DO UPDATE SET spec = excluded.spec, synced_at = excluded.synced_at",
            (scope, name, spec, synced_at),
        )
        query = "SELECT source_id FROM sources WHERE scope = ? AND name = ?"
        source_id = int(connection.execute(query, (scope, name)).fetchone()[0])
        chunk_ids: set[str] = set()
        units: set[str] = set()

        def forget(path: str) -> None:
            row = connection.execute(
                "SELECT document_id, unit FROM documents WHERE source_id = ? AND path = ?", (source_id, path)
            ).fetchone()
            if row is None:
                return
            units.add(str(row[1]))
            gone = connection.execute("SELECT chunk_id FROM homes WHERE document_id = ?", (row[0],))
            chunk_ids.update(str(one[0]) for one in gone)
            connection.execute("DELETE FROM homes WHERE document_id = ?", (row[0],))
            connection.execute("DELETE FROM documents WHERE document_id = ?", (row[0],))

        for path in removed:
            forget(path)
        for document in changed:
            forget(document.path)
            cursor = connection.execute(
                "INSERT INTO documents (source_id, path, digest, title, url, unit) VALUES (?, ?, ?, ?, ?, ?)",
                (source_id, document.path, document.digest, document.title, document.url, document.unit),
            )
            connection.executemany(
                "INSERT INTO homes VALUES (?, ?, ?)",
                ((cursor.lastrowid, position, chunk_id) for position, chunk_id in enumerate(document.chunk_ids)),
            )
            chunk_ids.update(document.chunk_ids)
            units.add(document.unit)
        return chunk_ids, units

    def drop_source(self, connection: sqlite3.Connection, *, scope: str, name: str) -> None:
        """Forget, inside `transaction`, a source that has no documents any more."""
        connection.execute("DELETE FROM sources WHERE scope = ? AND name = ?", (scope, name))

    def _set_meta(self, connection: sqlite3.Connection, values: Mapping[str, str]) -> None:
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def set_meta(self, connection: sqlite3.Connection, values: Mapping[str, str]) -> None:
        """Write values of the index's own record inside `transaction`."""
        self._set_meta(connection, values)


def _marks(batch: Sequence[str]) -> str:
    return ",".join("?" * len(batch))


def _batches(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]


def _chunk_row(row: Sequence[object]) -> ChunkRow:
    chunk_id, scope, title, heading, units, blob = row
    pairs: list[list[str]] = json.loads(str(units))
    if not isinstance(blob, bytes):
        raise sqlite3.DatabaseError(f"chunk {chunk_id} has no vectors")
    vectors = np.frombuffer(blob, dtype=np.int8)
    shape = (1 + len(pairs), -1)
    return ChunkRow(
        str(chunk_id),
        str(scope),
        str(title),
        str(heading),
        tuple(Unit(BlockKind(kind), text) for kind, text in pairs),
        vectors.reshape(shape),
    )
