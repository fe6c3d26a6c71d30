"""The index of one data folder: catalogue, vectors and lexical index, published together.

`KnowledgeIndex` opens all three, refuses an index made with other settings, and publishes a sync in one step.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bot.errors import StorageError
from bot.ports import IndexedSource, IndexFacts
from knowledge.catalogue import Catalogue
from knowledge.chunking import CHUNKING_VERSION, TARGET_TOKENS
from knowledge.documents import PARSING_VERSION
from knowledge.embeddings import Embedder, FloatArray
from knowledge.gn_names import expand_dataset_name
from knowledge.lexical import (
    LEXICAL_VERSION,
    PASSAGE,
    UNIT,
    LexicalEntry,
    LexicalIndex,
    write_revision,
)
from knowledge.locks import FolderLock
from knowledge.records import ChunkRow, DocumentRow, StoredChunk
from knowledge.sync_notes import source_syncs
from knowledge.terms import TERMS_VERSION, extract_terms
from knowledge.vectors import VectorStore, copy_store


def index_settings(embedder: Embedder) -> dict[str, str]:
    """Everything an index depends on; two indexes with different values must not be mixed."""
    return {
        "parsing": str(PARSING_VERSION),
        "chunking": f"{CHUNKING_VERSION}:{TARGET_TOKENS}",
        "embedding": embedder.fingerprint,
        "terms": str(TERMS_VERSION),
        "lexical": str(LEXICAL_VERSION),
    }


TITLES_PER_SOURCE = 3  # that tell people what a source is about
PLACE_HOMES = 8  # homes of one text that are read for names


@dataclass(frozen=True, slots=True)
class Revision:
    """What a search reads besides the catalogue."""

    lexical: LexicalIndex
    vectors: VectorStore


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing changed: `revision` is the one people now see."""

    revision: int
    changed: int
    removed: int


class KnowledgeIndex:
    """The index in one data folder; safe to read from several threads, written by one process at a time."""

    def __init__(self, data_dir: Path, embedder: Embedder, *, chroma_url: str | None = None) -> None:
        """Open the index, creating an empty one in a new folder.

        Raises:
            StorageError: If the index is damaged or was made with other settings.
            UnavailableError: If a configured Chroma server does not answer.
        """
        self.folder = data_dir / "index"
        self.embedder = embedder
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StorageError(
                f"The data folder {data_dir} cannot be used ({error.strerror}): choose another with --data-dir."
            ) from error
        self.catalogue = Catalogue(self.folder / "catalogue.sqlite")
        self._chroma_url = chroma_url
        self._check_settings()
        # A configured server is asked at once, so that a wrong address is told at the start.
        self._server = VectorStore(self.folder, url=chroma_url) if chroma_url else None
        self._writer: VectorStore | None = self._server
        self._open: dict[int, Revision] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close files and clients; the embedder belongs to the caller."""
        stores = {id(store): store for store in (self._writer, *(one.vectors for one in self._open.values())) if store}
        for store in stores.values():
            store.close()
        self._open.clear()
        self._writer = None
        self.catalogue.close()

    def _check_settings(self) -> None:
        wanted = index_settings(self.embedder) | {"chroma": self._chroma_url or "embedded"}
        with self.catalogue.errors():
            stored = self.catalogue.get_meta("settings")
            if stored is None:
                with self.catalogue.transaction() as connection:
                    self.catalogue.set_meta(connection, {"settings": json.dumps(wanted)})
                return
        made: dict[str, str] = json.loads(stored)
        different = sorted(name for name in wanted.keys() | made.keys() if wanted.get(name) != made.get(name))
        if different:
            changes = ", ".join(f"{name}: {made.get(name)} then, {wanted.get(name)} now" for name in different)
            raise StorageError(
                f"The index {self.folder} was made with other settings ({changes}): set them back, or choose a new "
                "folder with --data-dir and run `locus ingest` there."
            )

    # Reading

    def revision(self, number: int) -> Revision | None:
        """Return a published revision for searching; None before the first.

        The one before stays open for searches under way.

        Raises:
            StorageError: If its files are missing or damaged.
        """
        if number == 0:
            return None
        with self._lock:
            found = self._open.get(number)
            if found is None:
                lexical = LexicalIndex(self._lexical_folder(number))
                vectors = self._server or VectorStore(self._vector_folder(number), url=None)
                found = self._open[number] = Revision(lexical, vectors)
                for old in sorted(self._open)[:-2]:
                    store = self._open.pop(old).vectors
                    if store is not self._server:
                        store.close()
            return found

    def _lexical_folder(self, revision: int) -> Path:
        return self.folder / "lexical" / str(revision)

    def _vector_folder(self, revision: int) -> Path:
        return self.folder / "vectors" / str(revision)

    @property
    def _staging_folder(self) -> Path:
        return self.folder / "vectors" / "staging"

    def _vector_writer(self) -> VectorStore:
        if self._writer is None:
            self._writer = VectorStore(self._staging_folder, url=None)
        return self._writer

    # Writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the right to write; a second process is refused with a sentence.

        Raises:
            BusyError: If another process is writing; names it.
        """
        with FolderLock(self.folder / "ingest.lock", what="`locus ingest`"):
            try:
                yield
            finally:
                # An embedded store that stays open does not see what the next process writes, and would spoil it.
                if self._writer is not None and self._writer is not self._server:
                    self._writer.close()
                    self._writer = None

    def stage(self, rows: Sequence[ChunkRow], vectors: FloatArray) -> None:
        """Store chunks that nobody sees yet; vectors `(n_rows, dim)` go first, so that a stored row always has one."""
        by_scope: dict[str, list[int]] = {}
        for index, row in enumerate(rows):
            by_scope.setdefault(row.scope, []).append(index)
        for scope, indexes in by_scope.items():
            self._vector_writer().upsert(scope, [rows[index].chunk_id for index in indexes], vectors[np.array(indexes)])
        self.catalogue.stage(rows)

    def publish(
        self,
        *,
        scope: str,
        name: str,
        spec: str,
        changed: Sequence[DocumentRow],
        removed: Sequence[str],
        close_source: bool = False,
    ) -> Published:
        """Make a sync visible in one step: documents, homes and the lexical index of the next revision.

        With `close_source` the source itself is forgotten too; `removed` then names all its documents.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        current = self.catalogue.revision()
        if not changed and not removed and any((s, n) == (scope, name) for _, s, n, _, _ in self.catalogue.sources()):
            with self.catalogue.transaction() as connection:
                self.catalogue.publish_source(
                    connection, scope=scope, name=name, spec=spec, synced_at=now, changed=(), removed=()
                )
            self._purge(keep=current)
            return Published(current, 0, 0)
        revision = current + 1
        with self.catalogue.transaction() as connection:
            chunk_ids, units = self.catalogue.publish_source(
                connection, scope=scope, name=name, spec=spec, synced_at=now, changed=changed, removed=removed
            )
            if close_source:
                self.catalogue.drop_source(connection, scope=scope, name=name)
            previous = self._lexical_folder(current) if current else None
            write_revision(
                previous,
                self._lexical_folder(revision),
                removed=[*chunk_ids, *(unit_key(unit_scope, unit) for unit in units for unit_scope in (scope,))],
                added=self._entries(chunk_ids, units),
            )
            if self._server is None:
                self._vector_writer()  # creates an empty store where nothing was ever staged
                copy_store(self._staging_folder, self._vector_folder(revision))
            self.catalogue.set_meta(connection, {"revision": str(revision), "published_at": now})
            self.catalogue.retire_orphans(connection, revision)
        self._purge(keep=revision)
        return Published(revision, len(changed), len(removed))

    def _entries(self, chunk_ids: Iterable[str], units: Iterable[str]) -> Iterator[LexicalEntry]:
        """Lexical entries of touched chunks and ranking units, as they are inside the current transaction."""
        ids = sorted(chunk_ids)
        for start in range(0, len(ids), 500):
            for chunk in self.catalogue.chunks(ids[start : start + 500]).values():
                yield passage_entry(chunk)
        for scope, unit, chunks in self.catalogue.chunks_of_units(sorted(units)):
            yield unit_entry(scope, unit, chunks)

    def _purge(self, *, keep: int) -> None:
        """Delete what no reader can see any more: texts retired before revision `keep`, older lexical folders."""
        for scope, chunk_ids in self.catalogue.retired_before(keep).items():
            self._vector_writer().delete(scope, chunk_ids)
            self.catalogue.delete_chunks(chunk_ids)
        for root in (self.folder / "lexical", self.folder / "vectors"):
            for folder in root.iterdir() if root.is_dir() else ():
                if folder.name.isdigit() and not keep - 1 <= int(folder.name) <= keep:
                    shutil.rmtree(folder, ignore_errors=True)


def unit_key(scope: str, unit: str) -> str:
    """Key of a ranking unit in the lexical index."""
    return f"{UNIT}:{scope}:{unit}"


def passage_entry(chunk: StoredChunk) -> LexicalEntry:
    """Return the searchable fields of a chunk: its text, its title and headings, the names of its homes."""
    body = extract_terms("\n".join(unit.text for unit in chunk.row.units))
    head = extract_terms(f"{chunk.row.title}\n{chunk.row.heading}")
    return LexicalEntry(
        chunk.row.chunk_id,
        chunk.row.scope,
        PASSAGE,
        {"exact": body.exact, "stems": body.stems, "head": [*head.exact, *head.stems], "place": place_terms(chunk)},
    )


def unit_entry(scope: str, unit: str, chunks: Sequence[StoredChunk]) -> LexicalEntry:
    """Return the searchable fields of a document or dataset as a whole."""
    exact: list[str] = []
    stems: list[str] = []
    head: dict[str, None] = {}
    place: dict[str, None] = {}
    for chunk in chunks:
        entry = passage_entry(chunk).fields
        exact.extend(entry["exact"])
        stems.extend(entry["stems"])
        head.update(dict.fromkeys(entry["head"]))
        place.update(dict.fromkeys(entry["place"]))
    return LexicalEntry(
        unit_key(scope, unit), scope, UNIT, {"exact": exact, "stems": stems, "head": list(head), "place": list(place)}
    )


def place_text(chunk: StoredChunk) -> str:
    """Where a text stands, as words: paths, titles, and what dataset abbreviations in them mean."""
    words: list[str] = []
    for home in chunk.homes[:PLACE_HOMES]:
        words.extend((home.source, home.title))
        for part in home.source.split("/")[-2:]:
            words.extend(expand_dataset_name(part.rsplit(".", 1)[0]))
    return "\n".join(words)


def place_terms(chunk: StoredChunk) -> list[str]:
    """Terms of `place_text`, each once."""
    found = extract_terms(place_text(chunk))
    return list(dict.fromkeys((*found.exact, *found.stems)))


def describe(index: KnowledgeIndex) -> Mapping[str, str]:
    """Return revision, counts and settings for people and `locus doctor`."""
    counts = {name: str(number) for name, number in index.catalogue.counts().items()}
    return {
        "revision": str(index.catalogue.revision()),
        "published": index.catalogue.get_meta("published_at") or "never",
        **counts,
    }


def index_facts(index: KnowledgeIndex) -> IndexFacts:
    """Return what the index holds as one revision; blocking."""
    with index.catalogue.snapshot():
        return IndexFacts(
            index.catalogue.revision(),
            index.catalogue.get_meta("published_at") or "",
            index.catalogue.counts()["documents"],
            tuple(IndexedSource(*source) for source in index.catalogue.source_contents(TITLES_PER_SOURCE)),
            source_syncs(index.catalogue),
        )
