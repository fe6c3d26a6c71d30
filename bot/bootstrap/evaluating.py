"""Asks questions whose answers are known, and scores what comes back."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypedDict

from bot.application import Application
from bot.bootstrap.application import open_application
from bot.settings import Settings
from knowledge.evaluation import EvalQuestion, Outcome, by_kind, load_questions, score


class EvaluationRun:
    """Questions with known answers, and the outcomes so far."""

    def __init__(self, application: Application, path: Path, questions: list[EvalQuestion], threshold: float) -> None:
        self._application = application
        self._outcomes: list[Outcome] = []
        self._retrieval_ms: list[float] = []
        self.path = path
        self.questions = questions
        self.threshold = threshold

    async def ask(self, question: EvalQuestion) -> Outcome:
        """Ask one question and remember the outcome."""
        evidence = await self._application.search(question.question, history=question.turns(), top_k=10)
        self._retrieval_ms.append(evidence.timings_ms["retrieval"])
        answer = await self._application.ask(question.question, history=question.turns())
        outcome = Outcome(question=question, passages=evidence.passages, answer=answer)
        self._outcomes.append(outcome)
        return outcome

    def figures(self) -> Figures:
        """Return the figures over all outcomes, overall and by kind."""
        return {
            "overall": score(self._outcomes).model_dump(),
            "by_kind": {kind: scores.model_dump() for kind, scores in by_kind(self._outcomes).items()},
            "threshold": self.threshold,
            "retrieval_ms_median": statistics.median(self._retrieval_ms),
        }


class Figures(TypedDict):
    """What `locus eval` prints; the scores are those of `knowledge.evaluation.Scores`."""

    overall: dict[str, float | None]
    by_kind: dict[str, dict[str, float | None]]
    threshold: float
    retrieval_ms_median: float


@asynccontextmanager
async def open_evaluation(settings: Settings, path: Path) -> AsyncIterator[EvaluationRun]:
    """Assemble what answers, and read the questions."""
    questions = await asyncio.to_thread(load_questions, path)
    async with open_application(settings) as application:
        yield EvaluationRun(application, path, questions, settings.answer_threshold)
