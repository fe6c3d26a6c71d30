"""What a question costs beside the engine and the retrieval: the agent with a model that writes at once."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.report import Report, shown
from bot.agent.cards import CardStore
from bot.agent.model_answers import ModelAnswerer
from bot.agent.quoting import QuotingAnswerer, refuse
from bot.application import Application
from bot.evidence import Evidence, Home, Passage, Sentence
from bot.messages import Turn
from bot.ports import IndexFacts
from tests.scripted_model import ScriptedModel

MOST_MS = 15.0
QUESTIONS = 60
WARM_UP = 10
PASSAGES = 8
WORDS = "BXD strains of mice were bred from two parents and carry a trait whose gene lies on one chromosome".split()


class _Library:
    """A retriever that has found it already."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    async def search(
        self, question: str, *, scopes: Sequence[str], history: Sequence[Turn] = (), top_k: int = 10
    ) -> Evidence:
        return replace(self._evidence, question=question)


class _Indexed:
    """An index with documents."""

    async def has_documents(self) -> bool:
        return True

    async def revision(self) -> int:
        return 1

    async def facts(self) -> IndexFacts:
        return IndexFacts(1, "2026-11-01T09:00:00+00:00", 1)


async def overhead(report: Report, folder: Path) -> None:
    """Print the milliseconds of a question, answer card on disk included, in wall and processor time.

    Args:
        report: Where to.
        folder: Where the cards go.
    """
    passages = tuple(_passage(number) for number in range(PASSAGES))
    text = " ".join(f"{passage.text.split('. ')[0]} [{number}]." for number, passage in enumerate(passages[:4], 1))
    model = ScriptedModel(lambda _: text)
    library = _Library(Evidence("", passages, 0.9))
    answerer = ModelAnswerer(model, library, refuse=refuse, cards=CardStore(folder))
    application = Application(library, _Indexed(), answerer, QuotingAnswerer(threshold=0.35), top_k=PASSAGES)
    wall: list[float] = []
    processor: list[float] = []
    for number in range(WARM_UP + QUESTIONS):
        begin, begin_processor = time.perf_counter(), time.process_time()
        answer = await application.ask(f"What is strain {number}?", user="bench", conversation="bench")
        if number >= WARM_UP:
            wall.append((time.perf_counter() - begin) * 1000)
            processor.append((time.process_time() - begin_processor) * 1000)
        if answer.mode != "model" or not answer.answered:
            raise SystemExit("The agent did not answer with the model: the benchmark's question no longer fits it.")
    median = statistics.median(wall)
    report.table(
        "Agent: milliseconds of a question beside engine and retrieval",
        ["", "median", "95th percentile", "processor time, median", "target", ""],
        [
            ["Locus", median, statistics.quantiles(wall, n=20)[-1], statistics.median(processor),
             f"< {shown(MOST_MS)}", "met" if median < MOST_MS else "not met"]
        ],
    )  # fmt: skip


def _passage(number: int) -> Passage:
    """A passage of some 120 words, each sentence different."""
    words = [WORDS[(number + step) % len(WORDS)] for step in range(len(WORDS))]
    sentences = [f"Strain {number} part {part} says that {' '.join(words)}." for part in range(5)]
    home = Home(f"doc{number}.md", f"Document {number}", f"https://genenetwork.org/{number}")
    first = Sentence(sentences[0], 0.9, True, 0)
    return Passage(str(number), " ".join(sentences), "", (home,), 0.9, (first,))
