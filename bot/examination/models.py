"""The models that write answers: here, and elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from bot.checks import Finding, Level
from bot.engine.model_file import model_card
from bot.engine.pins import find_pin, pins_path
from bot.errors import BotError
from bot.extras import installing
from bot.language_model import engine_options
from bot.settings import Settings


def examine_model(settings: Settings) -> Iterator[Finding]:
    """Yield what the model's file is, whether it is the one that was used before, and whether it fits."""
    if settings.model is None:
        if settings.remote_url is None:
            fix = "`locus model list` shows some that fit this machine."
            yield Finding(Level.OK, "model", "None is set: answers quote the documents.", fix)
        return
    try:
        card = model_card(settings.model)
        kind = f"{card.architecture}, {card.quantization}, {card.parameters / 1e9:,.1f} billion parameters"
        yield Finding(Level.OK, "model", f"{card.name} ({kind}), {card.size_bytes / 1e6:,.0f} MB.")
        yield _examine_pin(settings, settings.model)
        if find_spec("llama_cpp") is None:
            fix = f"install it with `{installing('llama')}`."
            yield Finding(Level.ERROR, "model", "The extra llama is not installed.", fix)
            return
        from bot.engine.loaded import plan_model

        plan = plan_model(engine_options(settings, settings.model))
        yield Finding(Level.OK, "memory", f"{plan.describe()}.")
    except BotError as error:
        yield Finding(Level.ERROR, "model", str(error))


def _examine_pin(settings: Settings, path: Path) -> Finding:
    pinned = find_pin(path, pins_path(settings.data_dir))
    if pinned is None:
        return Finding(Level.OK, "model", "Its hash is not pinned yet; that happens at first use.")
    return Finding(Level.OK, "model", f"Pinned to SHA-256 {pinned[:12]}…; another file is refused.")


async def examine_remote(settings: Settings, url: str) -> Finding:
    """Say what answers at the address of a model elsewhere."""
    from bot.engine.remote import RemoteModel

    try:
        remote = RemoteModel(url, model=settings.remote_model, key=settings.remote_key, context=settings.model_context)
        try:
            server = await remote.inspect()
        finally:
            await remote.close()
    except BotError as error:
        return Finding(Level.ERROR, "remote model", str(error))
    return Finding(Level.OK, "remote model", f"{server.kind.value} with {server.model} at {url}.")
