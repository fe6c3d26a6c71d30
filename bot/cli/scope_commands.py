"""The commands of `locus scope` and their options."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from bot.cli.options import AsJson, DataDir, command_group, settings_of

scope_app = command_group("Look after which channels may see documents of their own.")

ChannelId = Annotated[str, typer.Argument(help="The handle that `locus scope list` shows.", metavar="CHANNEL_ID")]


@scope_app.command(name="list")
def scope_list(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show the channels that were seen; those that wait for an administrator first."""
    from bot.cli.scopes import list_places

    asyncio.run(list_places(settings_of(data_dir), as_json=as_json))


@scope_app.command(name="confirm")
def scope_confirm(
    channel_id: ChannelId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Let all who can read a channel now see the channel's own documents."""
    from bot.cli.scopes import confirm_place

    asyncio.run(confirm_place(settings_of(data_dir), channel_id, yes=yes))


@scope_app.command(name="revoke")
def scope_revoke(channel_id: ChannelId, data_dir: DataDir = None) -> None:
    """Let nobody see a channel's own documents until it is confirmed again."""
    from bot.cli.scopes import revoke_place

    asyncio.run(revoke_place(settings_of(data_dir), channel_id))
