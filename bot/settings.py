"""All settings: read once at start from LOCUS_ variables and an optional .env file, then passed down.

The environment wins over .env, .env over the defaults. Reading happens in `load_settings` only; nothing below the
composition root sees the whole tree or `os.environ`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsConfigDict

from bot.digest_settings import DigestSettings
from bot.errors import SettingsError
from bot.service_settings import Names

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


class Settings(DigestSettings):
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

    model: Path | None = Field(
        None, description="A GGUF model that writes the answers (extra llama); none means quoting the documents."
    )
    lora: Names = Field(
        (), description="LoRA adapters (GGUF) for the model, as PATH or PATH:SCALE, separated by spaces or commas."
    )
    model_context: int = Field(
        4096, ge=512, le=1_048_576, description="Tokens of prompt and answer of one question, at most."
    )
    model_cache_tokens: int = Field(
        0,
        ge=0,
        le=16_777_216,
        description="Tokens of all running and remembered conversations together that the model holds in memory; 0 "
        "means up to four contexts, as memory allows.",
    )
    model_kv_type: Literal["f16", "q8_0"] = Field(
        "f16", description="Number format of that memory; q8_0 takes about half."
    )
    model_parallel: int = Field(16, ge=1, le=64, description="Answers that are written at the same time, at most.")
    model_queue: int = Field(64, ge=1, le=10_000, description="Questions that may wait for the model.")
    model_threads: int = Field(0, ge=0, le=256, description="Threads of the model; 0 means one per core.")
    model_max_tokens: int = Field(400, ge=16, le=8192, description="Longest written answer, in tokens.")
    model_temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="Randomness of the model; 0 is always the likeliest word. Unset, like the four below: what the "
        "model's file recommends, else 0.2.",
    )
    model_top_k: int | None = Field(
        None, ge=0, le=1000, description="Choose among this many likeliest tokens only; 0 is off. Unset: file, else 40."
    )
    model_top_p: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Choose among the likeliest tokens that together have this probability. Unset: file, else 0.95.",
    )
    model_min_p: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Leave out tokens below this share of the likeliest one's probability. Unset: file, else 0.05.",
    )
    model_repetition_penalty: float | None = Field(
        None, gt=0, le=2, description="Above 1, words just used become less likely. Unset: file, else 1 (off)."
    )
    model_seed: int = Field(0, ge=0, le=4_294_967_295, description="Seed of the model's random numbers.")
    model_thinking: bool = Field(False, description="Let a reasoning model think before it answers; slower.")
    model_timeout_s: float = Field(
        300, gt=0, le=3600, description="Longest time for one written answer, waiting included, in seconds."
    )
    model_hang_s: float = Field(
        120, ge=5, le=3600, description="Seconds without a sign of life after which the model is started again."
    )
    gpu_layers: Literal["auto"] | int = Field(
        "auto", description="Layers of the model on the GPU: auto (as many as fit), -1 (all), or a number."
    )
    tensor_split: Names = Field(
        (), description="Share of each of several GPUs, such as `3 1`; none means by their free memory."
    )
    flash_attention: Literal["auto", "on", "off"] = Field(
        "auto", description="Flash attention of llama.cpp: auto is on with a GPU or a q8_0 cache, off on a CPU."
    )
    remote_url: str | None = Field(
        None,
        description="An OpenAI-compatible API (llama-server, vLLM, Ollama) that writes instead, as "
        "http://HOST:PORT/v1; LOCUS_MODEL, where set, steps in when it is down.",
    )
    remote_model: str = Field("", description="Name of the model there; empty means its only one.")
    remote_key: SecretStr | None = Field(None, description="Key for that API.")
    remote_timeout_s: float = Field(120, gt=0, le=3600, description="Seconds to wait for the first word of that API.")

    fetch_allowed_hosts: Names = Field(
        DEFAULT_HOSTS, description="Hosts documents may be downloaded from, separated by spaces; *.example.org works."
    )
    fetch_private_hosts: Names = Field(
        (), description="Hosts (or HOST:PORT) that may be on a private network, such as the lab's own wiki."
    )
    fetch_max_mib: int = Field(100, ge=1, le=4096, description="Largest single download, in MiB.")
    fetch_timeout_s: float = Field(60, gt=0, le=3600, description="Longest single download, in seconds.")
    contact: str = Field("", max_length=200, description="Contact put into the User-Agent of downloads.")

    @field_validator("gpu_layers", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else value

    @field_validator("tensor_split")
    @classmethod
    def _shares(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(share.replace(".", "", 1).isdigit() for share in value):
            raise ValueError("give numbers separated by spaces, such as 3 1")
        return value


def setting_names() -> set[str]:
    """Return the names of all environment variables Locus knows."""
    return {PREFIX + name.upper() for name in Settings.model_fields}


def secret_values(settings: Settings) -> list[str]:
    """Return every secret that is set, for what must not write them."""
    values = (getattr(settings, name) for name in type(settings).model_fields)
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]


def unknown_names(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Return LOCUS_ names that are no setting, each with the nearest known name or None."""
    known = setting_names()
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    return {name: next(iter(difflib.get_close_matches(name, known, 1)), None) for name in unknown}


def setting_problems(env_file: Path | None = None, **overrides: object) -> list[str]:
    """Return a sentence for everything that keeps the settings from being read; arguments as `load_settings`."""
    file = env_file or Path(".env")
    try:
        _read(file, overrides)
    except ValidationError as error:
        return [_problem(one, file) for one in error.errors()]
    except (UnicodeDecodeError, OSError) as error:
        return [str(_unreadable(file, error))]
    return []


def load_settings(env_file: Path | None = None, **overrides: object) -> Settings:
    """Read the settings.

    Args:
        env_file: Read when it exists; none reads `.env` of the working folder.
        overrides: Options of the command line; None means not given.

    Raises:
        SettingsError: If a value is out of range or a line of the .env file is no setting.
    """
    file = env_file or Path(".env")
    try:
        return _read(file, overrides)
    except ValidationError as error:
        raise SettingsError(_problem(error.errors()[0], file)) from error
    except (UnicodeDecodeError, OSError) as error:
        raise _unreadable(file, error) from error


def _read(file: Path, overrides: Mapping[str, object]) -> Settings:
    given = {name: value for name, value in overrides.items() if value is not None}
    return Settings(_env_file=file if file.is_file() else None, **given)  # type: ignore[arg-type]


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
        near = next(iter(difflib.get_close_matches(shown, setting_names(), 1)), None)
        hint = f"did you mean {near}?" if near else "docs/settings.md lists them."
        return f"{file} sets {shown}, which is no setting of Locus: {hint}"
    return f"{shown} is {error['input']!r}: {message}."
