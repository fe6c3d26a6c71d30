"""Options that several commands share, and what follows from them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bot.log import set_up_logging
from bot.messages import Turn
from bot.settings import Settings, load_settings, secret_values

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder that holds all state (LOCUS_DATA_DIR).")]
History = Annotated[
    Path | None, typer.Option("--history", help='Earlier turns: a JSON list of {"role", "content"}.', metavar="FILE")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


class RoleName(StrEnum):
    """What `locus run --role` takes: the roles of `bot.service`, without importing that."""

    ADAPTER = "adapter"
    WORKER = "worker"
    SCHEDULER = "scheduler"


def settings_of(data_dir: Path | None) -> Settings:
    """Return the settings of a command; logging is set up by them."""
    settings = load_settings(data_dir=data_dir)
    set_up_logging(settings.log_level, settings.log_format, secret_values(settings))
    return settings


def turns_of(history: Path | None) -> tuple[Turn, ...]:
    """Return the earlier turns of a file; none without one."""
    if history is None:
        return ()
    from bot.history import load_history

    return load_history(history)


def command_group(help_text: str) -> typer.Typer:
    """Return a group of commands, such as `locus model`."""
    return typer.Typer(help=help_text, no_args_is_help=True, rich_markup_mode=None)
