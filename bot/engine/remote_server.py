"""Which program answers at an OpenAI-compatible address, and what it says of itself."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from bot.engine.remote_http import RemoteClient
from bot.errors import SettingsError


class ServerKind(enum.Enum):
    """Programs whose extra fields are known."""

    LLAMA_SERVER = "llama-server"  # llama.cpp's own: GBNF grammars, all filters, /tokenize
    VLLM = "vLLM"  # grammars, all filters
    OLLAMA = "Ollama"  # JSON schemas, no grammars; filters are those of the model's file
    OTHER = "OpenAI-compatible"  # what the OpenAI API documents, and nothing else


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """What is known of a server.

    Attributes:
        kind: Which program it is.
        model: Name of the model, as requests must give it.
        context: Tokens of prompt and answer together, or 0 when it does not say.
        version: Its release as numbers, such as (0, 11, 2), or () when it does not say.
    """

    kind: ServerKind
    model: str
    context: int = 0
    version: tuple[int, ...] = ()


async def inspect_server(client: RemoteClient, wanted: str) -> RemoteServer:
    """Ask a server what it is, by GET requests only.

    Args:
        client: Reaches the server.
        wanted: Name of the model, or "" to take the only one there is.

    Raises:
        SettingsError: If it refuses the key, redirects, or has no or several models and none is named.
        UnavailableError: If it cannot be reached or fails.
    """
    listed, headers = await client.get_json(f"{client.url}/models", required=True)
    models = _models(listed)
    model = wanted or _only(client.url, models)
    # llama-server answers to any name, so a name that is not listed still tells the program.
    facts = models.get(model) or next(iter(models.values()), {})
    owner = facts.get("owned_by")
    if owner == "llamacpp" or headers.get("server", "").lower().startswith("llama.cpp"):
        props, _ = await client.get_json(f"{client.root}/props")
        settings = _mapping(_mapping(props).get("default_generation_settings"))
        return RemoteServer(ServerKind.LLAMA_SERVER, model, _count(settings.get("n_ctx")))
    if owner == "vllm":
        said, _ = await client.get_json(f"{client.root}/version")
        return RemoteServer(ServerKind.VLLM, model, _count(facts.get("max_model_len")), _version(said))
    said, _ = await client.get_json(f"{client.root}/api/version")
    if _version(said):
        return RemoteServer(ServerKind.OLLAMA, model, 0, _version(said))
    return RemoteServer(ServerKind.OTHER, model, _count(facts.get("max_model_len")))


def _models(listed: JsonValue) -> dict[str, Mapping[str, JsonValue]]:
    """Models by name; Ollama without models sends null for the list."""
    found = _mapping(listed).get("data")
    entries = [_mapping(entry) for entry in found] if isinstance(found, list) else []
    return {str(entry["id"]): entry for entry in entries if "id" in entry}


def _only(url: str, models: Mapping[str, object]) -> str:
    if len(models) == 1:
        return next(iter(models))
    if not models:
        raise SettingsError(f"The server at {url} lists no model: name one in LOCUS_REMOTE_MODEL.")
    names = ", ".join(sorted(models)[:8])
    raise SettingsError(f"The server at {url} has several models: name one in LOCUS_REMOTE_MODEL ({names}).")


def _mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _count(value: JsonValue) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _version(said: JsonValue) -> tuple[int, ...]:
    text = _mapping(said).get("version")
    numbers = re.match(r"v?(\d{1,6}(?:\.\d{1,6}){1,3})", text) if isinstance(text, str) else None
    return tuple(int(part) for part in numbers.group(1).split(".")) if numbers else ()
