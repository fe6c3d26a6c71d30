"""The commands of `locus feedback` and their options."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bot.chat import Vote
from bot.cli.options import AsJson, DataDir, command_group, settings_of

feedback_app = command_group("Show opinions on answers, and questions the documents do not answer.")

Down = Annotated[bool, typer.Option("--down", help="Only thumbs down.")]
Since = Annotated[
    datetime | None,
    typer.Option("--since", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Only since this day or time, in UTC."),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many at most.")]


@feedback_app.command(name="list")
def feedback_list(down: Down = False, since: Since = None, limit: Limit = 50, data_dir: DataDir = None) -> None:
    """Show opinions on answers, newest first."""
    from bot.cli.feedback import list_feedback

    asyncio.run(list_feedback(settings_of(data_dir), _vote(down), _seconds(since), limit))


@feedback_app.command(name="export")
def feedback_export(
    out: Annotated[Path | None, typer.Option("--out", help="A file; by default standard output.")] = None,
    down: Down = False,
    since: Since = None,
    data_dir: DataDir = None,
) -> None:
    """Write all opinions as JSON lines, with question, answer and citations."""
    from bot.cli.feedback import export_feedback

    asyncio.run(export_feedback(settings_of(data_dir), _vote(down), _seconds(since), out))


@feedback_app.command(name="gaps")
def feedback_gaps(
    since: Since = None,
    scopes: Annotated[
        list[str] | None,
        typer.Option("--scope", help="Also questions asked in this private scope, or `all`; may be given again."),
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show what the documents lack: unanswered and badly rated questions, alike ones together."""
    from bot.cli.feedback import list_gaps

    asyncio.run(list_gaps(settings_of(data_dir), _seconds(since), scopes or [], limit, as_json=as_json))


def _vote(down: bool) -> Vote | None:
    return "down" if down else None


def _seconds(since: datetime | None) -> float | None:
    return since.replace(tzinfo=UTC).timestamp() if since is not None else None
