"""Search inside a running process: on the corpus, and as the index grows to 100,000 chunks in 20 scopes."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.report import Report
from knowledge.aliases import load_aliases
from knowledge.chunking import Unit
from knowledge.embeddings import FloatArray, MiniLmEmbedder, normalised
from knowledge.evaluation import EvalQuestion, load_questions
from knowledge.index import KnowledgeIndex
from knowledge.records import ChunkRow, DocumentRow
from knowledge.retrieval import HybridRetriever

SIZES = (1_000, 10_000, 100_000)
SCOPES = [f"scope-{number}" for number in range(20)]
CHUNKS_PER_DOCUMENT = 8
NOISE_WORDS = 0.05  # share of words exchanged in a repeated text
NOISE_VECTOR = 0.05  # standard deviation added to each dimension of a repeated vector before normalising
WARM_UP = 10


def run(report: Report, corpus: Path, questions: Path, data_dir: Path, temporary: Path) -> None:
    """Print medians and 95th percentiles in milliseconds."""
    asked = load_questions(questions)
    embedder = MiniLmEmbedder(data_dir / "models")
    index = KnowledgeIndex(data_dir, embedder)
    times, stages = asyncio.run(_search(index, asked, ["public"]))
    report.table(
        f"Search on the corpus ({index.catalogue.counts()['chunks']} chunks), query embedding included, ms",
        ["median", "95th percentile", *stages],
        [[statistics.median(times), float(np.percentile(times, 95)), *stages.values()]],
    )
    rows: list[list[object]] = []
    template = list(index.catalogue.all_chunks())
    index.close()
    for size in SIZES:
        grown = KnowledgeIndex(temporary / f"grown-{size}", embedder)
        seconds = _grow(grown, template, size)
        row: list[object] = [f"{size:,}", seconds]
        for scopes in (SCOPES[:1], SCOPES[:3], SCOPES):
            times, _ = asyncio.run(_search(grown, asked, scopes))
            row += [statistics.median(times), float(np.percentile(times, 95))]
        rows.append(row)
        grown.close()
    report.table(
        "Growth: chunks in 20 scopes, ms",
        ["chunks", "build, s", "1 scope p50", "p95", "3 scopes p50", "p95", "20 scopes p50", "p95"],
        rows,
    )
    first, last = rows[0], rows[-1]
    growth = [float(str(last[column])) / float(str(first[column])) for column in (2, 4, 6)]
    report.line(
        f"From {first[0]} to {last[0]} chunks the median grows {growth[0]:.1f}, {growth[1]:.1f} and {growth[2]:.1f} "
        "times with 1, 3 and 20 scopes."
    )
    embedder.close()


async def _search(
    index: KnowledgeIndex, questions: Sequence[EvalQuestion], scopes: Sequence[str]
) -> tuple[list[float], dict[str, float]]:
    retriever = HybridRetriever(index, load_aliases())
    times: list[float] = []
    stages: dict[str, list[float]] = {}
    for number, question in enumerate([*questions[:WARM_UP], *questions]):
        begin = time.perf_counter()
        evidence = await retriever.search(question.question, scopes=scopes, history=question.turns(), top_k=10)
        if number >= WARM_UP:
            times.append((time.perf_counter() - begin) * 1000)
            for name, value in evidence.timings_ms.items():
                stages.setdefault(name, []).append(value)
    retriever.close()
    return times, {name: statistics.median(values) for name, values in stages.items()}


def _grow(index: KnowledgeIndex, template: list[ChunkRow], size: int) -> float:
    """Fill an index by repeating texts and vectors with noise; returns the seconds it took."""
    begin = time.perf_counter()
    words = random.Random(size)
    noise = np.random.default_rng(size)
    vocabulary = [word for row in template[:500] for unit in row.units for word in unit.text.split()]
    per_scope = size // len(SCOPES)
    with index.writing():
        for number, scope in enumerate(SCOPES):
            rows: list[ChunkRow] = []
            vectors: list[FloatArray] = []
            for position in range(per_scope):
                row = template[(number * per_scope + position) % len(template)]
                units = tuple(_noisy(unit, vocabulary, words) for unit in row.units)
                moved = row.vectors / 127 + noise.normal(0, NOISE_VECTOR, row.vectors.shape)
                stored = normalised(moved.astype(np.float32))
                chunk_id = f"{scope}-{position}"
                rows.append(
                    ChunkRow(chunk_id, scope, row.title, row.heading, units, np.rint(stored * 127).astype(np.int8))
                )
                vectors.append(stored[0])
            for start in range(0, len(rows), 2000):
                index.stage(rows[start : start + 2000], np.stack(vectors[start : start + 2000]))
            documents = [
                DocumentRow(
                    f"doc{start}.md",
                    "0",
                    rows[start].title,
                    None,
                    f"{scope}#doc{start}.md",
                    tuple(row.chunk_id for row in rows[start : start + CHUNKS_PER_DOCUMENT]),
                )
                for start in range(0, len(rows), CHUNKS_PER_DOCUMENT)
            ]
            index.publish(scope=scope, name=scope, spec="made", changed=documents, removed=())
    return time.perf_counter() - begin


def _noisy(unit: Unit, vocabulary: list[str], generator: random.Random) -> Unit:
    words = [
        generator.choice(vocabulary) if generator.random() < NOISE_WORDS else word for word in unit.text.split(" ")
    ]
    return Unit(unit.kind, " ".join(words))
