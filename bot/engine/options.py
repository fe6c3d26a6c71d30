"""How the local model is run, as plain values that travel to its process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Everything the model's process is told.

    Attributes:
        path: The GGUF file.
        context: Tokens of prompt and answer of one request.
        cache_tokens: Tokens of all requests and kept conversations together; 0 chooses from `context` and memory.
        parallel: Requests that run at once, 1 to 64.
        queue_length: Requests that may wait beyond those that run.
        threads: CPU threads; 0 means one per core.
        gpu_layers: Layers on GPUs, or "auto" for as many as fit.
        tensor_split: Share of each GPU, in any unit; () means by their free memory.
        flash_attention: "auto", "on" or "off".
        kv_type: Type of the cached keys and values.
        loras: LoRA adapters, each with its scale.
        amx: Whether the processor's matrix tiles may be used.
    """

    path: Path
    context: int = 4096
    cache_tokens: int = 0
    parallel: int = 16
    queue_length: int = 64
    threads: int = 0
    gpu_layers: Literal["auto"] | int = "auto"
    tensor_split: tuple[float, ...] = ()
    flash_attention: Literal["auto", "on", "off"] = "auto"
    kv_type: Literal["f16", "q8_0"] = "f16"
    loras: tuple[tuple[Path, float], ...] = ()
    amx: bool = True


OPTIONS = TypeAdapter(EngineOptions)
