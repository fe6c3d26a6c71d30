"""All settings by what they are about, each described: for docs/settings.md, .env.example and `locus settings`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bot.service_settings import Names
from bot.settings import PREFIX, Settings

NONE = "none"
EMPTY = "empty"
DATA_DIR = "~/.local/share/locus"


@dataclass(frozen=True, slots=True)
class Described:
    """One setting.

    Attributes:
        field: Name of the field.
        name: The variable.
        takes: What may be given, in a few words.
        default: As it is written in .env; "" for none and for an empty text.
        meaning: One sentence or more.
        secret: Whether its value is never shown.
        optional: Whether its default is that there is none.
    """

    field: str
    name: str
    takes: str
    default: str
    meaning: str
    secret: bool
    optional: bool

    @property
    def shown_default(self) -> str:
        """The default in words."""
        return self.default or (NONE if self.optional else EMPTY)


@dataclass(frozen=True, slots=True)
class Section:
    """Settings that belong together.

    Attributes:
        title: Of the section.
        fields: Names of fields; "slack_*" stands for all that begin so and stand in no section before.
    """

    title: str
    fields: tuple[str, ...]


SECTIONS = (
    Section("General", ("data_dir", "log_level", "log_format")),
    Section(
        "Knowledge",
        ("sources", "chroma_url", "embedding_model", "gene_aliases", "ingest_threads", "max_file_mib"),
    ),
    Section(
        "Answers",
        (
            "top_k",
            "answer_threshold",
            "prompt_style",
            "unsupported",
            "max_model_calls",
            "question_tokens",
            "history_tokens",
            "answers_kept",
        ),
    ),
    Section("Model (extra llama)", ("model", "lora", "model_*", "gpu_layers", "tensor_split", "flash_attention")),
    Section("A model elsewhere (extra llama)", ("remote_*",)),
    Section("Downloads", ("fetch_*", "contact")),
    Section("GeneNetwork's live data", ("genenetwork", "genenetwork_*")),
    Section("Digests of new datasets", ("time_zone", "digest_file", "digest_look_h", "digest_docs", "digest_model_s")),
    Section(
        "The service (extra run)",
        (
            "redis_*",
            "terminal",
            "answers_at_once",
            "queue_limit",
            "rate_*",
            "lease_s",
            "max_failures",
            "max_deaths",
            "shutdown_grace_s",
            "duplicates_h",
        ),
    ),
    Section(
        "What is kept",
        ("conversation_*", "retention_days", "answer_cache_h", "feedback_kept"),
    ),
    Section(
        "Who may do what",
        ("administrators", "teachers", "digest_subscribers", "status_readers", "answer_external"),
    ),
    Section("Watching", ("health_*", "traces_url")),
    Section(
        "Web pages",
        ("public_url", "dashboard_*", "reader_token", "proxy_user_header", "trusted_proxies", "stewards"),
    ),
    Section("Slack (extra slack)", ("slack_*",)),
    Section("Matrix (extra matrix)", ("matrix_*",)),
)


def described() -> Iterator[tuple[Section, list[Described]]]:
    """Yield each section with its settings, in the order of the code where a pattern names several."""
    left = dict(Settings.model_fields)
    for section in SECTIONS:
        names = [name for pattern in section.fields for name in left if fnmatchcase(name, pattern)]
        yield section, [describe(name, left.pop(name)) for name in dict.fromkeys(names)]


def describe(name: str, field: FieldInfo) -> Described:
    """Return what is told about a setting."""
    kinds = get_args(field.annotation) or (field.annotation,)
    return Described(
        name,
        PREFIX + name.upper(),
        _takes(field),
        DATA_DIR if name == "data_dir" else written(field.default),
        (field.description or "").strip(),
        SecretStr in kinds,
        field.default is None or field.default == (),
    )


def written(value: object) -> str:
    """Return a value that is no secret as it would stand in .env."""
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return " ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _takes(field: FieldInfo) -> str:
    kind = field.annotation
    kinds = [one for one in get_args(kind) if one is not type(None)] if get_origin(kind) is not Literal else []
    if get_origin(kind) is tuple or kind == Names:
        return "words"
    words = [_one_kind(one, field) for one in (kinds or [kind])]
    return " or ".join(words)


def _one_kind(kind: object, field: FieldInfo) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if kind is bool:
        return "`true`, `false`"
    if kind in (int, float):
        return f"{'whole number' if kind is int else 'number'}{_bounds(field)}"
    return {SecretStr: "secret", Path: "path"}.get(kind, "text")  # type: ignore[call-overload, no-any-return]


def _bounds(field: FieldInfo) -> str:
    """Return the bounds of a number, such as " 1 to 50" or " above 0, to 2"."""
    found = {
        name: getattr(rule, name) for rule in field.metadata for name in ("ge", "gt", "le", "lt") if hasattr(rule, name)
    }
    if "ge" in found and "le" in found:
        return f" {_number(found['ge'])} to {_number(found['le'])}"
    words = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
    said = ", ".join(f"{words[name]} {_number(value)}" for name, value in found.items())
    return f" {said}" if said else ""


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
