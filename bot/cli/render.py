"""Answers and passages as text for a terminal and as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.style import Style
from rich.text import Text

from bot.attachments import Attachment
from bot.code_blocks import split_code
from bot.errors import InvalidRequestError
from bot.evidence import Answer, Citation, Passage
from bot.picture_files import inline_picture, told
from bot.plain_text import without_controls
from bot.texts import run_again


def dump_json(value: object) -> str:
    """Return JSON for people and programs: one line, letters of all languages as they are."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except ValueError as error:
        raise InvalidRequestError(f"The result cannot be written as JSON: {error}.") from error


def answer_json(answer: Answer, files: Sequence[Path] = ()) -> dict[str, object]:
    """Return the object `locus ask --json` prints; `files` says where the answer's attachments were written."""
    return {
        "question": answer.question,
        "answer": answer.text,
        "mode": answer.mode,
        "answered": answer.answered,
        "citations": [citation_json(citation) for citation in answer.citations],
        "confidence": round(answer.confidence, 4),
        "timings_ms": dict(answer.timings_ms),
        "id": answer.answer_id,
        "note": answer.note,
        "requests": list(answer.requests),
        "files": [
            {"path": str(path), "media_type": one.media_type, "alt": one.alt, "caption": one.caption}
            for one, path in zip(answer.attachments, files, strict=True)
        ],
    }


def citation_json(citation: Citation) -> dict[str, object]:
    """Return one citation."""
    return {
        "n": citation.n,
        "title": citation.title,
        "source": citation.source,
        "url": citation.url,
        "quote": citation.quote,
    }


def passage_json(rank: int, passage: Passage) -> dict[str, object]:
    """Return one passage of `locus search --json`."""
    home = passage.home
    return {
        "rank": rank,
        "source": home.source,
        "title": home.title,
        "heading": passage.heading,
        "url": home.url,
        "text": passage.text,
    }


def print_sources(console: Console, answer: Answer) -> None:
    """Print the numbered sources; nothing when there are none."""
    if not answer.citations:
        return
    console.print()
    console.print("[bold]Sources[/bold]" if answer.answered else "[bold]Closest documents[/bold]")
    for citation in answer.citations:
        line = Text(f"[{citation.n}] ", style="bold")
        line.append(citation.title, style=Style(link=citation.url) if citation.url else "")
        console.print(line, soft_wrap=True)
        console.print(Text(f"    {citation.url or citation.source}", style="dim"), soft_wrap=True)


def print_requests(console: Console, answer: Answer) -> None:
    """Print what a live answer was made from, each address on a line of its own so that it can be copied."""
    if answer.requests:
        console.print(f"\n[bold]{run_again()}[/bold]")
    for address in answer.requests:
        console.print(Text(without_controls(address), style="dim"), soft_wrap=True)


def print_line(console: Console, name: str, value: str) -> None:
    """Print a name and its value; a long value is not cut, so that it can be copied."""
    line = Text(f"{name:10}", style="bold")
    line.append(without_controls(value), style="")
    console.print(line, soft_wrap=True)


def shown_time(seconds: float) -> str:
    """Return a time as people read it: to the second, in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}Z"


def print_answer(console: Console, answer: Answer, files: Sequence[Path] = ()) -> None:
    """Print an answer with its sources, and where its attachments were written."""
    for piece, is_code in split_code(answer.text):
        console.print(Text(piece), end="", soft_wrap=is_code)
    console.print()
    print_files(console, answer.attachments, files)
    print_sources(console, answer)
    print_requests(console, answer)
    if answer.note:
        console.print(Text(f"\n{answer.note}", style="dim"))
    if answer.answer_id:
        console.print(Text(f"\nAnswer {answer.answer_id} (locus answer show {answer.answer_id})", style="dim"))


def print_files(console: Console, attachments: Sequence[Attachment], files: Sequence[Path]) -> None:
    """Print where the attachments of an answer were written; pictures are shown where the terminal can."""
    for attachment, path in zip(attachments, files, strict=True):
        picture = inline_picture(attachment.data, os.environ) if attachment.alt and console.is_terminal else ""
        if picture:
            console.file.write(f"\n{picture}\n")
        console.print(Text(f"\n{told(attachment, path)}"), soft_wrap=True)


def print_passages(console: Console, passages: Sequence[Passage]) -> None:
    """Print passages for reading."""
    for rank, passage in enumerate(passages, start=1):
        home = passage.home
        heading = f" > {passage.heading}" if passage.heading else ""
        console.print(f"[bold]{rank}. {escape(home.title)}[/bold]{escape(heading)}", soft_wrap=True)
        console.print(Text(f"   {home.url or home.source}", style="dim"), soft_wrap=True)
        for line in passage.text.splitlines():
            console.print(Text(f"   {line}"))
        if len(passage.homes) > 1:
            console.print(Text(f"   (the same text stands in {len(passage.homes)} documents)", style="dim"))
        console.print()
