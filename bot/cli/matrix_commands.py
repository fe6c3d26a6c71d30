"""The commands of `locus matrix` and their options."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from bot.cli.options import AsJson, DataDir, command_group, settings_of

matrix_app = command_group("Log Locus in to its Matrix homeserver, and look after that account.")


@matrix_app.command(name="login")
def matrix_login(
    new_device: Annotated[
        bool,
        typer.Option(
            "--new-device", help="Give up the device of before, whose keys are lost; it asks for the password."
        ),
    ] = False,
    new_identity: Annotated[
        bool,
        typer.Option("--new-identity", help="Replace a cross-signing identity of the account that was not made here."),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Log in once; the password is asked for, or LOCUS_MATRIX_PASSWORD."""
    from bot.cli.matrix import log_in

    asyncio.run(log_in(settings_of(data_dir), new_device=new_device, new_identity=new_identity))


@matrix_app.command(name="status")
def matrix_status(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show the account, its device and whether others trust it; exits 1 when something is wrong."""
    from bot.cli.matrix import show_status

    raise typer.Exit(asyncio.run(show_status(settings_of(data_dir), as_json=as_json)))


@matrix_app.command(name="logout")
def matrix_logout(data_dir: DataDir = None) -> None:
    """End the session on the homeserver; the keys stay in the data folder."""
    from bot.cli.matrix import log_out

    asyncio.run(log_out(settings_of(data_dir)))
