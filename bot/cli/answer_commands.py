"""The commands of `locus answer` and their options."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from bot.cli.options import AsJson, DataDir, command_group, settings_of

answer_app = command_group("Show what an answer was made from, and make it again.")

AnswerId = Annotated[str, typer.Argument(help="The handle that `locus ask` printed.", metavar="ID")]


@answer_app.command(name="show")
def answer_show(answer_id: AnswerId, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show an answer's card: passages, model, settings, calls."""
    from bot.cli.answers import show_answer

    show_answer(settings_of(data_dir), answer_id, as_json=as_json)


@answer_app.command(name="replay")
def answer_replay(
    answer_id: AnswerId,
    anyway: Annotated[bool, typer.Option("--anyway", help="Also where another model is set now.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Produce an answer's text again and say whether it is identical; exits 1 when it is not."""
    from bot.cli.answers import replay_answer

    raise typer.Exit(asyncio.run(replay_answer(settings_of(data_dir), answer_id, anyway=anyway)))
