"""The settings: misspelt names, contradictions, secrets that others can read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from dotenv import dotenv_values

from bot.checks import Finding, Level
from bot.hosts import is_loopback
from bot.settings import (
    Settings,
    named_secret_files,
    secret_file_names,
    secret_values,
    setting_names,
    setting_problems,
    unknown_names,
)

PART = "settings"
BEGINNINGS = {"slack_bot_token": "xoxb-", "slack_app_token": "xapp-"}
# A setting that says something only beside another one.
NEEDS = {
    "slack_app_token": "slack_bot_token",
    "slack_signing_secret": "slack_bot_token",
    "matrix_user": "matrix_homeserver",
    "matrix_password": "matrix_homeserver",
    "matrix_access_token": "matrix_homeserver",
    "stewards": "proxy_user_header",
    "remote_key": "remote_url",
    "remote_model": "remote_url",
    "lora": "model",
}


def unreadable_settings(environment: Mapping[str, str], env_file: Path) -> list[Finding]:
    """Return what is wrong with settings that cannot be read, all of it; [] where they can."""
    problems = [Finding.of_sentence(Level.ERROR, PART, sentence) for sentence in setting_problems(env_file)]
    return [*problems, *_unknown(environment)] if problems else []


def examine_settings(settings: Settings, environment: Mapping[str, str], env_file: Path) -> Iterator[Finding]:
    """Yield what is odd about settings that can be read."""
    there = dotenv_values(env_file) if env_file.is_file() else {}
    chosen = (setting_names() | secret_file_names()) & {name.upper() for name in {**there, **environment}}
    where = f"the environment and {env_file}" if env_file.is_file() else "the environment"
    yield Finding(Level.OK, PART, f"{_counted(chosen)} set, by {where}." if chosen else "All are as they come.")
    yield from _unknown(environment)
    for name, needed in NEEDS.items():
        if getattr(settings, name) and not getattr(settings, needed):
            yield Finding(
                Level.WARNING,
                PART,
                f"{_variable(name)} is set but {_variable(needed)} is not, so it does nothing.",
                f"set {_variable(needed)}, or remove {_variable(name)}.",
            )
    for name, beginning in BEGINNINGS.items():
        token = getattr(settings, name)
        if token is not None and not token.get_secret_value().startswith(beginning):
            fix = f"copy the one that begins with {beginning} from the app's page (docs/slack.md)."
            yield Finding(Level.ERROR, PART, f"{_variable(name)} does not begin with {beginning}.", fix)
    if settings.matrix_password is not None:
        yield Finding(
            Level.WARNING,
            PART,
            "LOCUS_MATRIX_PASSWORD is only needed to log in.",
            "remove it after `locus matrix login`, which can ask for it.",
        )
    if settings.digest_file is not None and settings.genenetwork == "off":
        yield Finding(
            Level.WARNING,
            PART,
            "LOCUS_DIGEST_FILE declares digests, and LOCUS_GENENETWORK is off, so nothing new is ever found.",
            "set LOCUS_GENENETWORK=on, or remove LOCUS_DIGEST_FILE.",
        )
    if settings.health_port and not is_loopback(settings.health_host):
        yield Finding(
            Level.WARNING,
            PART,
            f"The health page listens on {settings.health_host}, where it asks nobody for a password.",
            "let only your monitoring reach that port, or set LOCUS_HEALTH_HOST=127.0.0.1.",
        )
    if secret_values(settings):
        yield from _readable_by_others(env_file)
    for file in named_secret_files(environment, env_file):
        if file.is_open_to_everybody():
            yield Finding(
                Level.WARNING,
                PART,
                f"Every account of this machine can read the secret that {file.variable} names ({file.path}).",
                f"run `chmod o-rwx {file.path}`, and let the account of Locus own it.",
            )


def _unknown(environment: Mapping[str, str]) -> Iterator[Finding]:
    for name, near in unknown_names(environment).items():
        fix = f"did you mean {near}?" if near else "remove it; docs/settings.md lists those there are."
        yield Finding(Level.WARNING, PART, f"{name} is no setting of Locus.", fix)


def _readable_by_others(env_file: Path) -> Iterator[Finding]:
    if os.name != "posix" or not env_file.is_file():
        return
    mode = stat.S_IMODE(env_file.stat().st_mode)
    if mode & 0o077:
        yield Finding(
            Level.WARNING,
            PART,
            f"Other accounts of this machine can reach the secrets in {env_file} (mode {mode:o}).",
            f"run `chmod 600 {env_file}`.",
        )


def _counted(names: set[str]) -> str:
    return "1 is" if len(names) == 1 else f"{len(names)} are"


def _variable(name: str) -> str:
    return f"LOCUS_{name.upper()}"
