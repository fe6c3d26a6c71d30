"""Ranking: what is measured of each candidate passage, and how the measures become one relevance."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from knowledge.documents import BlockKind
from knowledge.embeddings import FloatArray
from knowledge.index import place_text
from knowledge.lexical import LexicalIndex
from knowledge.query import Query
from knowledge.records import StoredChunk
from knowledge.terms import TermMatcher

FEATURES = (
    "dense",  # cosine of question and passage, at least 0
    "unit",  # largest cosine of question and one sentence
    "bm25",  # BM25 of the passage over the best one's
    "unit_bm25",  # BM25 of the whole document or dataset over the best one's
    "cover",  # share of the question's term weight found in passage, heading or place
    "cover_unit",  # share found in the best single sentence
    "cover_document",  # share found in the document as a whole (best passage's terms joined)
    "identifiers",  # share of the question's identifiers found in passage or place
    "rank_dense",  # 1 / (10 + rank) among dense hits, times 10
    "rank_bm25",  # the same among lexical hits
    "prose",  # share of the passage's text that is sentences or items
    "place",  # share of the question's term weight found in titles, headings and names
    "detail",  # share found in the passage of what titles and names do not already hold
    "length",  # length of the passage over `FULL_LENGTH_CHARS`, at most 1
    "issue",  # 1 for an issue tracker's entry: what was wrong once, rather than how things are
    "credits",  # 1 for acknowledgments, contributors and citations
)
FULL_LENGTH_CHARS = 400
CREDITS = frozenset({"acknowledgment", "contributors", "citation"})


@dataclass(slots=True)
class Candidate:
    """A passage that some index proposed."""

    chunk: StoredChunk
    dense_rank: int | None = None
    bm25: float = 0.0
    bm25_rank: int | None = None
    unit_bm25: float = 0.0


class TermWeights:
    """Weight of each question term: its importance in the question times its rarity in the index."""

    def __init__(self, exact: dict[str, float], stems: dict[str, float]) -> None:
        self.exact = exact
        self.stems = stems
        self.matcher = TermMatcher(exact, stems)
        self._weights = [*exact.values(), *stems.values()]
        self.total = sum(self._weights)
        self._known: dict[int, float] = {}

    def coverage(self, found: int) -> float:
        """Share (0 to 1) of the weight of all terms that the bit mask holds; words weigh by exact form and stem."""
        share = self._known.get(found)
        if share is None:
            held = sum(weight for bit, weight in enumerate(self._weights) if found >> bit & 1)
            share = self._known[found] = held / self.total if self.total > 0 else 0.0
        return share

    def detail(self, body: int, place: int) -> float:
        """Share (0 to 1) found in the body among the terms that the place does not hold; 1 when none is left.

        A question names a dataset and asks for a detail; the name alone is no evidence for the detail.
        """
        rest = 1.0 - self.coverage(place)
        return (self.coverage(body | place) - self.coverage(place)) / rest if rest > 1e-6 else 1.0

    def mask(self, terms: Iterable[str]) -> int:
        """Return the bits of the given exact terms."""
        return sum(1 << self.matcher.exact[term] for term in terms if term in self.matcher.exact)


def inverse_frequency(frequency: int, size: int) -> float:
    """Rarity of a term, as in BM25 (Robertson and Zaragoza 2009): ln(1 + (N - n + 0.5) / (n + 0.5))."""
    return math.log(1 + (size - frequency + 0.5) / (frequency + 0.5))


def term_weights(query: Query, lexical: LexicalIndex) -> TermWeights:
    """Weight the question's terms by rarity; stems share the weight of a word with its exact form."""
    size = max(lexical.size, 1)
    exact_frequency = lexical.document_frequency(query.exact, "exact")
    stem_frequency = lexical.document_frequency(query.stems, "stems")
    return TermWeights(
        {
            term: weight * inverse_frequency(exact_frequency[term], size) * (1.0 if term in query.identifiers else 0.4)
            for term, weight in query.exact.items()
        },
        {term: weight * inverse_frequency(stem_frequency[term], size) * 0.6 for term, weight in query.stems.items()},
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """A candidate with its measures `(len(FEATURES),)` and, per unit, cosine and coverage `(n_units,)`."""

    candidate: Candidate
    features: npt.NDArray[np.float64]
    unit_cosine: npt.NDArray[np.float64]
    unit_cover: npt.NDArray[np.float64]


def measure(query: Query, vector: FloatArray, weights: TermWeights, candidates: Sequence[Candidate]) -> list[Measured]:
    """Measure every candidate; `vector` `(dim,)` is the question's."""
    top_bm25 = max((one.bm25 for one in candidates), default=0.0) or 1.0
    top_unit = max((one.unit_bm25 for one in candidates), default=0.0) or 1.0
    match = weights.matcher.match
    identifiers = weights.mask(query.identifiers)
    documents: dict[str, int] = {}
    found: list[tuple[list[int], int, int]] = []
    for one in candidates:
        units = [match(unit.text) for unit in one.chunk.row.units]
        place = match(f"{one.chunk.row.title}\n{one.chunk.row.heading}\n{place_text(one.chunk)}")
        body = functools.reduce(operator.or_, units, 0)
        documents[one.chunk.unit] = documents.get(one.chunk.unit, 0) | body | place
        found.append((units, body, place))
    measured: list[Measured] = []
    for one, (units, body, place) in zip(candidates, found, strict=True):
        cosines = np.maximum(one.chunk.row.vectors.astype(np.float32) @ vector / 127.0, 0.0).astype(np.float64)
        covers = np.array([weights.coverage(bits) for bits in units])
        lengths = [len(unit.text) for unit in one.chunk.row.units]
        length = sum(lengths) or 1
        prose = sum(
            size
            for size, unit in zip(lengths, one.chunk.row.units, strict=True)
            if unit.kind in (BlockKind.PARAGRAPH, BlockKind.ITEM)
        )
        source = one.chunk.homes[0].source
        values = (
            float(cosines[0]),
            float(cosines[1:].max(initial=0.0)),
            one.bm25 / top_bm25,
            one.unit_bm25 / top_unit,
            weights.coverage(body | place),
            float(covers.max(initial=0.0)),
            weights.coverage(documents[one.chunk.unit]),
            ((body | place) & identifiers).bit_count() / identifiers.bit_count() if identifiers else 0.0,
            10 / (10 + one.dense_rank) if one.dense_rank is not None else 0.0,
            10 / (10 + one.bm25_rank) if one.bm25_rank is not None else 0.0,
            prose / length,
            weights.coverage(place),
            weights.detail(body, place),
            min(1.0, length / FULL_LENGTH_CHARS),
            float("/issues/" in f"/{source}"),
            float(PurePosixPath(source).stem in CREDITS),
        )
        measured.append(Measured(one, np.array(values), cosines[1:], covers))
    return measured
