"""The commands of `locus person` and their options."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import DataDir, command_group, settings_of

person_app = command_group("Give out or delete what is stored of a person.")

Account = Annotated[
    str, typer.Argument(help="Chat and ids, such as slack/T012AB3CD/U012AB3CD.", metavar="CHAT/WORKSPACE/USER")
]


@person_app.command(name="export")
def person_export(
    account: Account,
    out: Annotated[Path | None, typer.Option("--out", help="A file; by default standard output.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Write what is stored of a person as JSON."""
    from bot.cli.person import export_person

    asyncio.run(export_person(settings_of(data_dir), account, out))


@person_app.command(name="forget")
def person_forget(
    account: Account,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Delete conversations, answers, feedback and questions of a person."""
    from bot.cli.person import forget_person

    asyncio.run(forget_person(settings_of(data_dir), account, yes=yes))
