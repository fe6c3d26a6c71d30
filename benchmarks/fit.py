"""The fit of the weights in `knowledge/judgement.py`, with its cross-validation (`make fit`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.report import Report
from knowledge.aliases import load_aliases
from knowledge.embeddings import MiniLmEmbedder
from knowledge.evaluation import EvalQuestion, auroc, is_hit, load_questions
from knowledge.index import KnowledgeIndex
from knowledge.judgement import CONFIDENCE_WEIGHTS, confidence_measures
from knowledge.query import Query
from knowledge.ranking import FEATURES, Measured
from knowledge.retrieval import CandidateFinder, to_passage

OWN_QUESTIONS = Path(__file__).parent / "questions"
RANK_PENALTIES = (0.003, 0.01, 0.03)
CONFIDENCE_PENALTIES = (0.03, 0.1, 0.3)
FOLDS = 8

Array = npt.NDArray[np.float64]
Found = tuple[EvalQuestion, Query, list[Measured], Array, Array]  # with measures (n, features) and hits (n,)


def run(report: Report, corpus: Path, questions: Path, data_dir: Path, temporary: Path) -> None:
    """Print fitted weights and cross-validated figures for several strengths of regularisation."""
    asked = [*load_questions(questions)]
    for path in sorted(OWN_QUESTIONS.glob("*.jsonl")):
        asked += load_questions(path)
    found = _find(asked, data_dir)
    good = [one for one in found if one[0].answerable and one[4].any()]
    missed = sum(one[0].answerable and not one[4].any() for one in found)
    report.line(f"{len(found)} questions, {len(good)} answerable with a hit among the candidates, {missed} without")
    folds = np.arange(len(good)) % FOLDS
    rows: list[list[object]] = []
    fitted: dict[float, Array] = {}
    for penalty in RANK_PENALTIES:
        fitted[penalty] = _fit_ranking(good, penalty)
        held_out = []
        for fold in range(FOLDS):
            weights = _fit_ranking([one for one, part in zip(good, folds, strict=True) if part != fold], penalty)
            held_out += [_rank(one, weights) for one, part in zip(good, folds, strict=True) if part == fold]
        total = len(good) + missed
        rows.append(
            [penalty, *_figures([_rank(one, fitted[penalty]) for one in good], total), *_figures(held_out, total)]
        )
    report.table("Ranking", ["penalty", "fit r@1", "r@5", "MRR", "cross-validated r@1", "r@5", "MRR"], rows)
    for penalty, weights in fitted.items():
        report.line(
            f"{penalty}: " + ", ".join(f'"{name}": {value:.2f}' for name, value in zip(FEATURES, weights, strict=True))
        )
    _confidence(report, found, fitted[RANK_PENALTIES[0]])


def _find(questions: list[EvalQuestion], data_dir: Path) -> list[Found]:
    embedder = MiniLmEmbedder(data_dir / "models")
    index = KnowledgeIndex(data_dir, embedder)
    finder = CandidateFinder(index, load_aliases())
    found: list[Found] = []
    for question in questions:
        query, measured, _ = finder.find(question.question, question.turns(), ["public"])
        features = np.array([one.features for one in measured]).reshape(-1, len(FEATURES))
        hits = np.array([is_hit(question, to_passage(one)) for one in measured], dtype=np.float64)
        found.append((question, query, measured, features, hits))
    index.close()
    embedder.close()
    return found


def _fit_ranking(found: list[Found], penalty: float, steps: int = 400, rate: float = 0.5) -> Array:
    """Listwise softmax regression by Adam: the chance that a hit is drawn, L2 penalised."""
    weights = np.zeros(len(FEATURES))
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, steps + 1):
        gradient = 2 * penalty * weights
        for _, _, _, features, hits in found:
            scores = features @ weights
            chance = np.exp(scores - scores.max())
            chance /= chance.sum()
            right = chance * hits
            gradient += (chance - right / right.sum()) @ features / len(found)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        weights = weights - rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return weights


def _rank(one: Found, weights: Array) -> int:
    order = np.argsort(-(one[3] @ weights), kind="stable")[:10]
    hits = np.flatnonzero(one[4][order])
    return int(hits[0]) + 1 if hits.size else 99


def _figures(ranks: list[int], total: int) -> tuple[float, float, float]:
    array = np.array(ranks)
    return (
        float((array == 1).sum() / total),
        float((array <= 5).sum() / total),
        float(np.where(array < 99, 1 / array, 0).sum() / total),
    )


def _confidence(report: Report, found: list[Found], weights: Array) -> None:
    names = list(CONFIDENCE_WEIGHTS)
    largest = weights.clip(0).sum()
    rows, answers = [], []
    for question, query, measured, features, _ in found:
        scores = np.clip(features @ weights / largest, 0, 1)
        order = np.argsort(-scores, kind="stable")
        if not order.size:
            continue
        ranked, similarity = [measured[i] for i in order], [float(scores[i]) for i in order]
        measures = confidence_measures(ranked, similarity, named=bool(query.identifiers))
        rows.append([measures[name] for name in names] + [1.0])
        answers.append(float(question.answerable))
    matrix, answerable = np.array(rows), np.array(answers)
    folds = np.random.default_rng(0).permutation(len(matrix)) % FOLDS
    table: list[list[object]] = []
    for penalty in CONFIDENCE_PENALTIES:
        beta = _fit_logistic(matrix, answerable, penalty)
        held_out = np.zeros(len(matrix))
        for fold in range(FOLDS):
            part = _fit_logistic(matrix[folds != fold], answerable[folds != fold], penalty)
            held_out[folds == fold] = 1 / (1 + np.exp(-(matrix[folds == fold] @ part)))
        good, bad = held_out[answerable == 1], held_out[answerable == 0]
        table.append([penalty, auroc(list(good), list(bad)), float((good >= 0.5).mean()), float((bad < 0.5).mean())])
        report.line(
            f"{penalty}: "
            + ", ".join(f'"{name}": {value:.2f}' for name, value in zip([*names, "bias"], beta, strict=True))
        )
    report.table("Confidence, cross-validated", ["penalty", "AUROC", "answered at 0.5", "refused at 0.5"], table)


def _fit_logistic(matrix: Array, answerable: Array, penalty: float, steps: int = 4000, rate: float = 0.3) -> Array:
    """Logistic regression on standardised measures, both classes weighing the same, L2 penalised; bias last."""
    centre, spread = matrix.mean(axis=0), matrix.std(axis=0) + 1e-6
    centre[-1], spread[-1] = 0.0, 1.0
    scaled = (matrix - centre) / spread
    balance = np.where(answerable == 1, 0.5 / answerable.mean(), 0.5 / (1 - answerable.mean()))
    beta = np.zeros(matrix.shape[1])
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-(scaled @ beta)))
        gradient = scaled.T @ ((chance - answerable) * balance) / len(answerable)
        beta -= rate * (gradient + penalty * np.append(beta[:-1], 0.0))
    raw: Array = beta / spread
    raw[-1] = beta[-1] - float((beta[:-1] * centre[:-1] / spread[:-1]).sum())
    return raw
