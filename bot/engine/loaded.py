"""A loaded model with all that belongs to it: template, tool format, defaults; requests in, jobs out."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from bot.engine.devices import free_memory, installed_gpu_devices
from bot.engine.grammars import token_grammar
from bot.engine.jobs import Job
from bot.engine.llama import LlamaContext, LoadOptions
from bot.engine.memory import MemoryPlan, kv_bytes_per_cell, plan_memory
from bot.engine.model_file import ModelCard, model_card
from bot.engine.options import EngineOptions
from bot.engine.output_parser import OutputParser
from bot.engine.prompting import make_prompt
from bot.engine.templates import ChatTemplate
from bot.engine.writer import TextWriter
from bot.errors import SettingsError
from bot.generation import DEFAULT_SAMPLING, GenerationRequest, Sampling

KEPT_CONVERSATIONS = 32  # beside those that run
CACHE_SHARE = 0.25  # of the free memory that the cache takes when its size is left to us
MAX_CACHE_CONTEXTS = 4  # and at most this many full contexts
GPU_BATCH, CPU_BATCH = 2048, 512  # most tokens of one decode
# Without flash attention: small, because the products of all heads are held for so many tokens at once.
CPU_UBATCH = 128
PARKING_SHARE = 0.1  # of the free memory for conversations set aside (`bot.engine.parking`)
MAX_PARKING = 2 * 1024**3
_WARM_TOKENS = 64

Value = TypeVar("Value", int, float)


@dataclass(slots=True)
class LoadedModel:
    """A model ready to be asked.

    Attributes:
        context: llama.cpp's side; closed by the owner.
        card: What the file's header says.
        template: Its chat template.
        plan: Where it lies in memory.
        limit: Tokens of prompt and answer of one request.
        defaults: Sampling without None, from the file and ours.
    """

    context: LlamaContext
    card: ModelCard
    template: ChatTemplate
    plan: MemoryPlan
    limit: int
    defaults: Sampling

    def job(self, number: int, request: GenerationRequest, deadline_s: float) -> Job:
        """Return the job of a request.

        Raises:
            InvalidRequestError: If it does not fit, or its grammar or tools are wrong.
        """
        sampling = resolve(request.sampling, self.defaults)
        prompt = make_prompt(self.context, self.template, request, limit=self.limit, max_tokens=sampling.max_tokens)
        thinks = request.thinking and (prompt.opens_thinking or self.template.thinks)
        grammar = token_grammar(request, self.template.format, thinks=thinks)
        tools = request.tools if request.tool_choice != "none" else ()
        parser = OutputParser(self.template.format, tools, starts_thinking=prompt.opens_thinking)
        return Job(
            number,
            request.user,
            request.conversation,
            prompt.tokens,
            replace(sampling, max_tokens=prompt.room),
            grammar,
            TextWriter(parser, sampling.stop),
            time.monotonic() + deadline_s,
            prompt.dropped_turns,
        )


def load_model(options: EngineOptions, progress: Callable[[float], None]) -> LoadedModel:
    """Load a model; blocks for as long as that takes.

    Raises:
        SettingsError: If the file is damaged, does not fit into memory, or llama.cpp cannot load it.
    """
    card = model_card(options.path)
    limit = _limit(card, options)
    plan = plan_model(options)
    for adapter, _ in options.loras:
        _check_adapter(adapter)
    context = LlamaContext(
        LoadOptions(
            options.path,
            cells=plan.context_cells,
            sequences=options.parallel + KEPT_CONVERSATIONS,
            batch=GPU_BATCH if plan.gpu_layers else CPU_BATCH,
            ubatch=plan.ubatch,
            threads=options.threads or os.cpu_count() or 1,
            gpu_layers=plan.gpu_layers,
            tensor_split=plan.tensor_split,
            flash_attention="on" if plan.flash_attention else "off",
            kv_type=options.kv_type,
            loras=options.loras,
            parking_bytes=0 if plan.gpu_layers else min(MAX_PARKING, int(free_memory() * PARKING_SHARE)),
        ),
        progress,
    )
    template = ChatTemplate(
        card.chat_template or None,
        bos=context.token_text("bos"),
        eos=context.token_text("eos"),
        architecture=card.architecture,
        special_tokens=context.special_tokens(),
    )
    return LoadedModel(context, card, template, plan, min(limit, context.cells), file_defaults(card))


def _check_adapter(path: Path) -> None:
    """Look at an adapter's header before llama.cpp does."""
    try:
        model_card(path)
    except SettingsError as error:
        raise SettingsError(str(error).replace("LOCUS_MODEL is", "LOCUS_LORA names", 1)) from error


def plan_model(options: EngineOptions) -> MemoryPlan:
    """Return where a model would go on this machine as it is now.

    Raises:
        SettingsError: If the file is damaged or does not fit.
    """
    card = model_card(options.path)
    devices = installed_gpu_devices()
    free_ram = free_memory()
    free = free_ram + sum(one.free_bytes for one in devices)
    planned = functools.partial(
        plan_memory,
        card,
        context_cells=options.cache_tokens or _cache_tokens(card, options, _limit(card, options), free),
        kv_type=options.kv_type,
        gpu_layers=options.gpu_layers,
        devices=devices,
        free_ram=free_ram,
        tensor_split=options.tensor_split,
    )
    # llama.cpp caches values as q8_0 with flash attention only.
    if options.flash_attention == "off" and options.kv_type == "f16":
        return planned(flash_attention=False, ubatch=CPU_UBATCH)
    plan = planned()
    if options.flash_attention == "auto" and options.kv_type == "f16" and plan.gpu_layers == 0:
        # On a CPU, writing several answers at once is faster without it (decision 0005).
        with contextlib.suppress(SettingsError):
            return planned(flash_attention=False, ubatch=CPU_UBATCH)
    return plan


def _limit(card: ModelCard, options: EngineOptions) -> int:
    return min(options.context, card.context_length or options.context)


def warm(context: LlamaContext) -> None:
    """Compute a few tokens and forget them: memory is touched, and what would crash crashes before anybody asks."""
    tokens = context.tokenize("x " * _WARM_TOKENS, special=False)[:_WARM_TOKENS]
    for part in (tokens, tokens[:1]):
        context.batch.add(0, part, 0, want_last=True)
        context.decode()
        context.cut_sequence(0, 0)


def file_defaults(card: ModelCard) -> Sampling:
    """Return the sampling a model's file recommends (`general.sampling.*`), ours where it says nothing."""
    given, ours = card.sampling, DEFAULT_SAMPLING
    return replace(
        ours,
        temperature=given.get("temp", ours.temperature),
        top_k=int(given["top_k"]) if "top_k" in given else ours.top_k,
        top_p=given.get("top_p", ours.top_p),
        min_p=given.get("min_p", ours.min_p),
        repetition_penalty=given.get("penalty_repeat", ours.repetition_penalty),
    )


def resolve(asked: Sampling, defaults: Sampling) -> Sampling:
    """Return a sampling without None."""
    return replace(
        asked,
        temperature=_or(asked.temperature, defaults.temperature),
        top_k=_or(asked.top_k, defaults.top_k),
        top_p=_or(asked.top_p, defaults.top_p),
        min_p=_or(asked.min_p, defaults.min_p),
        repetition_penalty=_or(asked.repetition_penalty, defaults.repetition_penalty),
    )


def _or(asked: Value | None, default: Value | None) -> Value | None:
    return default if asked is None else asked


def _cache_tokens(card: ModelCard, options: EngineOptions, limit: int, free_bytes: int) -> int:
    """Cells of the cache where no number is set: several full contexts, as far as memory goes, never less than one."""
    per_cell = sum(kv_bytes_per_cell(card, options.kv_type)) or 1
    fitting = int(free_bytes * CACHE_SHARE / per_cell)
    return max(limit, min(limit * min(MAX_CACHE_CONTEXTS, options.parallel), fitting))
