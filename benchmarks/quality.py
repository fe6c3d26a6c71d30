"""Retrieval and answers on questions with known answers, against plain dense search and simple fusion."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.report import Report
from bot.bootstrap import open_evaluation
from bot.evidence import Passage
from bot.ports import PUBLIC_SCOPE as SCOPE
from bot.settings import Settings
from knowledge.chunking import render_units
from knowledge.embeddings import MiniLmEmbedder
from knowledge.evaluation import EvalQuestion, auroc, is_hit, load_questions
from knowledge.index import KnowledgeIndex
from knowledge.lexical import PASSAGE
from knowledge.terms import extract_terms

RRF_CONSTANT = 60  # Cormack, Clarke and Buettcher 2009
CANDIDATES = 50  # of each index, as many as Locus asks for
SHOWN = 10
PLAIN_FIELDS = ("exact", "stems", "head")  # a passage's words, and those of its title and heading


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
    best = ours["recall_at_5"] or 0.0
    rows: list[list[object]] = [["Locus", ours["recall_at_1"], best, ours["mrr"], ours["auroc"], 1.0]]
    for name, recall_1, recall_5, mrr, cosine in _peers(data_dir, questions):
        rows.append([name, recall_1, recall_5, mrr, cosine, best / recall_5 if recall_5 else None])
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
    """Figures of the peers, each asked a follow-up in two ways; nothing of Locus' own reading of a question is used."""
    questions = load_questions(path)
    embedder = MiniLmEmbedder(data_dir / "models")
    index = KnowledgeIndex(data_dir, embedder)
    rows = []
    for way, worded in (("question alone", question_alone), ("with the turn before", with_turn_before)):
        found = [(question, _search(index, worded(question))) for question in questions]
        dense = [(question, one.dense, one.cosine) for question, one in found]
        fused = [(question, one.fused, one.cosine) for question, one in found]
        rows.append((f"plain Chroma with MiniLM, {way}", *_figures(dense)))
        rows.append((f"simple fusion (RRF), {way}", *_figures(fused)))
    index.close()
    embedder.close()
    return sorted(rows, key=lambda row: row[0])


def question_alone(question: EvalQuestion) -> str:
    """Return the text a peer without memory searches for."""
    return question.question


def with_turn_before(question: EvalQuestion) -> str:
    """Return the last thing the person said and the question, as one text."""
    said = [turn.content for turn in question.turns() if turn.role == "user"]
    return "\n".join([*said[-1:], question.question])


@dataclass(frozen=True, slots=True)
class Ranked:
    """What the peers find for one text, best first, and the cosine of the nearest passage."""

    dense: list[Passage]
    fused: list[Passage]
    cosine: float


def _search(index: KnowledgeIndex, text: str) -> Ranked:
    """Ask both indexes as they are: the nearest vectors, and BM25 of all words with the same weight."""
    revision = index.revision(index.catalogue.revision())
    if revision is None:
        raise SystemExit("The data folder holds no index: name one with --data-dir, or leave the option out.")
    nearest = revision.vectors.search(SCOPE, index.embedder.embed_query(text), CANDIDATES)
    terms = extract_terms(text)
    words = dict.fromkeys((*terms.exact, *terms.stems), 1.0)
    hits = revision.lexical.search(dict.fromkeys(PLAIN_FIELDS, words), scopes=[SCOPE], kind=PASSAGE, limit=CANDIDATES)
    by_dense = [chunk_id for chunk_id, _ in nearest]
    by_words = [hit.key for hit in hits]
    fusion: dict[str, float] = {}
    for order in (by_dense, by_words):
        for rank, chunk_id in enumerate(order, 1):
            fusion[chunk_id] = fusion.get(chunk_id, 0.0) + 1 / (RRF_CONSTANT + rank)
    by_fusion = sorted(fusion, key=lambda chunk_id: -fusion[chunk_id])
    chunks = index.catalogue.chunks(list(fusion))

    def passages(order: list[str]) -> list[Passage]:
        shown = [chunks[chunk_id] for chunk_id in order if chunk_id in chunks][:SHOWN]
        return [
            Passage(one.row.chunk_id, render_units(one.row.units), one.row.heading, one.homes, 0.0, ()) for one in shown
        ]

    return Ranked(passages(by_dense), passages(by_fusion), max((cosine for _, cosine in nearest), default=0.0))


def _figures(
    found: Sequence[tuple[EvalQuestion, list[Passage], float]],
) -> tuple[float, float, float, float | None]:
    """Recall@1, recall@5 and MRR of a ranking, and the AUROC of the best cosine."""
    ranks: list[int | None] = []
    cosines: dict[bool, list[float]] = {True: [], False: []}
    for question, passages, cosine in found:
        cosines[question.answerable].append(cosine)
        if question.answerable:
            ranks.append(next((rank for rank, one in enumerate(passages, 1) if is_hit(question, one)), None))
    return (
        float(np.mean([rank == 1 for rank in ranks])),
        float(np.mean([rank is not None and rank <= 5 for rank in ranks])),
        float(np.mean([1 / rank if rank else 0 for rank in ranks])),
        auroc(cosines[True], cosines[False]),
    )
