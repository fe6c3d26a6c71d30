"""The commands of `locus files` and their options."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from bot.cli.options import AsJson, DataDir, command_group, settings_of

file_app = command_group("Look after files that were taught in chats.")


@file_app.command(name="list")
def files_list(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show the files that were taught, by channel."""
    from bot.cli.files import list_files

    asyncio.run(list_files(settings_of(data_dir), as_json=as_json))


@file_app.command(name="forget")
def files_forget(
    channel_id: Annotated[str, typer.Argument(help="The handle that `locus files list` shows.", metavar="CHANNEL_ID")],
    name: Annotated[str, typer.Argument(help="Of the file.", metavar="NAME")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Take a file back: no answer rests on it any more, cached ones neither."""
    from bot.cli.files import forget_file

    asyncio.run(forget_file(settings_of(data_dir), channel_id, name, yes=yes))


@file_app.command(name="restore")
def files_restore(data_dir: DataDir = None) -> None:
    """Teach an index that was made anew what was taught before, from the copies in the data folder."""
    from bot.cli.files import restore_files

    asyncio.run(restore_files(settings_of(data_dir)))
