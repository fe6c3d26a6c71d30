"""What `locus doctor` looks at: every part in turn; what one raises keeps no other from being looked at."""

from __future__ import annotations

import asyncio
import functools
import os
import platform
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from bot.bootstrap import make_embedder
from bot.checks import Finding, Level
from bot.engine.model_file import model_card
from bot.engine.pins import find_pin, pins_path
from bot.errors import BotError
from bot.language_model import engine_options
from bot.settings import Settings, unknown_names
from bot.store.examination import examine_private_redis, examine_redis
from knowledge.examination import examine_chroma, examine_disk, examine_extras, examine_index
from knowledge.index import KnowledgeIndex


async def examine(settings: Settings) -> list[Finding]:
    """Return the findings, in the order in which things depend on each other."""
    findings = await asyncio.to_thread(_examine, settings)
    if settings.remote_url is not None:
        findings.append(await _examine_remote(settings, settings.remote_url))
    if settings.redis_url is not None:
        findings.extend(await examine_redis(settings.redis_url.get_secret_value()))
    elif find_spec("redis") is not None:
        findings.extend(await asyncio.to_thread(examine_private_redis, settings.data_dir))
    return findings


def _examine(settings: Settings) -> list[Finding]:
    findings = [Finding(Level.OK, "version", f"Locus {version('locus-bot')}, Python {platform.python_version()}.")]
    for name, near in unknown_names(os.environ).items():
        hint = f"did you mean {near}?" if near else "remove it."
        findings.append(Finding(Level.WARNING, "settings", f"{name} is no setting of Locus.", hint))
    findings.append(examine_disk(settings.data_dir))
    try:
        embedder = make_embedder(settings)
    except BotError as error:
        findings.append(Finding(Level.ERROR, "embedding", str(error)))
    else:
        findings.append(Finding(Level.OK, "embedding", f"{embedder.fingerprint}, {embedder.dim} dimensions."))
        opened = functools.partial(KnowledgeIndex, settings.data_dir, embedder, chroma_url=settings.chroma_url)
        findings.extend(examine_index(opened))
        embedder.close()
    if settings.chroma_url:
        findings.append(examine_chroma(settings.chroma_url))
    findings += _examine_model(settings)
    findings.extend(examine_extras())
    return findings


def _examine_model(settings: Settings) -> list[Finding]:
    if settings.model is None:
        if settings.remote_url is not None:
            return []
        fix = "`locus model list` shows some that fit this machine."
        return [Finding(Level.OK, "model", "None is set: answers quote the documents.", fix)]
    try:
        card = model_card(settings.model)
        kind = f"{card.architecture}, {card.quantization}, {card.parameters / 1e9:,.1f} billion parameters"
        findings = [Finding(Level.OK, "model", f"{card.name} ({kind}), {card.size_bytes / 1e6:,.0f} MB.")]
        findings.append(_examine_pin(settings, settings.model))
        if find_spec("llama_cpp") is None:
            fix = "install it with `uv sync --extra llama`."
            return [*findings, Finding(Level.ERROR, "model", "The extra llama is not installed.", fix)]
        from bot.engine.loaded import plan_model

        plan = plan_model(engine_options(settings, settings.model))
        findings.append(Finding(Level.OK, "memory", f"{plan.describe()}."))
    except BotError as error:
        return [Finding(Level.ERROR, "model", str(error))]
    return findings


def _examine_pin(settings: Settings, path: Path) -> Finding:
    pinned = find_pin(path, pins_path(settings.data_dir))
    if pinned is None:
        return Finding(Level.OK, "model", "Its hash is not pinned yet; that happens at first use.")
    return Finding(Level.OK, "model", f"Pinned to SHA-256 {pinned[:12]}…; another file is refused.")


async def _examine_remote(settings: Settings, url: str) -> Finding:
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
