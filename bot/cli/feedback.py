"""`locus feedback`: opinions on answers, and what the documents lack."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from bot.bootstrap import make_embedder
from bot.chat import Vote
from bot.cli.private_files import private_file
from bot.cli.render import citation_json, dump_json, print_line, shown_time
from bot.evidence import Citation
from bot.gaps import Gap, GapReport, find_gaps
from bot.plain_text import without_controls
from bot.settings import Settings
from bot.store.client import Store
from bot.store.feedback import Feedback, Opinion
from bot.store.gaps import Unanswered
from bot.store.opening import open_store
from bot.texts import scopes_left_out

EXCERPT_CHARS = 300  # shown of an answer
QUESTIONS_SHOWN = 5  # of a gap


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Store, Feedback]]:
    async with open_store(settings, exclusive=False) as store:
        yield store, Feedback(store, days=settings.retention_days, limit=settings.feedback_kept)


async def list_feedback(settings: Settings, vote: Vote | None, since: float | None, limit: int) -> None:
    """Print opinions, newest first."""
    async with _opened(settings) as (_, feedback):
        opinions = await feedback.list(vote=vote, since=since, limit=limit)
    print_opinions(Console(highlight=False), opinions)


async def export_feedback(settings: Settings, vote: Vote | None, since: float | None, out: Path | None) -> None:
    """Write opinions as JSON lines, newest first; a file appears only when it is complete, readable by its owner."""
    async with _opened(settings) as (_, feedback):
        if out is None:
            await write_opinions(feedback, vote, since, sys.stdout)
            return
        with private_file(out) as file:
            count = await write_opinions(feedback, vote, since, file)
    opinions = "opinion" if count == 1 else "opinions"
    sys.stderr.write(f"locus: {count} {opinions} written to {out}.\n")


async def write_opinions(feedback: Feedback, vote: Vote | None, since: float | None, file: TextIO) -> int:
    """Write one JSON object a line; return how many."""
    count = 0
    async with aclosing(feedback.each(vote=vote, since=since)) as opinions:
        async for opinion in opinions:
            file.write(dump_json(opinion_json(opinion)) + "\n")
            count += 1
    return count


async def list_gaps(
    settings: Settings, since: float | None, scopes: Sequence[str], limit: int, *, as_json: bool
) -> None:
    """Print the gaps with the most questions."""
    async with _opened(settings) as (store, feedback):
        unanswered = Unanswered(store, days=settings.retention_days)
        embedder = await asyncio.to_thread(make_embedder, settings)
        try:
            report = await find_gaps(unanswered, feedback, embedder, since=since, scopes=scopes)
        finally:
            await asyncio.to_thread(embedder.close)
    if as_json:
        shown = [gap_json(gap) for gap in report.gaps[:limit]]
        sys.stdout.write(dump_json({"gaps": shown, "left_out_scopes": list(report.left_out)}) + "\n")
    else:
        print_gaps(Console(highlight=False), report, limit)


def opinion_json(opinion: Opinion) -> dict[str, object]:
    """Return one line of `locus feedback export`."""
    return {
        "at": shown_time(opinion.at),
        "vote": opinion.vote,
        "comment": opinion.comment,
        "question": opinion.question,
        "answer": opinion.answer,
        "answered": opinion.answered,
        "citations": [citation_json(citation) for citation in opinion.citations],
        "scopes": list(opinion.scopes),
        "reference": opinion.request_id,
        "answer_id": opinion.answer_id,
        "chat": opinion.chat,
        "channel_id": opinion.channel_id,
        "person_id": opinion.person_id,
    }


def gap_json(gap: Gap) -> dict[str, object]:
    """Return one gap of `locus feedback gaps --json`."""
    return {
        "question": gap.question,
        "count": len(gap.questions),
        "down_votes": gap.down_votes,
        "newest_at": shown_time(gap.newest_at),
        "closest": [citation_json(citation) for citation in gap.closest],
        "questions": [
            {
                "question": one.question,
                "reference": one.reference,
                "at": shown_time(one.at),
                "unanswered": one.unanswered,
                "down_votes": one.down_votes,
            }
            for one in gap.questions
        ],
    }


def print_opinions(console: Console, opinions: Sequence[Opinion]) -> None:
    """Print opinions for reading."""
    if not opinions:
        console.print("No feedback.")
    for opinion in opinions:
        style = "green" if opinion.vote == "up" else "red"
        head = Text(f"{opinion.vote:6}", style=f"bold {style}")
        head.append(f"{shown_time(opinion.at)}  {opinion.chat}  request {opinion.request_id}", style="default")
        console.print(head, soft_wrap=True)
        print_line(console, "Question", opinion.question)
        if opinion.comment:
            print_line(console, "Comment", opinion.comment)
        text = " ".join(opinion.answer.split())
        print_line(console, "Answer", text if len(text) <= EXCERPT_CHARS else f"{text[:EXCERPT_CHARS]} …")
        _print_documents(console, opinion.citations)
        console.print()


def print_gaps(console: Console, report: GapReport, limit: int) -> None:
    """Print gaps for reading, at most `limit`."""
    gaps = report.gaps
    if not gaps:
        console.print("No question is without a good answer.")
    for place, gap in enumerate(gaps[:limit], start=1):
        console.print(Text(f"{place}. {without_controls(gap.question)}", style="bold"), soft_wrap=True)
        count = len(gap.questions)
        asked = f"asked {count} {'time' if count == 1 else 'times'}, last {shown_time(gap.newest_at)}"
        votes = f", {gap.down_votes} down-{'vote' if gap.down_votes == 1 else 'votes'}" if gap.down_votes else ""
        console.print(Text(f"   {asked}{votes}", style="dim"), soft_wrap=True)
        others = [text for text in dict.fromkeys(one.question for one in gap.questions) if text != gap.question]
        for text in others[:QUESTIONS_SHOWN]:
            console.print(Text(f"   also: {without_controls(text)}"), soft_wrap=True)
        if len(others) > QUESTIONS_SHOWN:
            console.print(Text(f"   and {len(others) - QUESTIONS_SHOWN} more wordings", style="dim"))
        _print_documents(console, gap.closest)
        console.print()
    if len(gaps) > limit:
        console.print(Text(f"{len(gaps) - limit} more; --limit shows them.", style="dim"))
    if report.left_out:
        console.print(Text(scopes_left_out(report.left_out), style="dim"), soft_wrap=True)


def _print_documents(console: Console, citations: Sequence[Citation]) -> None:
    for citation in citations:
        line = f"   {citation.title}: {citation.url or citation.source}"
        console.print(Text(without_controls(line), style="dim"), soft_wrap=True)
