"""Slack and Matrix, as far as their extras are installed."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import SecretStr

from bot.checks import Finding, Level
from bot.errors import BotError, SettingsError
from bot.extras import installing
from bot.settings import Settings


async def examine_slack(settings: Settings, token: SecretStr) -> Sequence[Finding]:
    """Return whether Slack takes the tokens, and whether the app has the scopes it needs."""
    try:
        from adapters.slack.examination import examine_app
    except ImportError as error:
        return [_missing("slack", error)]
    app_token = settings.slack_app_token if settings.slack_mode == "socket" else None
    return await examine_app(token, app_token, api_url=settings.slack_api_url)


async def examine_matrix(settings: Settings) -> Finding:
    """Return how Locus's account on Matrix stands."""
    try:
        from bot.serving import matrix_account

        state = await matrix_account(settings).state()
    except ImportError as error:
        return _missing("matrix", error)
    except BotError as error:
        return Finding(Level.ERROR, "matrix", str(error))
    who = f"{state.user_id} on {state.homeserver}"
    if not state.valid:
        return Finding(
            Level.ERROR, "matrix", f"The homeserver has ended the session of {who}.", "run `locus matrix login`."
        )
    if state.fingerprint and not state.keys:
        fix = "restore them from a backup, or run `locus matrix login --new-device`."
        return Finding(Level.ERROR, "matrix", f"The keys of {who} are gone.", fix)
    if state.standing not in (None, "signed"):
        fix = "`locus matrix status` says what to do."
        return Finding(Level.WARNING, "matrix", f"Strict clients give no keys to {who}: its device is not signed.", fix)
    if settings.matrix_encryption and not state.fingerprint:
        fix = "run `locus matrix login`, or set LOCUS_MATRIX_ENCRYPTION=false."
        return Finding(
            Level.WARNING, "matrix", f"{who} has no encryption keys, so it cannot read encrypted rooms.", fix
        )
    return Finding(Level.OK, "matrix", f"Logged in as {who}.")


async def examine_homeserver(settings: Settings) -> Sequence[Finding]:
    """Return which versions of Matrix the homeserver speaks, and whether the clocks agree."""
    try:
        from adapters.matrix.examination import examine_server
    except ImportError:
        return []  # `examine_matrix` says so
    return await examine_server(settings.matrix_homeserver or "")


def _missing(extra: str, error: ImportError) -> Finding:
    fix = f"install it with `{installing('run', extra)}`."
    return Finding(Level.ERROR, extra, f"An extra is missing ({error.name}).", fix)


async def examine_slack_tokens(
    token: SecretStr | None, app_token: SecretStr | None, *, api_url: str
) -> Sequence[Finding]:
    """Return what Slack says to tokens that are not in the settings yet.

    Raises:
        SettingsError: If the extra is not installed.
    """
    try:
        from adapters.slack.examination import examine_app_token, examine_bot_token
    except ImportError as error:
        raise _extra("slack", error) from error
    findings: list[Finding] = []
    if token is not None:
        findings += await examine_bot_token(token, api_url=api_url)
    if app_token is not None:
        findings.append(await examine_app_token(app_token, api_url=api_url))
    return findings


def new_slack_app() -> str:
    """Return the address at which a browser makes Locus's app in a workspace.

    Raises:
        SettingsError: If the extra is not installed.
    """
    try:
        from adapters.slack.manifest import manifest_link
    except ImportError as error:
        raise _extra("slack", error) from error
    return manifest_link()


def _extra(extra: str, error: ImportError) -> SettingsError:
    return SettingsError(
        f"This needs the extra '{extra}' ({error.name} is missing): install it with `{installing(extra)}`, then "
        "run `locus setup` again."
    )
