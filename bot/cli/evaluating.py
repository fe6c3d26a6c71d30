"""`locus eval`: questions with known answers in, figures out."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bot.bootstrap import EvaluationRun, open_evaluation
from bot.cli.render import citation_json, dump_json, passage_json
from bot.errors import StorageError
from bot.settings import Settings

_COLUMNS = {
    "questions": "questions",
    "recall_at_1": "recall@1",
    "recall_at_5": "recall@5",
    "recall_at_10": "recall@10",
    "mrr": "MRR",
    "key_facts": "key facts",
    "auroc": "AUROC",
    "answered_of_answerable": "answered",
    "refused_of_unanswerable": "refused",
}


async def evaluate_questions(settings: Settings, questions: Path, dump: Path | None, *, as_json: bool) -> None:
    """Ask every question and print the figures, overall and by kind."""
    console = Console(stderr=True)
    lines: list[str] = []
    async with open_evaluation(settings, questions) as run:
        for question in track(run.questions, "asking", console=console, disable=not console.is_terminal):
            outcome = await run.ask(question)
            record = {
                "id": question.id,
                "passages": [
                    passage_json(rank, passage) | {"sources": [home.source for home in passage.homes]}
                    for rank, passage in enumerate(outcome.passages, start=1)
                ],
                "answer": outcome.answer.text,
                "answered": outcome.answer.answered,
                "citations": [citation_json(citation) for citation in outcome.answer.citations],
                "confidence": round(outcome.answer.confidence, 6),
            }
            lines.append(json.dumps(record, ensure_ascii=False))
    if dump is not None:
        try:
            await asyncio.to_thread(dump.write_text, "".join(line + "\n" for line in lines), encoding="utf-8")
        except OSError as error:
            raise StorageError(f"The file {dump} cannot be written ({error.strerror}): choose another.") from error
    _print(run, as_json=as_json)


def _print(run: EvaluationRun, *, as_json: bool) -> None:
    figures = run.figures()
    if as_json:
        sys.stdout.write(dump_json(figures) + "\n")
        return
    table = Table(title=f"{run.path.name}: quotes at threshold {run.threshold:.2f}")
    table.add_column("kind")
    for title in _COLUMNS.values():
        table.add_column(title, justify="right")
    by_kind = figures["by_kind"]
    for kind, scores in [("all", figures["overall"]), *by_kind.items()]:
        table.add_row(kind, *(_shown(scores[name]) for name in _COLUMNS))
    console = Console()
    console.print(table)
    console.print(f"median retrieval time {figures['retrieval_ms_median']:.1f} ms")


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
