"""Retrieval and answers on questions with known answers, against plain dense search and simple fusion."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.report import Report
from bot.bootstrap import open_evaluation
from bot.settings import Settings
from knowledge.aliases import load_aliases
from knowledge.embeddings import MiniLmEmbedder
from knowledge.evaluation import EvalQuestion, auroc, is_hit, load_questions
from knowledge.index import KnowledgeIndex
from knowledge.ranking import FEATURES, Measured
from knowledge.retrieval import CandidateFinder, to_passage

RRF_CONSTANT = 60  # Cormack, Clarke and Buettcher 2009
Scorer = Callable[[Measured], float]


def run(report: Report, corpus: Path, questions: Path, data_dir: Path, temporary: Path) -> None:
    """Print the figures of `locus eval` and those of the peers over the same chunks."""
    settings = Settings(data_dir=data_dir)
    figures = asyncio.run(_evaluate(settings, questions))
    report.table(
        f"Quality on {questions.name}",
        ["kind", "questions", "recall@1", "recall@5", "recall@10", "MRR", "key facts", "AUROC", "answered", "refused"],
        [[kind, *scores.values()] for kind, scores in figures],
    )
    ours = dict(figures)["all"]
    rows = []
    for name, recall_1, recall_5, mrr, cosine in _peers(data_dir, questions):
        rows.append([name, recall_1, recall_5, mrr, cosine, (ours["recall_at_5"] or 0) / recall_5])
    rows.insert(0, ["Locus", ours["recall_at_1"], ours["recall_at_5"], ours["mrr"], ours["auroc"], 1.0])
    report.table(
        "The same questions over the same chunks",
        ["", "recall@1", "recall@5", "MRR", "AUROC", "ratio of recall@5"],
        rows,
    )


async def _evaluate(settings: Settings, path: Path) -> list[tuple[str, dict[str, float | None]]]:
    async with open_evaluation(settings, path) as run:
        for question in run.questions:
            await run.ask(question)
        figures = run.figures()
    chosen = [("all", figures["overall"]), *figures["by_kind"].items()]
    return [(kind, {name: value for name, value in scores.items() if name != "answerable"}) for kind, scores in chosen]


def _peers(data_dir: Path, path: Path) -> list[tuple[str, float, float, float, float | None]]:
    questions = load_questions(path)
    embedder = MiniLmEmbedder(data_dir / "models")
    index = KnowledgeIndex(data_dir, embedder)
    finder = CandidateFinder(index, load_aliases())
    found = [(question, finder.find(question.question, question.turns(), ["public"])[1]) for question in questions]
    index.close()
    embedder.close()

    def fusion(one: Measured) -> float:
        ranks = (one.candidate.dense_rank, one.candidate.bm25_rank)
        return sum(1 / (RRF_CONSTANT + rank + 1) for rank in ranks if rank is not None)

    def dense(one: Measured) -> float:
        return -one.candidate.dense_rank if one.candidate.dense_rank is not None else -1e9

    return [
        ("plain Chroma with MiniLM", *_ranked(found, dense)),
        ("simple fusion (RRF)", *_ranked(found, fusion)),
    ]


def _ranked(
    found: Sequence[tuple[EvalQuestion, list[Measured]]], scorer: Scorer
) -> tuple[float, float, float, float | None]:
    """Recall@1, recall@5 and MRR of a ranking, and the AUROC of the best cosine."""
    ranks: list[int | None] = []
    cosines: dict[bool, list[float]] = {True: [], False: []}
    for question, measured in found:
        best = sorted(measured, key=scorer, reverse=True)[:10]
        dense = FEATURES.index("dense")
        cosines[question.answerable].append(max((float(one.features[dense]) for one in measured), default=0.0))
        if question.answerable:
            hits = [rank for rank, one in enumerate(best, 1) if is_hit(question, to_passage(one))]
            ranks.append(hits[0] if hits else None)
    return (
        float(np.mean([rank == 1 for rank in ranks])),
        float(np.mean([rank is not None and rank <= 5 for rank in ranks])),
        float(np.mean([1 / rank if rank else 0 for rank in ranks])),
        auroc(cosines[True], cosines[False]),
    )
