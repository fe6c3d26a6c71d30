"""Bringing a source into the index: what changed is read, parsed and embedded, then all is published at once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Protocol

import numpy as np

from bot.errors import SettingsError, UnreadableError
from bot.ingestion import IngestProgress, IngestReport
from knowledge.chunking import Chunk, chunk_document
from knowledge.documents import ParsedDocument, SourceFile
from knowledge.embeddings import Embedder, PassageText
from knowledge.gn_names import dataset_folder, dataset_title
from knowledge.index import KnowledgeIndex
from knowledge.links import web_link
from knowledge.records import ChunkRow, DocumentRow
from knowledge.terms import fold

_STAGE_CHUNKS = 256  # embedded and stored together; a killed sync loses at most so many

Parse = Callable[[bytes, str], ParsedDocument]


class Source(Protocol):
    """Where documents come from; see knowledge/sources."""

    @property
    def name(self) -> str: ...

    def files(self) -> Iterator[SourceFile]: ...


@dataclass(slots=True)
class _Pending:
    """Chunks waiting to be embedded."""

    rows: dict[str, Chunk] = field(default_factory=dict)


def sync_source(
    index: KnowledgeIndex,
    source: Source,
    *,
    scope: str,
    spec: str,
    parse: Parse,
    progress: IngestProgress,
) -> IngestReport:
    """Bring one source into the index and publish it.

    A file that cannot be read is named in the report and keeps what was indexed of it before.

    Raises:
        BusyError: If another process is writing to the same data folder.
        StorageError: If the disk is full or the index is damaged; what was published before stays.
        UnavailableError: If the source or a configured Chroma server does not answer.
    """
    started = time.perf_counter()
    report = IngestReport(source=spec)
    with index.writing():
        known = index.catalogue.digests(scope, source.name)
        files = list(source.files())
        report.files = len(files)
        progress.found(len(files), sum(file.size_bytes for file in files))
        sync = _Sync(index, scope, source.name, parse, progress, report, known)
        changed = list(sync.changed_documents(files))
        sync.flush()
        seen = {file.source for file in files}
        removed = sorted(known.keys() - seen)
        progress.publishing()
        published = index.publish(scope=scope, name=source.name, spec=spec, changed=changed, removed=removed)
    report.changed = len(changed)
    report.removed = len(removed)
    report.revision = published.revision
    report.duration_s = time.perf_counter() - started
    return report


class _Sync:
    """The state of one run."""

    def __init__(
        self,
        index: KnowledgeIndex,
        scope: str,
        source_name: str,
        parse: Parse,
        progress: IngestProgress,
        report: IngestReport,
        known: dict[str, str],
    ) -> None:
        self._index = index
        self._scope = scope
        self._source_name = source_name
        self._parse = parse
        self._progress = progress
        self._report = report
        self._known = known
        self._pending = _Pending()

    def changed_documents(self, files: Sequence[SourceFile]) -> Iterator[DocumentRow]:
        """Read every file, embed the new texts of those that changed, and yield those documents."""
        for _folder, members in _by_folder(files):
            contents: dict[str, bytes] = {}
            for file in members:
                try:
                    contents[file.source] = file.read()
                except UnreadableError as error:
                    self._report.problems.append(str(error))
                self._progress.read(file.source, file.size_bytes)
            summary = self._summary(contents)
            for file in members:
                if file.source not in contents:
                    continue
                row = self._document(file, contents[file.source], summary)
                if row is not None:
                    yield row

    def _summary(self, contents: dict[str, bytes]) -> str:
        """The opening of a dataset's summary, which may name the dataset for its other sections."""
        for path, data in contents.items():
            if PurePosixPath(path).stem == "summary" and dataset_folder(path):
                try:
                    blocks = self._parse(data[:20_000], path).blocks
                except (UnreadableError, SettingsError):
                    return ""
                return " ".join(block.text for block in blocks[:4])[:1000]
        return ""

    def _document(self, file: SourceFile, data: bytes, summary: str) -> DocumentRow | None:
        folder = dataset_folder(file.source)
        title = dataset_title(file.source, summary) if folder else title_from_path(file.source)
        digest = hashlib.sha256(title.encode() + b"\0" + (file.url or "").encode() + b"\0" + data).hexdigest()
        if self._known.get(file.source) == digest:
            self._report.unchanged += 1
            return None
        try:
            if not data.strip():
                raise UnreadableError(f"{file.source} is empty; it was left out.")
            document = self._parse(data, file.source)
        except UnreadableError as error:
            (self._report.problems if data.strip() else self._report.empty).append(str(error))
            return None
        except SettingsError as error:
            self._report.problems.append(f"{file.source}: {error}")
            return None
        if folder:
            document = ParsedDocument(title, document.blocks, document.format, document.url)
        chunks = chunk_document(document, title, self._index.embedder)
        ids = [self._add(chunk) for chunk in chunks]
        unit = str(PurePosixPath(file.source).parent) if folder else file.source
        return DocumentRow(
            file.source,
            digest,
            document.title or title,
            web_link(document.url) or file.url,
            f"{self._source_name}#{unit}",
            tuple(chunk_id for chunk_id in ids if chunk_id),
        )

    def _add(self, chunk: Chunk) -> str:
        """Remember a chunk for embedding and return its id, "" for a text without letters or digits."""
        chunk_id = text_id(self._scope, chunk.text)
        if not chunk_id:
            return ""
        self._report.chunks += 1
        if chunk_id not in self._pending.rows:
            self._pending.rows[chunk_id] = chunk
            if len(self._pending.rows) >= _STAGE_CHUNKS:
                self.flush()
        return chunk_id

    def flush(self) -> None:
        """Embed and store the waiting chunks that are not stored yet."""
        pending, self._pending = self._pending.rows, _Pending()
        existing = self._index.catalogue.existing(pending)
        new = [(chunk_id, chunk) for chunk_id, chunk in pending.items() if chunk_id not in existing]
        if not new:
            return
        begin = time.perf_counter()
        embedder: Embedder = self._index.embedder
        vectors = embedder.embed_passages(
            [PassageText(chunk.context, tuple(unit.text for unit in chunk.units)) for _, chunk in new]
        )
        self._report.embed_s += time.perf_counter() - begin
        rows = [
            ChunkRow(
                chunk_id,
                self._scope,
                chunk.title,
                chunk.heading,
                chunk.units,
                np.rint(np.vstack([vector.passage, vector.units]) * 127).astype(np.int8),
            )
            for (chunk_id, chunk), vector in zip(new, vectors, strict=True)
        ]
        self._index.stage(rows, np.stack([vector.passage for vector in vectors]))
        self._report.embedded += len(rows)
        self._progress.embedded(len(rows))


def text_id(scope: str, text: str) -> str:
    """Return the identity of a text in a scope; case, white space and punctuation do not count. "" for no text."""
    words = "".join(char if char.isalnum() else " " for char in fold(text)).split()
    if not words:
        return ""
    return hashlib.sha256(f"{scope}\0{' '.join(words)}".encode()).hexdigest()[:32]


def _by_folder(files: Iterable[SourceFile]) -> Iterator[tuple[str, list[SourceFile]]]:
    """Group neighbours of a dataset folder; all other files stand alone, so that few bytes are held at a time."""
    folder: str | None = None
    group: list[SourceFile] = []
    for file in files:
        own = dataset_folder(file.source)
        key = str(PurePosixPath(file.source).parent) if own else None
        if group and (key is None or key != folder):
            yield folder or "", group
            group = []
        folder = key
        group.append(file)
    if group:
        yield folder or "", group


def title_from_path(path: str) -> str:
    """A readable title for a document that names none: its file name, or its folder for README and index files."""
    pure = PurePosixPath(path)
    stem = pure.stem if pure.stem.lower() not in {"readme", "index"} or len(pure.parts) < 2 else pure.parts[-2]
    return stem.replace("_", " ").replace("-", " ").strip() or path
