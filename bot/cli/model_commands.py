"""The commands of `locus model` and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from bot.cli.options import AsJson, DataDir, command_group, settings_of

model_app = command_group("Find, download, describe and quantize models.")


@model_app.command(name="list")
def model_list(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show recommended models by memory, and those in the data folder."""
    from bot.cli.models import list_models

    list_models(settings_of(data_dir), as_json=as_json)


@model_app.command(name="pull")
def model_pull(
    name: Annotated[str, typer.Argument(help="A name of `locus model list`, or a repository of Hugging Face.")],
    file: Annotated[str | None, typer.Argument(help="A .gguf file of the repository.")] = None,
    endpoint: Annotated[
        str, typer.Option("--endpoint", help="Hugging Face, or a mirror of it.")
    ] = "https://huggingface.co",
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="File that holds a token, for models that need one.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Download a model into the data folder; run again, it goes on where it stopped."""
    from bot.cli.models import pull

    pull(settings_of(data_dir), name, file, endpoint, token_file)


@model_app.command(name="info")
def model_info(
    path: Annotated[Path | None, typer.Argument(help="A .gguf file; without one, LOCUS_MODEL.")] = None,
    context: Annotated[
        int | None, typer.Option("--context", min=1, help="Tokens of the cache; by default LOCUS_MODEL_CONTEXT.")
    ] = None,
    kv_type: Annotated[Literal["f16", "q8_0"], typer.Option("--kv-type", help="Type of the cached values.")] = "f16",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show what a model is, what memory it needs, and whether it fits."""
    from bot.cli.models import show_info

    show_info(settings_of(data_dir), path, context, kv_type, as_json=as_json)


@model_app.command(name="quantize")
def model_quantize(
    source: Annotated[Path, typer.Argument(help="A .gguf file in F32, F16 or BF16.")],
    target_type: Annotated[str, typer.Argument(help="q8_0, q6_k, q5_k_m, q4_k_m, ...", metavar="TYPE")],
    output: Annotated[
        Path | None, typer.Option("--output", help="The file to make; by default in the data folder.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Quantize a quantized model further.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Make a smaller copy of a model with llama.cpp's quantizer."""
    from bot.cli.models import quantize

    quantize(settings_of(data_dir), source, target_type, output, again=again)


@model_app.command(name="confirm")
def model_confirm(
    path: Annotated[Path, typer.Argument(help="A .gguf file that was changed on purpose.")], data_dir: DataDir = None
) -> None:
    """Accept a model file as it is now."""
    from bot.cli.models import confirm

    confirm(settings_of(data_dir), path)
