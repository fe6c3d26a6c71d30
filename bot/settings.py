"""All settings: read once at start from LOCUS_ variables and an optional .env file, then passed down.

The environment wins over .env, .env over the defaults. Reading happens in `load_settings` only; nothing below the
composition root sees the whole tree or `os.environ`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, DotEnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from bot.errors import SettingsError
from bot.model_settings import ModelSettings
from bot.secret_files import SUFFIX, SecretFile, given_twice, secret_files
from bot.service_settings import Names
from bot.web_settings import WebSettings

PREFIX = "LOCUS_"
DEFAULT_HOSTS = (
    "genenetwork.org",
    "*.genenetwork.org",
    "github.com",
    "raw.githubusercontent.com",
    "gitlab.com",
    "codeberg.org",
)


def default_data_dir() -> Path:
    """Return $XDG_DATA_HOME/locus, by default ~/.local/share/locus."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "locus"


class Settings(ModelSettings, WebSettings):
    """Every setting of Locus; the name of a variable is LOCUS_ and the field in capitals (docs/settings.md)."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True)

    data_dir: Path = Field(default_factory=default_data_dir, description="Folder that holds all state.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("warning", description="What the log shows.")
    log_format: Literal["pretty", "json"] = Field(
        "pretty", description="How: lines for people, or one JSON object a line."
    )

    sources: Names = Field(
        ("starter",),
        description="Sources that `locus ingest` without arguments brings in, separated by spaces: folders, git "
        "repositories, web pages, sitemaps, or `starter` for the documents that ship with Locus.",
    )
    chroma_url: str | None = Field(
        None, description="A Chroma server (the Rust one), as http://HOST:PORT; none means embedded in the data folder."
    )
    embedding_model: Path | None = Field(
        None, description="An embedding model as a GGUF file (extra llama); none means the bundled all-MiniLM-L6-v2."
    )
    gene_aliases: Path | None = Field(
        None, description="A file of further gene names: tab-separated lines, each the names of one gene."
    )
    ingest_threads: int = Field(0, ge=0, le=256, description="Threads that embed; 0 means one per core.")
    max_file_mib: int = Field(50, ge=1, le=4096, description="Larger files are left out of an ingest, in MiB.")

    top_k: int = Field(8, ge=1, le=50, description="Passages an answer is made from.")
    answer_threshold: float = Field(
        0.35, ge=0, le=1, description="Confidence, 0 to 1, below which Locus says that the documents do not say."
    )

    prompt_style: Literal["zero", "one", "few"] = Field(
        "one", description="Examples in the model's instructions: none, one, or several (extra llama)."
    )
    unsupported: Literal["mark", "drop"] = Field(
        "drop",
        description='What happens to a written statement that its passage does not support: "mark" adds "(not in the '
        'sources)", "drop" leaves it out.',
    )
    max_model_calls: int = Field(
        3, ge=1, le=20, description="Model calls one question may cost, rewriting and summary included."
    )
    question_tokens: int = Field(
        20_000, ge=500, le=1_000_000, description="Tokens that all model calls of one question may read and write."
    )
    history_tokens: int = Field(
        800, ge=0, le=100_000, description="Tokens of earlier turns the model sees whole; older ones are summarised."
    )
    answers_kept: int = Field(
        2000, ge=1, le=1_000_000, description="Answers whose cards are kept for `locus answer show` and `replay`."
    )

    fetch_allowed_hosts: Names = Field(
        DEFAULT_HOSTS, description="Hosts documents may be downloaded from, separated by spaces; *.example.org works."
    )
    fetch_private_hosts: Names = Field(
        (), description="Hosts (or HOST:PORT) that may be on a private network, such as the lab's own wiki."
    )
    fetch_max_mib: int = Field(100, ge=1, le=4096, description="Largest single download, in MiB.")
    fetch_timeout_s: float = Field(60, gt=0, le=3600, description="Longest single download, in seconds.")
    contact: str = Field("", max_length=200, description="Contact put into the User-Agent of downloads.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let .env name files with secrets, which `load_settings` reads; every other unknown line is refused."""
        if isinstance(dotenv_settings, DotEnvSettingsSource):
            known = secret_file_names()
            kept = {name: value for name, value in dotenv_settings.env_vars.items() if name.upper() not in known}
            dotenv_settings.env_vars = kept
        return init_settings, env_settings, dotenv_settings


def setting_names() -> set[str]:
    """Return the names of all settings, as variables."""
    return {PREFIX + name.upper() for name in Settings.model_fields}


def secret_names() -> list[str]:
    """Return the names of the settings that are secrets, as variables."""
    fields = Settings.model_fields.items()
    return [
        PREFIX + name.upper() for name, field in fields if SecretStr in (field.annotation, *get_args(field.annotation))
    ]


def secret_file_names() -> set[str]:
    """Return the names of the variables that name a file with a secret."""
    return {name + SUFFIX for name in secret_names()}


def named_secret_files(environment: Mapping[str, str], env_file: Path) -> list[SecretFile]:
    """Return the files with secrets that the environment and a .env file name.

    Raises:
        UnicodeDecodeError: If the .env file is no UTF-8 text.
        OSError: If it cannot be read.
    """
    return secret_files(secret_names(), environment, _lines(env_file))


def secret_values(settings: Settings) -> list[str]:
    """Return every secret that is set, for what must not write them."""
    values = (getattr(settings, name) for name in type(settings).model_fields)
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]


def unknown_names(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Return LOCUS_ names that are no setting, each with the nearest known name or None."""
    known = setting_names() | secret_file_names()
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    return {name: next(iter(difflib.get_close_matches(name, known, 1)), None) for name in unknown}


def setting_problems(env_file: Path | None = None, **overrides: object) -> list[str]:
    """Return a sentence for everything that keeps the settings from being read; arguments as `load_settings`."""
    file = env_file or Path(".env")
    problems: list[str] = []
    try:
        secrets, problems = _secrets(file)
        # A secret that cannot be read is there all the same: that others need it is no second problem.
        _read(file, secrets, overrides)
    except ValidationError as error:
        return [*problems, *(_problem(one, file) for one in error.errors())]
    except (UnicodeDecodeError, OSError) as error:
        return [str(_unreadable(file, error))]
    return problems


def load_settings(env_file: Path | None = None, **overrides: object) -> Settings:
    """Read the settings.

    Args:
        env_file: Read when it exists; none reads `.env` of the working folder.
        overrides: Options of the command line; None means not given.

    Raises:
        SettingsError: If a value is out of range, a line of the .env file is no setting, or a file with a secret cannot
            be read.
    """
    file = env_file or Path(".env")
    try:
        secrets, problems = _secrets(file)
        if problems:
            raise SettingsError(problems[0])
        return _read(file, secrets, overrides)
    except ValidationError as error:
        raise SettingsError(_problem(error.errors()[0], file)) from error
    except (UnicodeDecodeError, OSError) as error:
        raise _unreadable(file, error) from error


def _read(file: Path, secrets: Mapping[str, object], overrides: Mapping[str, object]) -> Settings:
    given = {**secrets, **{name: value for name, value in overrides.items() if value is not None}}
    return Settings(_env_file=file if file.is_file() else None, **given)  # type: ignore[arg-type]


def _secrets(file: Path) -> tuple[dict[str, object], list[str]]:
    """Return the secrets that stand in files, by their fields, and what is wrong with such files."""
    places = (os.environ, _lines(file))
    files = secret_files(secret_names(), *places)
    problems = given_twice(files, *places)
    found: dict[str, object] = {}
    for one in files:
        field = one.name.removeprefix(PREFIX).lower()
        try:
            found[field] = one.read()
        except SettingsError as error:
            problems.append(str(error))
            found[field] = "unreadable"
    return found, problems


def _lines(file: Path) -> Mapping[str, str | None]:
    return dotenv_values(file) if file.is_file() else {}


def _unreadable(file: Path, error: UnicodeDecodeError | OSError) -> SettingsError:
    if isinstance(error, UnicodeDecodeError):
        return SettingsError(f"{file} is not UTF-8 text: save it as UTF-8.")
    return SettingsError(f"{file} cannot be read ({error.strerror}): run Locus as the account that owns it.")


def _problem(error: ErrorDetails, file: Path) -> str:
    """Return what is wrong with one setting, as a sentence."""
    name = "_".join(str(part) for part in error["loc"])
    message = error["msg"].removeprefix("Value error, ")
    if not name:  # two settings that contradict each other: the sentence names both
        return f"{message}."
    shown = name.upper() if name.upper().startswith(PREFIX) else PREFIX + name.upper()
    if error["type"] == "extra_forbidden":
        near = next(iter(difflib.get_close_matches(shown, setting_names() | secret_file_names(), 1)), None)
        hint = f"did you mean {near}?" if near else "docs/settings.md lists them."
        return f"{file} sets {shown}, which is no setting of Locus: {hint}"
    return f"{shown} is {error['input']!r}: {message}."
