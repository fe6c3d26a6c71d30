"""`locus matrix`: what an operator asks of Locus's account, and what is printed."""

from __future__ import annotations

import getpass
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from pydantic import SecretStr

from bot.errors import SettingsError
from bot.extras import installing
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.serving import MatrixAccount

STANDINGS = {
    "signed": "signed by the account, so strict clients give it their keys",
    "foreign": "not signed: the account's identity was made elsewhere (`locus matrix login --new-identity`)",
    "unsigned": "not signed: run `locus matrix login` once more",
}


async def log_in(settings: Settings, *, new_device: bool, new_identity: bool) -> None:
    """Log in and print who Locus is.

    Raises:
        SettingsError: If a password is needed and nobody can be asked, or is not accepted.
    """
    account = _account(settings)
    known = None if new_device or new_identity else await account.valid_state()
    if known is None:
        known = await account.log_in(
            _password(settings) if account.needs_password else None, new_device=new_device, new_identity=new_identity
        )
    typer.echo(f"Locus is {known.user_id} on {known.homeserver}, device {known.device_id}.")
    if known.standing is not None:
        typer.echo(f"The device is {STANDINGS[known.standing]}.")


def _account(settings: Settings) -> MatrixAccount:
    try:
        from bot.serving import matrix_account
    except ImportError as error:
        raise SettingsError(
            f"`locus matrix` needs the extra 'matrix' ({error.name} is missing): install it with "
            f"`{installing('matrix')}`."
        ) from error
    return matrix_account(settings)


def _password(settings: Settings) -> SecretStr:
    if not sys.stdin.isatty():
        raise SettingsError("No terminal can ask for the password: set LOCUS_MATRIX_PASSWORD for this one command.")
    given = getpass.getpass(f"Password of {settings.matrix_user or 'the account'}: ")
    if not given:
        raise SettingsError("No password was given: nothing was done.")
    return SecretStr(given)


async def show_status(settings: Settings, *, as_json: bool) -> int:
    """Print how the account stands; return 0, or 1 when something is wrong.

    Raises:
        NotFoundError: If Locus is not logged in.
    """
    state = await _account(settings).state()
    fine = state.valid and (not state.fingerprint or (state.keys and state.standing == "signed"))
    if as_json:
        typer.echo(json.dumps(asdict(state)))
        return 0 if fine else 1
    typer.echo(f"account     {state.user_id} on {state.homeserver}")
    typer.echo(f"session     {'valid' if state.valid else 'ended by the homeserver: run `locus matrix login`'}")
    typer.echo(f"device      {state.device_id}")
    if state.fingerprint:
        groups = " ".join(state.fingerprint[index : index + 4] for index in range(0, len(state.fingerprint), 4))
        typer.echo(f"fingerprint {groups}")
        typer.echo(f"keys        {'there' if state.keys else 'gone: run `locus matrix login --new-device`'}")
    if state.standing is not None:
        typer.echo(f"device is   {STANDINGS[state.standing]}")
    return 0 if fine else 1


async def log_out(settings: Settings) -> None:
    """End the session.

    Raises:
        NotFoundError: If Locus is not logged in.
    """
    user_id = await _account(settings).log_out()
    typer.echo(f"Locus is no longer logged in as {user_id}; its keys stay in {settings.data_dir / 'matrix'}.")
