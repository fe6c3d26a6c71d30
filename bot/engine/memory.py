"""What a model needs in memory, and how many of its layers fit on the GPUs: arithmetic only."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from bot.engine.devices import GpuDevice
from bot.engine.model_file import ModelCard
from bot.errors import SettingsError

KvType = Literal["f16", "q8_0"]

MAIN_MEMORY = "main memory"
# Bytes of one cached value; q8_0 stores 32 values in 34 bytes (ggml-common.h, block_q8_0).
_BYTES_PER_VALUE: dict[KvType, float] = {"f16": 2.0, "q8_0": 34 / 32}
UBATCH = 512  # tokens llama.cpp computes at once (n_ubatch, its default)
# Vectors of a token alive at once; measured on llama.cpp 0.3.36 (compute buffer of llama-shaped models, CPU).
_LIVE_VECTORS = 8
# Left free: on a GPU for its driver and fragmentation, in main memory for the rest of Locus and the system.
_GPU_MARGIN = 512 * 1024**2
_RAM_MARGIN = 256 * 1024**2
_ROUND_CELLS = 256  # llama.cpp pads the cache to this


@dataclass(frozen=True, slots=True)
class Pool:
    """One memory, in bytes: what the model needs, what is free beyond a reserve, and what one more token takes."""

    name: str
    needed_bytes: int
    free_bytes: int
    cell_bytes: float = 0.0

    @property
    def fits(self) -> bool:
        """Whether it is enough."""
        return self.needed_bytes <= self.free_bytes


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Where a model goes.

    Attributes:
        weights_bytes: All weights, with the copy of a shared embedding on a GPU.
        kv_bytes: The cache of keys and values.
        compute_bytes: Buffers of the computation, on every device together.
        context_cells: Tokens the cache holds.
        kv_type: Type of its values.
        gpu_layers: For llama.cpp's `n_gpu_layers`: layers on GPUs, the output counted as one more.
        layer_count: Layers of the model, the output counted as one more.
        tensor_split: Share of each GPU, together 1; () without a GPU.
        pools: Main memory, then each GPU.
        flash_attention: Whether the attention is computed in pieces; else all its products are held at once.
        ubatch: Tokens computed at once.
    """

    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    context_cells: int
    kv_type: KvType
    gpu_layers: int
    layer_count: int
    tensor_split: tuple[float, ...]
    pools: tuple[Pool, ...]
    flash_attention: bool = True
    ubatch: int = UBATCH

    @property
    def needed_bytes(self) -> int:
        """Bytes of all memories together."""
        return self.weights_bytes + self.kv_bytes + self.compute_bytes

    def describe(self) -> str:
        """Return one line for people: what it costs, how many layers are on a GPU, and what each memory holds."""
        where = "; ".join(
            f"{pool.name} {shown_size(pool.needed_bytes)} of {shown_size(pool.free_bytes)} free" for pool in self.pools
        )
        layers = f"{self.gpu_layers} of {self.layer_count} layers on the GPU" if self.tensor_split else "on the CPU"
        return f"{layers}, {shown_size(self.needed_bytes)} ({_parts(self)}): {where}"


@dataclass(frozen=True, slots=True)
class _Compute:
    """How the attention is computed."""

    flash_attention: bool
    ubatch: int

    def bytes_per_cell(self, card: ModelCard) -> float:
        """The mask (f16), or without flash attention mask and products of all heads (f32), for one cell."""
        return 2.0 * self.ubatch if self.flash_attention else 4.0 * self.ubatch * (1 + card.head_count)


def shown_size(size_bytes: float) -> str:
    """Return a size as people read it: "512 MiB", "4.7 GiB"."""
    gibibytes = size_bytes / 1024**3
    return f"{gibibytes:,.1f} GiB" if gibibytes >= 0.95 else f"{size_bytes / 1024**2:,.0f} MiB"


def kv_bytes_per_cell(card: ModelCard, kv_type: KvType) -> tuple[float, ...]:
    """Return, per layer, the bytes one token takes in the cache: its keys and values of all cached heads.

    An upper bound for models whose layers see only a window of the last tokens.
    """
    width = card.key_length + card.value_length
    return tuple(heads * width * _BYTES_PER_VALUE[kv_type] for heads in card.head_counts_kv)


def plan_memory(
    card: ModelCard,
    *,
    context_cells: int,
    kv_type: KvType = "f16",
    gpu_layers: Literal["auto"] | int = "auto",
    devices: Sequence[GpuDevice] = (),
    free_ram: int,
    tensor_split: Sequence[float] = (),
    flash_attention: bool = True,
    ubatch: int = UBATCH,
) -> MemoryPlan:
    """Decide how many layers go on the GPUs, and check that everything fits.

    Layers are spread as llama.cpp does it (`load_tensors` in llama-model.cpp): the last `gpu_layers` of all layers and
    the output, in order over the GPUs by their shares. The input embedding stays in main memory.

    Args:
        card: The model.
        context_cells: Tokens the cache holds, of all conversations together.
        kv_type: Type of the cached values; llama.cpp needs flash attention for "q8_0".
        gpu_layers: "auto" for as many as fit, -1 for all, or a number; 0 is none.
        devices: The GPUs.
        free_ram: Bytes of free main memory.
        tensor_split: Share of each GPU, in any unit; () means by their free memory.
        flash_attention: Whether the attention is computed in pieces.
        ubatch: Tokens computed at once.

    Raises:
        SettingsError: If it does not fit, with what is needed and free and which settings to change; if layers are
            wanted on a GPU and there is none; or if the shares do not match the GPUs.
    """
    layer_count = card.block_count + 1
    shares = _shares(devices, tensor_split)
    compute = _Compute(flash_attention, ubatch)
    if not devices:
        if gpu_layers not in ("auto", 0, -1):
            raise SettingsError(
                f"LOCUS_GPU_LAYERS is {gpu_layers}, but llama.cpp finds no GPU: set it to auto, or install a build of "
                "llama-cpp-python for your GPU."
            )
        plan = _place(card, 0, context_cells, kv_type, devices, shares, free_ram, compute)
    elif gpu_layers == "auto":
        plans = (
            _place(card, count, context_cells, kv_type, devices, shares, free_ram, compute)
            for count in range(layer_count, -1, -1)
        )
        plan = next(one for one in plans if one.gpu_layers == 0 or all(pool.fits for pool in one.pools[1:]))
    else:
        wanted = layer_count if gpu_layers < 0 else min(gpu_layers, layer_count)
        plan = _place(card, wanted, context_cells, kv_type, devices, shares, free_ram, compute)
    for pool in plan.pools:
        if not pool.fits:
            raise SettingsError(_does_not_fit(card, plan, pool, automatic=gpu_layers == "auto" or not devices))
    return plan


def _shares(devices: Sequence[GpuDevice], wanted: Sequence[float]) -> tuple[float, ...]:
    if wanted and (len(wanted) != len(devices) or min(wanted) < 0 or sum(wanted) <= 0):
        raise SettingsError(
            f"LOCUS_TENSOR_SPLIT gives {len(wanted)} shares for {len(devices)} GPUs: give one share, 0 or more, for "
            "each, or leave it empty."
        )
    amounts = list(wanted) or [float(max(0, one.free_bytes - _GPU_MARGIN)) for one in devices]
    if devices and sum(amounts) <= 0:
        amounts = [1.0] * len(devices)
    return tuple(amount / sum(amounts) for amount in amounts)


def _place(
    card: ModelCard,
    gpu_layers: int,
    cells: int,
    kv_type: KvType,
    devices: Sequence[GpuDevice],
    shares: tuple[float, ...],
    free_ram: int,
    computing: _Compute,
) -> MemoryPlan:
    """Return what every memory holds with a number of layers on the GPUs."""
    padded = -(-cells // _ROUND_CELLS) * _ROUND_CELLS
    kv = kv_bytes_per_cell(card, kv_type) or (0.0,) * card.block_count
    # What grows with the cells, the logits (f32) and the vectors under way (f32).
    mask_per_cell = computing.bytes_per_cell(card)
    buffers = 4 * computing.ubatch * (card.vocabulary_size + _LIVE_VECTORS * card.embedding_length)
    compute = int(mask_per_cell * padded) + buffers
    weights, cell = [0] * (len(devices) + 1), [0.0] * (len(devices) + 1)
    limits = list(accumulate(shares))[:-1]
    first = card.block_count + 1 - gpu_layers
    for layer in range(card.block_count + 1):
        place = 0 if layer < first else 1 + bisect.bisect_right(limits, (layer - first) / gpu_layers)
        weights[place] += card.output_bytes if layer == card.block_count else card.layer_bytes[layer]
        cell[place] += 0.0 if layer == card.block_count else kv[layer]
    # An embedding that is also the output is one tensor where both are in main memory.
    weights[0] += 0 if card.ties_embedding and gpu_layers == 0 else card.embedding_bytes
    used = [bool(weights[place] or place == 0) for place in range(len(weights))]
    needed = [int(weights[n] + cell[n] * padded + (compute if used[n] else 0)) for n in range(len(weights))]
    shared = sum(amount for amount, one in zip(needed[1:], devices, strict=True) if one.shares_main_memory)
    pools = [Pool(MAIN_MEMORY, needed[0] + shared, max(0, free_ram - _RAM_MARGIN), cell[0] + mask_per_cell)]
    for n, one in enumerate(devices, start=1):
        pools.append(Pool(one.name, needed[n], max(0, one.free_bytes - _GPU_MARGIN), cell[n] + mask_per_cell))
    return MemoryPlan(
        weights_bytes=sum(weights),
        kv_bytes=int(sum(cell) * padded),
        compute_bytes=compute * sum(used),
        context_cells=cells,
        kv_type=kv_type,
        gpu_layers=gpu_layers,
        layer_count=card.block_count + 1,
        tensor_split=shares,
        pools=tuple(pools),
        flash_attention=computing.flash_attention,
        ubatch=computing.ubatch,
    )


def _parts(plan: MemoryPlan) -> str:
    return (
        f"weights {shown_size(plan.weights_bytes)}, cache of {plan.context_cells:,} tokens in {plan.kv_type} "
        f"{shown_size(plan.kv_bytes)}, buffers {shown_size(plan.compute_bytes)}"
    )


def _does_not_fit(card: ModelCard, plan: MemoryPlan, pool: Pool, *, automatic: bool) -> str:
    excess = pool.needed_bytes - pool.free_bytes
    largest = int(plan.context_cells - excess / pool.cell_bytes) // _ROUND_CELLS * _ROUND_CELLS
    advice = ["" if automatic else "set LOCUS_GPU_LAYERS to auto"]
    if largest >= 512:
        advice.append(
            f"set LOCUS_MODEL_CACHE_TOKENS, and LOCUS_MODEL_CONTEXT where it is larger, to at most {largest:,}"
        )
    if plan.kv_type == "f16":
        advice.append("set LOCUS_MODEL_KV_TYPE to q8_0")
    advice.append("take a smaller model or a smaller quantization of it")
    return (
        f"LOCUS_MODEL is {card.path}, which needs {shown_size(pool.needed_bytes)} of {pool.name} and "
        f"{shown_size(pool.free_bytes)} is free ({_parts(plan)}): {', or '.join(one for one in advice if one)}."
    )
