"""All settings: read once at start from LOCUS_ variables and an optional .env file, then passed down.

The environment wins over .env, .env over the defaults. Reading happens in `load_settings` only; nothing below the
composition root sees the whole tree or `os.environ`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.errors import SettingsError

PREFIX = "LOCUS_"
DEFAULT_HOSTS = (
    "genenetwork.org",
    "*.genenetwork.org",
    "github.com",
    "raw.githubusercontent.com",
    "gitlab.com",
    "codeberg.org",
)

Names = Annotated[tuple[str, ...], NoDecode]


def default_data_dir() -> Path:
    """Return $XDG_DATA_HOME/locus, by default ~/.local/share/locus."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "locus"


class Settings(BaseSettings):
    """Every setting of Locus; the name of a variable is LOCUS_ and the field in capitals (docs/settings.md)."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True)

    data_dir: Path = Field(default_factory=default_data_dir, description="Folder that holds all state.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("warning", description="What the log shows.")

    sources: Names = Field(
        ("starter",),
        description="Sources that `locus ingest` without arguments brings in, separated by spaces: folders, git "
        "repositories, web pages, sitemaps, or `starter` for the documents that ship with Locus.",
    )
    chroma_url: str | None = Field(
        None, description="A Chroma server (the Rust one), as http://HOST:PORT; none means embedded in the data folder."
    )
    redis_url: str | None = Field(
        None, description="A Redis server for shared state; in this version `locus doctor` checks that it is safe."
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

    model: Path | None = Field(
        None, description="A GGUF model that writes the answers (extra llama); none means quoting the documents."
    )
    model_context: int = Field(4096, ge=512, le=1_048_576, description="Context of the model, in tokens.")
    model_threads: int = Field(0, ge=0, le=256, description="Threads of the model; 0 means one per core.")
    model_max_tokens: int = Field(400, ge=16, le=8192, description="Longest written answer, in tokens.")
    model_temperature: float = Field(0.2, ge=0, le=2, description="Randomness of the model; 0 is always the same.")
    model_seed: int = Field(0, ge=0, description="Seed of the model's random numbers.")
    model_timeout_s: float = Field(300, gt=0, le=3600, description="Longest time for one written answer, in seconds.")
    gpu_layers: Literal["auto"] | int = Field(
        "auto", description="Layers of the model on the GPU: auto (all where a GPU is built in), or a number."
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

    @field_validator("sources", "fetch_allowed_hosts", "fetch_private_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("gpu_layers", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else value


def setting_names() -> set[str]:
    """Return the names of all environment variables Locus knows."""
    return {PREFIX + name.upper() for name in Settings.model_fields}


def unknown_names(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Return LOCUS_ names that are no setting, each with the nearest known name or None."""
    known = setting_names()
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    return {name: next(iter(difflib.get_close_matches(name, known, 1)), None) for name in unknown}


def load_settings(env_file: Path | None = None, **overrides: object) -> Settings:
    """Read the settings.

    Args:
        env_file: Read when it exists; none reads `.env` of the working folder.
        overrides: Options of the command line; None means not given.

    Raises:
        SettingsError: If a value is out of range or a line of the .env file is no setting.
    """
    file = env_file or Path(".env")
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(_env_file=file if file.is_file() else None, **given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"])
        shown = name.upper() if name.upper().startswith(PREFIX) else PREFIX + name.upper()
        if first["type"] == "extra_forbidden":
            near = next(iter(difflib.get_close_matches(shown, setting_names(), 1)), None)
            hint = f"did you mean {near}?" if near else "docs/settings.md lists them."
            raise SettingsError(f"{file} sets {shown}, which is no setting of Locus: {hint}") from error
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{shown} is {first['input']!r}: {message}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} is not UTF-8 text: save it as UTF-8.") from error
