"""Options that several commands share, and what follows from them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bot.data_folder import require_known_form
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


def settings_of(data_dir: Path | None, *, any_form: bool = False) -> Settings:
    """Return the settings of a command; logging is set up by them.

    Args:
        data_dir: Of --data-dir.
        any_form: Whether the command also takes a data folder of a form that this version does not know.

    Raises:
        SettingsError: If a setting is wrong.
        StorageError: If a newer version has made the data folder in a form that this one does not know.
    """
    settings = load_settings(data_dir=data_dir)
    if not any_form:
        require_known_form(settings.data_dir)
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
