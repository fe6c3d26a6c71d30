"""The lexical index: BM25 over exact terms and stems (tantivy), one folder per revision.

A new revision starts as hard links to the files of the last one; tantivy never changes a written segment, so building
the next revision leaves the one people are searching untouched.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tantivy
from tantivy import Occur, Query

from bot.errors import StorageError

LEXICAL_VERSION = 1
_WRITER_HEAP_BYTES = 64_000_000

# Weight of a match by field: a heading says what a passage is about, a whole identifier names one thing.
FIELD_BOOSTS: Mapping[str, float] = {"exact": 1.0, "stems": 0.8, "head": 1.2, "place": 0.8}
PASSAGE = "passage"
UNIT = "unit"


@dataclass(frozen=True, slots=True)
class LexicalEntry:
    """One searchable text: its terms by field, each field a list of terms without white space."""

    key: str
    scope: str
    kind: str
    fields: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class LexicalHit:
    """A text found; `bm25` is large for near and comparable within one search only."""

    key: str
    bm25: float


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("key", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("scope", stored=False, tokenizer_name="raw", index_option="basic")
    for name in FIELD_BOOSTS:
        builder.add_text_field(name, stored=False, tokenizer_name="whitespace", index_option="freq")
    return builder.build()


class LexicalIndex:
    """One revision, open for searching."""

    def __init__(self, folder: Path) -> None:
        """Open the revision in `folder`.

        Raises:
            StorageError: If it is missing or damaged.
        """
        try:
            self._schema = _schema()
            self._index = tantivy.Index(self._schema, path=str(folder))
            self._searcher = self._index.searcher()
        except (ValueError, OSError) as error:
            raise StorageError(
                f"The lexical index {folder} is damaged: move the data folder away and run `locus ingest` again."
            ) from error

    def document_frequency(self, terms: Iterable[str], field: str) -> dict[str, int]:
        """Return how many texts hold each term in a field."""
        return {term: self._searcher.doc_freq(field, term) for term in terms}

    @property
    def size(self) -> int:
        """Number of texts, of all scopes and kinds."""
        return self._searcher.num_docs

    def search(
        self, weights: Mapping[str, Mapping[str, float]], *, scopes: Sequence[str], kind: str, limit: int
    ) -> list[LexicalHit]:
        """Return the best texts of the given kind and scopes.

        Args:
            weights: Field -> term -> weight.
            scopes: Only these; none means no hit.
            kind: `PASSAGE` or `UNIT`.
            limit: At most so many hits.
        """
        parts = [
            (Occur.Should, Query.boost_query(Query.term_query(self._schema, field, term), weight))
            for field, terms in weights.items()
            for term, weight in terms.items()
        ]
        if not parts or not scopes:
            return []
        allowed = Query.term_set_query(self._schema, "scope", [scope_key(scope, kind) for scope in scopes])
        query = Query.boolean_query(
            [
                (Occur.Must, Query.boolean_query(parts)),
                (Occur.Must, Query.const_score_query(allowed, 0.0)),
            ]
        )
        found = self._searcher.search(query, limit=limit, count=False)
        hits: list[LexicalHit] = []
        for bm25, address in found.hits:
            key = self._searcher.doc(address).get_first("key")
            hits.append(LexicalHit(str(key), float(bm25)))
        return hits


def scope_key(scope: str, kind: str) -> str:
    """The value of the scope field: kinds are kept apart by the same filter."""
    return f"{kind}:{scope}"


def write_revision(
    previous: Path | None, target: Path, *, removed: Iterable[str], added: Iterable[LexicalEntry]
) -> None:
    """Build the revision in `target` from the previous one; nobody reads it before it is published.

    Raises:
        StorageError: If the disk is full or the previous revision is damaged.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    try:
        if previous is not None:
            for file in previous.iterdir():
                if not file.name.endswith(".lock"):
                    _link(file, target / file.name)
        index = tantivy.Index(_schema(), path=str(target))
        writer = index.writer(heap_size=_WRITER_HEAP_BYTES, num_threads=1)
        for key in removed:
            writer.delete_documents_by_term("key", key)
        for entry in added:
            writer.delete_documents_by_term("key", entry.key)
            document = tantivy.Document()
            document.add_text("key", entry.key)
            document.add_text("scope", scope_key(entry.scope, entry.kind))
            for field, terms in entry.fields.items():
                document.add_text(field, " ".join(terms))
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
    except (ValueError, OSError) as error:
        shutil.rmtree(target, ignore_errors=True)
        raise StorageError(
            f"The lexical index {target} could not be written ({error}): check the free space of the disk."
        ) from error


def _link(source: Path, target: Path) -> None:
    """Hard-link a segment file; bookkeeping files, and everything where links fail, are copied."""
    if source.suffix != ".json":
        try:
            os.link(source, target)
        except OSError:
            pass
        else:
            return
    shutil.copy2(source, target)
