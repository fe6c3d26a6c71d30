"""`locus model`: model files listed, downloaded, described, quantized and confirmed."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from bot.cli.render import dump_json
from bot.engine.devices import GpuDevice, free_memory, installed_gpu_devices
from bot.engine.downloads import Progress as Report
from bot.engine.downloads import pull_model
from bot.engine.memory import KvType, MemoryPlan, kv_bytes_per_cell, plan_memory, shown_size
from bot.engine.model_file import ModelCard, model_card
from bot.engine.pins import check_pin, confirm_pin, find_pin, pins_path
from bot.engine.quantizer import quantize_model
from bot.engine.recommended import RecommendedModel, recommended_models
from bot.errors import BotError, InvalidRequestError, SettingsError
from bot.settings import Settings

_GIB = 1024**3
_LINE_EVERY_S = 10.0
_FULL_SUFFIX = re.compile(r"([-._](f32|f16|bf16))?(-\d{5}-of-\d{5})?$", re.IGNORECASE)
_LATER_PART = re.compile(r"-(?!00001)\d{5}-of-\d{5}\.gguf$")


def list_models(settings: Settings, *, as_json: bool) -> None:
    """Print the recommended models by memory and the files in the data folder."""
    console = Console(highlight=False)
    ram, gpus = free_memory(), installed_gpu_devices()
    largest = max(ram, sum(one.free_bytes for one in gpus))
    local = _local_models(settings)
    present = {path.name for path, _ in local}
    if as_json:
        payload = {
            "free_memory_bytes": ram,
            "gpus": [_gpu_json(one) for one in gpus],
            "recommended": [
                one.model_dump() | {"fits": one.memory_gib * _GIB <= largest, "present": one.file in present}
                for one in recommended_models()
            ],
            "files": [_file_json(settings, path, found) for path, found in local],
        }
        sys.stdout.write(dump_json(payload) + "\n")
        return
    console.print(f"Free memory: {shown_size(ram)}", soft_wrap=True)
    for gpu in gpus:
        console.print(escape(f"GPU {gpu.name} ({gpu.description}): {shown_size(gpu.free_bytes)} free"), soft_wrap=True)
    memory = 0.0
    for model in recommended_models():
        if model.memory_gib != memory:
            memory = model.memory_gib
            fits = "" if memory * _GIB <= largest else " (more than is free here)"
            console.print(f"\n[bold]{memory:g} GiB[/bold]{fits}")
        mark = "[green]here[/green]" if model.file in present else "    "
        console.print(f"  {mark} {escape(_recommendation(model))}", soft_wrap=True)
    console.print(f"\n[bold]In {escape(str(_folder(settings)))}[/bold]", soft_wrap=True)
    for path, found in local:
        if isinstance(found, ModelCard):
            in_use = ", in use" if _in_use(settings, path) else ""
            text = f"{found.name}, {found.quantization}, {shown_size(found.size_bytes)}{in_use}"
        else:
            text = str(found)
        console.print(Text(f"  {path.name}: {text}"), soft_wrap=True)
    if not local:
        console.print("  nothing yet: locus model pull NAME")


def pull(settings: Settings, name: str, file: str | None, endpoint: str, token_file: Path | None) -> None:
    """Download a recommended model by name, or any file of a repository, and say how to use it."""
    repository, wanted = _find(name, file)
    token = SecretStr(token_file.read_text(encoding="utf-8").strip()) if token_file else None
    console = Console(stderr=True, highlight=False)
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"), BarColumn(bar_width=30), DownloadColumn(binary_units=True),
            TransferSpeedColumn(), TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=console) as progress:
            path = asyncio.run(
                pull_model(
                    repository, wanted, _folder(settings), progress=_bar(progress), endpoint=endpoint, token=token
                )
            )
    else:
        path = asyncio.run(
            pull_model(repository, wanted, _folder(settings), progress=_lines(), endpoint=endpoint, token=token)
        )
    card = model_card(path)
    sha256 = confirm_pin(path, pins_path(settings.data_dir))
    sys.stdout.write(
        f"{card.name} ({card.quantization}, {shown_size(card.size_bytes)}, SHA-256 {sha256}).\n"
        f"To use it, put this line into .env:\nLOCUS_MODEL={path}\n"
    )


def show_info(settings: Settings, path: Path | None, context: int | None, kv_type: KvType, *, as_json: bool) -> None:
    """Print what a model is and the memory it needs here."""
    card = model_card(_resolve(settings, path))
    cells = context or settings.model_context
    ram, gpus = free_memory(), installed_gpu_devices()
    problem, plan = "", None
    try:
        plan = plan_memory(
            card, context_cells=cells, kv_type=kv_type, gpu_layers=settings.gpu_layers, devices=gpus, free_ram=ram
        )
    except SettingsError as error:
        problem = str(error)
    # Asked without limits, for the numbers of a model that does not fit.
    needs = plan or plan_memory(card, context_cells=cells, kv_type=kv_type, gpu_layers=0, free_ram=1 << 60)
    pinned = find_pin(card.path, pins_path(settings.data_dir))
    if as_json:
        sys.stdout.write(dump_json(_info_json(card, needs, problem, pinned)) + "\n")
        return
    per_token = sum(kv_bytes_per_cell(card, kv_type))
    trained = f"{card.context_length:,} tokens" if card.context_length else "not said"
    rows = {
        "name": card.name,
        "file": f"{card.path}" + (f" and {len(card.parts) - 1} more parts" if len(card.parts) > 1 else ""),
        "architecture": f"{card.architecture}, {card.block_count} layers",
        "parameters": f"{card.parameters:,}",
        "quantization": f"{card.quantization}, {card.size_bytes * 8 / max(card.parameters, 1):.1f} bits per parameter",
        "context": f"trained for {trained}, {cells:,} chosen",
        "template": f"{len(card.chat_template):,} characters" if card.chat_template else "none",
        "sampling": ", ".join(f"{name} {value:g}" for name, value in card.sampling.items()) or "no defaults",
        "pinned": pinned or "not yet: it will be at first use",
        "weights": shown_size(needs.weights_bytes),
        "cache": f"{shown_size(needs.kv_bytes)} for {cells:,} tokens in {kv_type} ({per_token / 1024:.1f} KiB a token)",
        "buffers": shown_size(needs.compute_bytes),
        "here": f"does not fit: {problem}" if problem else f"fits: {needs.describe()}",
    }
    console = Console(highlight=False)
    for name, value in rows.items():
        console.print(Text(f"{name:14}", style="bold").append(value, style="not bold"), soft_wrap=True)


def quantize(settings: Settings, source: Path, target_type: str, output: Path | None, *, again: bool) -> None:
    """Quantize a model into the data folder and say how to use it."""
    path, kind = _resolve(settings, source), target_type.lower()
    target = output or _folder(settings) / f"{_FULL_SUFFIX.sub('', path.stem)}-{kind}.gguf"
    pins = pins_path(settings.data_dir)
    card = model_card(path)
    check_pin(path, pins)
    quantize_model(card, kind, target, threads=settings.model_threads, again=again)
    confirm_pin(target, pins)
    sys.stdout.write(
        f"{target.name}: {shown_size(target.stat().st_size)}, before {shown_size(card.size_bytes)}.\n"
        f"To use it, put this line into .env:\nLOCUS_MODEL={target.resolve()}\n"
    )


def confirm(settings: Settings, path: Path) -> None:
    """Pin a model file as it is now."""
    found = _resolve(settings, path)
    model_card(found)
    sha256 = confirm_pin(found, pins_path(settings.data_dir))
    sys.stdout.write(f"{found.name} is pinned as SHA-256 {sha256}.\n")


def _folder(settings: Settings) -> Path:
    return (settings.data_dir / "models").absolute()


def _resolve(settings: Settings, path: Path | None) -> Path:
    """Return the file meant: as given, in the data folder, or that of LOCUS_MODEL."""
    if path is None:
        if settings.model is None:
            raise InvalidRequestError("No model is named and LOCUS_MODEL is not set: give the path of a .gguf file.")
        return settings.model
    inside = _folder(settings) / path
    return inside if not path.exists() and inside.exists() else path


def _find(name: str, file: str | None) -> tuple[str, str]:
    if file is not None:
        return name, file
    for model in recommended_models():
        if model.name == name:
            return model.repository, model.file
    raise InvalidRequestError(
        f"{name!r} is no recommended model: `locus model list` shows them, or give a repository and a file, such as "
        "`locus model pull Qwen/Qwen3-4B-GGUF Qwen3-4B-Q4_K_M.gguf`."
    )


def _local_models(settings: Settings) -> list[tuple[Path, ModelCard | BotError]]:
    found: list[tuple[Path, ModelCard | BotError]] = []
    for path in sorted(_folder(settings).glob("*.gguf")):
        if _LATER_PART.search(path.name):
            continue
        try:
            found.append((path, model_card(path)))
        except BotError as error:
            found.append((path, error))
    return found


def _in_use(settings: Settings, path: Path) -> bool:
    return settings.model is not None and settings.model.resolve() == path.resolve()


def _recommendation(model: RecommendedModel) -> str:
    return f"{model.name:26} {model.licence:20} {model.note}"


def _bar(progress: Progress) -> Report:
    tasks: dict[str, TaskID] = {}

    def report(name: str, done: int, total: int) -> None:
        if name not in tasks:
            tasks[name] = progress.add_task(name, total=total or None)
        progress.update(tasks[name], completed=done, total=total or None)

    return report


def _lines() -> Report:
    """Return a report of plain lines, for where there is no terminal: at most one every ten seconds."""
    last = time.monotonic()

    def report(name: str, done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_EVERY_S:
            last = time.monotonic()
            sys.stderr.write(f"{name}: {shown_size(done)} of {shown_size(total) if total else 'unknown'}\n")
            sys.stderr.flush()

    return report


def _gpu_json(gpu: GpuDevice) -> dict[str, object]:
    return {
        "name": gpu.name,
        "description": gpu.description,
        "free_bytes": gpu.free_bytes,
        "total_bytes": gpu.total_bytes,
    }


def _file_json(settings: Settings, path: Path, found: ModelCard | BotError) -> dict[str, object]:
    if isinstance(found, BotError):
        return {"path": str(path), "problem": str(found)}
    return {
        "path": str(path),
        "name": found.name,
        "quantization": found.quantization,
        "size_bytes": found.size_bytes,
        "in_use": _in_use(settings, path),
    }


def _info_json(card: ModelCard, needs: MemoryPlan, problem: str, pinned: str | None) -> dict[str, object]:
    return {
        "path": str(card.path),
        "name": card.name,
        "architecture": card.architecture,
        "layers": card.block_count,
        "parameters": card.parameters,
        "quantization": card.quantization,
        "context_length": card.context_length,
        "vocabulary_size": card.vocabulary_size,
        "chat_template": card.chat_template,
        "sampling": dict(card.sampling),
        "size_bytes": card.size_bytes,
        "pinned_sha256": pinned,
        "context": needs.context_cells,
        "kv_type": needs.kv_type,
        "weights_bytes": needs.weights_bytes,
        "kv_bytes": needs.kv_bytes,
        "compute_bytes": needs.compute_bytes,
        "gpu_layers": needs.gpu_layers,
        "tensor_split": list(needs.tensor_split),
        "fits": not problem,
        "problem": problem,
    }
