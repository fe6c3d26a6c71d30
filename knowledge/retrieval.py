"""Retrieval: candidates from the dense and the lexical index, measured, ranked, and judged as evidence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import numpy as np

from bot.evidence import Evidence, Passage
from bot.messages import Turn
from bot.tracing import since, span
from knowledge.aliases import AliasTable
from knowledge.chunking import render_units
from knowledge.embeddings import FloatArray, normalised
from knowledge.index import KnowledgeIndex, unit_key
from knowledge.judgement import CONFIDENCE_PASSAGES, confidence, similarities
from knowledge.lexical import FIELD_BOOSTS, PASSAGE, UNIT
from knowledge.query import Query, understand
from knowledge.ranking import Candidate, Measured, measure, term_weights
from knowledge.sentence_relevance import score_sentences
from knowledge.vectors import VectorStore

DENSE_CANDIDATES = 50
LEXICAL_CANDIDATES = 50
UNIT_CANDIDATES = 40


class CandidateFinder:
    """Asks both indexes for passages and measures them."""

    def __init__(self, index: KnowledgeIndex, aliases: AliasTable) -> None:
        self._index = index
        self._aliases = aliases

    def find(
        self, question: str, history: Sequence[Turn], scopes: Sequence[str]
    ) -> tuple[Query, list[Measured], dict[str, float]]:
        """Return the query, the measured candidates and timings in milliseconds."""
        timings: dict[str, float] = {}
        begin = time.perf_counter()
        query = understand(question, history, self._aliases)
        vectors = [(self._index.embedder.embed_query(text), weight) for text, weight in query.dense_texts]
        summed: FloatArray = normalised(np.sum([vector * weight for vector, weight in vectors], axis=0))
        _note(timings, "embed", begin)
        with self._index.catalogue.snapshot():
            revision = self._index.revision(self._index.catalogue.revision())
            if revision is None:
                return query, [], timings
            begin = time.perf_counter()
            dense = self._dense(revision.vectors, summed, scopes)
            _note(timings, "dense", begin)
            begin = time.perf_counter()
            weights = term_weights(query, revision.lexical)
            boosted = _field_weights(query)
            passages = revision.lexical.search(boosted, scopes=scopes, kind=PASSAGE, limit=LEXICAL_CANDIDATES)
            units = revision.lexical.search(boosted, scopes=scopes, kind=UNIT, limit=UNIT_CANDIDATES)
            _note(timings, "lexical", begin)
            begin = time.perf_counter()
            ids = list(dict.fromkeys([*(one for one, _ in dense), *(hit.key for hit in passages)]))
            chunks = self._index.catalogue.chunks(ids)
        dense_ranks = {one: rank for rank, (one, _) in enumerate(d for d in dense if d[0] in chunks)}
        hits = {hit.key: (rank, hit.bm25) for rank, hit in enumerate(passages)}
        unit_scores = {hit.key: hit.bm25 for hit in units}
        candidates = []
        for chunk_id in ids:
            if chunk_id not in chunks:
                continue
            chunk = chunks[chunk_id]
            rank, bm25 = hits.get(chunk_id, (None, 0.0))
            unit = unit_scores.get(unit_key(chunk.row.scope, chunk.unit), 0.0)
            candidates.append(Candidate(chunk, dense_ranks.get(chunk_id), bm25, rank, unit))
        _note(timings, "load", begin)
        begin = time.perf_counter()
        measured = measure(query, summed, weights, candidates)
        _note(timings, "measure", begin)
        return query, measured, timings

    def _dense(self, store: VectorStore, vector: FloatArray, scopes: Sequence[str]) -> list[tuple[str, float]]:
        """The nearest visible chunks; a store also holds staged and retired ones, so more are fetched where needed."""
        found: list[tuple[str, float]] = []
        for scope in scopes:
            limit = DENSE_CANDIDATES
            while True:
                hits = store.search(scope, vector, limit)
                visible = self._index.catalogue.visible([one for one, _ in hits])
                kept = [hit for hit in hits if hit[0] in visible]
                if len(kept) >= DENSE_CANDIDATES or len(hits) < limit:
                    break
                limit *= 4
            found.extend(kept[:DENSE_CANDIDATES])
        return sorted(found, key=lambda hit: -hit[1])[:DENSE_CANDIDATES]


def _field_weights(query: Query) -> dict[str, dict[str, float]]:
    """The lexical query: words by stem, identifiers and exact forms beside them, in every field."""
    both = {**query.stems, **{term: query.exact[term] for term in query.exact}}
    return {
        "exact": {
            term: FIELD_BOOSTS["exact"] * weight * (1.6 if term in query.identifiers else 0.5)
            for term, weight in query.exact.items()
        },
        "stems": {term: FIELD_BOOSTS["stems"] * weight for term, weight in query.stems.items()},
        "head": {term: FIELD_BOOSTS["head"] * weight * 0.6 for term, weight in both.items()},
        "place": {term: FIELD_BOOSTS["place"] * weight * 0.6 for term, weight in both.items()},
    }


def _note(timings: dict[str, float], stage: str, begin: float) -> None:
    """Note that a stage that began at `begin` of `time.perf_counter` ends now."""
    duration_s = time.perf_counter() - begin
    timings[stage] = duration_s * 1000
    if stage != "retrieval":  # all of it: the span around the others has it
        since(stage, time.time() - duration_s)


class HybridRetriever:
    """The one way to search; implements `bot.ports.Retriever`. Scopes are mandatory and filter in the stores."""

    def __init__(self, index: KnowledgeIndex, aliases: AliasTable, *, threads: int = 2) -> None:
        self._index = index
        self._finder = CandidateFinder(index, aliases)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="retrieve")

    async def search(
        self, question: str, *, scopes: Sequence[str], history: Sequence[Turn] = (), top_k: int = 10
    ) -> Evidence:
        """See `bot.ports.Retriever.search`."""
        loop = asyncio.get_running_loop()
        # The context says which request the log and the trace of a search belong to.
        asked = question, tuple(scopes), tuple(history), top_k
        with span("retrieve"):
            return await loop.run_in_executor(self._pool, copy_context().run, self._search, *asked)

    def _search(self, question: str, scopes: Sequence[str], history: Sequence[Turn], top_k: int) -> Evidence:
        begin = time.perf_counter()
        query, measured, timings = self._finder.find(question, history, scopes)
        judged = time.perf_counter()
        scores = similarities(measured)
        order = np.argsort(-scores, kind="stable")[: max(top_k, CONFIDENCE_PASSAGES)]
        ranked = [measured[index] for index in order]
        similarity = [float(scores[index]) for index in order]
        passages = tuple(
            to_passage(one, query, score) for one, score in zip(ranked[:top_k], similarity[:top_k], strict=True)
        )
        probability = confidence(ranked, similarity, named=bool(query.identifiers))
        _note(timings, "judge", judged)
        _note(timings, "retrieval", begin)
        return Evidence(query.text, passages, probability, timings)

    def close(self) -> None:
        """Wait for running searches; the index belongs to the caller."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def to_passage(one: Measured, query: Query | None = None, similarity: float = 0.0) -> Passage:
    """Return a candidate as the rest of Locus sees it; with its sentences scored where the query is given."""
    row = one.candidate.chunk.row
    sentences = (
        score_sentences(query.text, row.units, one.unit_cosine, one.unit_cover, similarity) if query is not None else ()
    )
    homes, text = one.candidate.chunk.homes, render_units(row.units)
    return Passage(row.chunk_id, text, row.heading, homes, similarity, sentences, row.scope)
