"""The commands of `locus inbox` and their options."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import typer

from bot.cli.options import AsJson, DataDir, command_group, settings_of

inbox_app = command_group("Look at open and given-up requests, try them again, or drop them.")

Reference = Annotated[
    str, typer.Argument(help="The reference that a chat or the log shows; its beginning is enough.", metavar="REF")
]
WithText = Annotated[bool, typer.Option("--text", help="Also what people wrote.")]


@inbox_app.command(name="list")
def inbox_list(
    state: Annotated[Literal["waiting", "running", "dead"] | None, typer.Option("--state", help="Only these.")] = None,
    with_text: WithText = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show open and given-up requests."""
    from bot.cli.inbox import list_requests

    asyncio.run(list_requests(settings_of(data_dir), state or "", as_json=as_json, with_text=with_text))


@inbox_app.command(name="show")
def inbox_show(
    reference: Reference, with_text: WithText = False, as_json: AsJson = False, data_dir: DataDir = None
) -> None:
    """Show how a request stands; also one that was answered lately."""
    from bot.cli.inbox import show_request

    asyncio.run(show_request(settings_of(data_dir), reference, as_json=as_json, with_text=with_text))


@inbox_app.command(name="retry")
def inbox_retry(reference: Reference, data_dir: DataDir = None) -> None:
    """Try a given-up request again; its answer replaces the apology."""
    from bot.cli.inbox import retry_request

    asyncio.run(retry_request(settings_of(data_dir), reference))


@inbox_app.command(name="drop")
def inbox_drop(
    reference: Reference,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Delete a given-up request, or stop an open one, whose person is told."""
    from bot.cli.inbox import drop_request

    asyncio.run(drop_request(settings_of(data_dir), reference, yes=yes))
