"""The language model the settings name: a local GGUF file, an endpoint elsewhere, or one behind the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bot.engine.options import EngineOptions
from bot.errors import SettingsError
from bot.extras import installing
from bot.generation import Sampling
from bot.ports import LanguageModel
from bot.settings import Settings

Progress = Callable[[float], None]


@asynccontextmanager
async def open_language_model(settings: Settings, progress: Progress) -> AsyncIterator[LanguageModel | None]:
    """Open the model; None where none is set. Closed on leaving.

    Args:
        settings: What to open.
        progress: Told the loaded share of a local model, 0 to 1.

    Raises:
        SettingsError: If a setting is wrong, the extra `llama` is missing, or the model does not load or fit.
        UnavailableError: If the model's process died.
    """
    async with AsyncExitStack() as stack:
        local: LanguageModel | None = None
        if settings.model is not None:
            local = await _open_local(settings, settings.model, progress)
            stack.push_async_callback(local.close)
        if settings.remote_url is None:
            yield local
            return
        from bot.engine.fallback import FallbackModel
        from bot.engine.remote import RemoteModel, RemotePatience

        remote = RemoteModel(
            settings.remote_url,
            model=settings.remote_model,
            key=settings.remote_key,
            context=settings.model_context,
            patience=RemotePatience(first_token_s=settings.remote_timeout_s),
        )
        stack.push_async_callback(remote.close)
        yield FallbackModel(remote, local) if local is not None else remote


async def _open_local(settings: Settings, path: Path, progress: Progress) -> LanguageModel:
    # llama.cpp itself is loaded in the model's own process only.
    from importlib.util import find_spec

    from bot.engine.pins import pins_path
    from bot.engine.supervisor import open_model

    if find_spec("llama_cpp") is None:
        raise SettingsError(f"LOCUS_MODEL needs the extra 'llama': install it with `{installing('llama')}`.")
    return await open_model(
        engine_options(settings, path),
        pins_file=pins_path(settings.data_dir),
        hang_s=settings.model_hang_s,
        progress=progress,
    )


def engine_options(settings: Settings, path: Path) -> EngineOptions:
    """Return the settings as the engine takes them.

    Raises:
        SettingsError: If a LoRA adapter is missing or its scale is no number.
    """
    return EngineOptions(
        path=path.expanduser().absolute(),
        context=settings.model_context,
        cache_tokens=settings.model_cache_tokens,
        parallel=settings.model_parallel,
        queue_length=settings.model_queue,
        threads=settings.model_threads,
        gpu_layers=settings.gpu_layers,
        tensor_split=tuple(float(share) for share in settings.tensor_split),
        flash_attention=settings.flash_attention,
        kv_type=settings.model_kv_type,
        loras=tuple(_lora(text) for text in settings.lora),
    )


def _lora(text: str) -> tuple[Path, float]:
    name, colon, scale = text.rpartition(":")
    path = Path(name if colon else text).expanduser().absolute()
    try:
        weight = float(scale) if colon else 1.0
    except ValueError as error:
        raise SettingsError(f"LOCUS_LORA has {text!r}: give it as PATH or PATH:SCALE, such as lab.gguf:0.8.") from error
    if not path.is_file():
        raise SettingsError(f"LOCUS_LORA names {path}, which is no file: check the spelling.")
    return path, weight


def sampling(settings: Settings) -> Sampling:
    """Return how answers are sampled; None leaves it to the model's file."""
    return Sampling(
        temperature=settings.model_temperature,
        top_k=settings.model_top_k,
        top_p=settings.model_top_p,
        min_p=settings.model_min_p,
        repetition_penalty=settings.model_repetition_penalty,
        seed=settings.model_seed,
        max_tokens=settings.model_max_tokens,
    )
