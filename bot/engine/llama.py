"""llama.cpp's low-level interface with types: one model, one context, many sequences in one unified KV cache.

Nothing here is safe for two threads, except that `tokenize` and `piece` only read the vocabulary.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import llama_cpp as lib
import numpy as np

from bot.engine.batch import Batch, Tokens
from bot.engine.llama_log import last_log, send_log_to_python
from bot.errors import SettingsError, UnavailableError

KvType = Literal["f16", "q8_0"]
MAX_SEQUENCES = 256  # LLAMA_MAX_SEQ in llama.cpp's llama-cparams.h
_KV_TYPES = {"f16": lib.GGML_TYPE_F16, "q8_0": lib.GGML_TYPE_Q8_0}
_FLASH = {
    "auto": lib.LLAMA_FLASH_ATTN_TYPE_AUTO,
    "on": lib.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    "off": lib.LLAMA_FLASH_ATTN_TYPE_DISABLED,
}
_PIECE_BYTES = 256


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How a model is loaded.

    Attributes:
        path: The GGUF file.
        cells: Tokens of all sequences together that the KV cache holds.
        sequences: Sequences the cache may hold at once, running and kept, 1 to `MAX_SEQUENCES`.
        batch: Most tokens of one decode.
        ubatch: Tokens computed at once.
        threads: CPU threads.
        gpu_layers: Layers on the GPU.
        tensor_split: Share of each GPU; () leaves it to llama.cpp.
        flash_attention: "auto", "on" or "off".
        kv_type: Type of the cached keys and values.
        loras: LoRA adapters, each with its scale.
        parking_bytes: Main memory for conversations set aside; 0 leaves them in the cache.
    """

    path: Path
    cells: int
    sequences: int
    batch: int = 512
    ubatch: int = 512
    threads: int = 1
    gpu_layers: int = 0
    tensor_split: tuple[float, ...] = ()
    flash_attention: Literal["auto", "on", "off"] = "auto"
    kv_type: KvType = "f16"
    loras: tuple[tuple[Path, float], ...] = ()
    parking_bytes: int = 0


class LlamaContext:
    """A loaded model and its context."""

    def __init__(self, options: LoadOptions, progress: Callable[[float], None] | None = None) -> None:
        """Load; blocks for as long as that takes.

        Args:
            options: What and how.
            progress: Told the loaded share, 0 to 1, from this thread.

        Raises:
            SettingsError: If llama.cpp cannot load the model or an adapter, or make the context.
        """
        send_log_to_python()
        lib.llama_backend_init()
        self._model = 0
        self._context = 0
        self._adapters: list[ctypes._Pointer[ctypes.c_void_p]] = []
        try:
            self._model = _load_model(options, progress)
            self._context = self._make_context(options)
            self._apply(options.loras)
        except BaseException:
            self.close()
            raise
        self.options = options
        self._vocab: int = lib.llama_model_get_vocab(self._model)
        self._memory: int = lib.llama_get_memory(self._context)
        self.vocabulary = int(lib.llama_vocab_n_tokens(self._vocab))
        # A recurrent state cannot be cut or shared at a position in its middle.
        self.divisible = not (lib.llama_model_is_recurrent(self._model) or lib.llama_model_is_hybrid(self._model))
        self.cells = int(lib.llama_n_ctx(self._context))
        self.batch = Batch(options.batch)
        self._piece = ctypes.create_string_buffer(_PIECE_BYTES)

    def _make_context(self, options: LoadOptions) -> int:
        params = lib.llama_context_default_params()
        params.n_ctx = options.cells
        params.n_batch = options.batch
        params.n_ubatch = min(options.batch, options.ubatch)
        params.n_seq_max = options.sequences
        params.n_threads = params.n_threads_batch = options.threads
        params.kv_unified = True
        params.swa_full = True  # without it a sliding-window model cannot return to a cached prefix
        params.flash_attn_type = _FLASH[options.flash_attention]
        params.type_k = params.type_v = _KV_TYPES[options.kv_type]
        params.no_perf = True
        context: int | None = lib.llama_init_from_model(self._model, params)
        if not context:
            raise SettingsError(
                f"llama.cpp cannot make a context of {options.cells:,} tokens with KV type {options.kv_type} for "
                f"{options.path}: set a smaller LOCUS_MODEL_CACHE_TOKENS, or LOCUS_MODEL_KV_TYPE=f16."
            )
        return context

    def _apply(self, loras: Sequence[tuple[Path, float]]) -> None:
        for path, _ in loras:
            adapter = lib.llama_adapter_lora_init(self._model, str(path).encode())
            if not adapter:
                raise SettingsError(f"LOCUS_LORA names {path}, which is no LoRA adapter (GGUF) for this model.")
            self._adapters.append(adapter)
        if self._adapters:
            count = len(self._adapters)
            adapters = (lib.llama_adapter_lora_p_ctypes * count)(*self._adapters)
            scales = (ctypes.c_float * count)(*(scale for _, scale in loras))
            if lib.llama_set_adapters_lora(self._context, adapters, count, scales) != 0:
                raise SettingsError("LOCUS_LORA: llama.cpp cannot apply the adapters to this model.")

    # Vocabulary

    def tokenize(self, text: str, *, special: bool) -> Tokens:
        """Return the tokens of a text, without a beginning-of-text token; `special` reads control tokens as such."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        while True:
            tokens = (lib.llama_token * room)()
            count = int(lib.llama_tokenize(self._vocab, data, len(data), tokens, room, False, special))
            if count >= 0:
                return np.array(tokens[:count], dtype=np.int32)
            room = -count

    def piece(self, token: int) -> bytes:
        """Return the bytes of one token; control tokens as their text."""
        count = int(lib.llama_token_to_piece(self._vocab, token, self._piece, _PIECE_BYTES, 0, True))
        if count < 0:
            longer = ctypes.create_string_buffer(-count)
            count = int(lib.llama_token_to_piece(self._vocab, token, longer, -count, 0, True))
            return longer.raw[:count]
        return self._piece.raw[:count]

    def ends(self, token: int) -> bool:
        """True for a token that ends a text."""
        return bool(lib.llama_vocab_is_eog(self._vocab, token))

    def begin_token(self) -> int | None:
        """The token a prompt of this model begins with, where it wants one."""
        token = int(lib.llama_vocab_bos(self._vocab))
        return token if token >= 0 and lib.llama_vocab_get_add_bos(self._vocab) else None

    def token_text(self, which: Literal["bos", "eos"]) -> str:
        """The text of the beginning or end token, "" where there is none."""
        token = int(lib.llama_vocab_bos(self._vocab) if which == "bos" else lib.llama_vocab_eos(self._vocab))
        text = lib.llama_vocab_get_text(self._vocab, token) if token >= 0 else None
        return text.decode("utf-8", "replace") if text else ""

    def special_tokens(self) -> frozenset[str]:
        """Texts of all control and user-defined tokens."""
        marked = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_USER_DEFINED
        found = set[str]()
        for token in range(self.vocabulary):
            if lib.llama_vocab_get_attr(self._vocab, token) & marked:
                text = lib.llama_vocab_get_text(self._vocab, token)
                found.add(text.decode("utf-8", "replace") if text else "")
        return frozenset(found - {""})

    # Sequences

    def copy_sequence(self, source: int, target: int, length: int) -> None:
        """Let `target` share the first `length` tokens of `source`; no data is copied."""
        lib.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def cut_sequence(self, sequence: int, length: int) -> None:
        """Keep only the first `length` tokens of a sequence; 0 removes it.

        Raises:
            UnavailableError: If the model's memory cannot be cut there.
        """
        if not lib.llama_memory_seq_rm(self._memory, sequence, length, -1):
            raise UnavailableError("llama.cpp could not cut a sequence: the model is started again.")

    def save_sequence(self, sequence: int) -> bytes:
        """Return a copy of a sequence's keys and values."""
        size = int(lib.llama_state_seq_get_size(self._context, sequence))
        data = (ctypes.c_uint8 * size)()
        return bytes(memoryview(data)[: int(lib.llama_state_seq_get_data(self._context, data, size, sequence))])

    def restore_sequence(self, sequence: int, state: bytes) -> bool:
        """Put a saved sequence into an empty one; False if the cells do not suffice."""
        data = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        return int(lib.llama_state_seq_set_data(self._context, data, len(state), sequence)) > 0

    def decode(self) -> int:
        """Compute the batch and empty it; 0 is success, 1 means that no cells were free."""
        code = int(lib.llama_decode(self._context, self.batch.struct))
        lib.llama_synchronize(self._context)
        self.batch.clear()
        return code

    @property
    def pointer(self) -> int:
        """llama.cpp's context, for samplers."""
        return self._context

    @property
    def vocabulary_pointer(self) -> int:
        """llama.cpp's vocabulary, for grammars."""
        return self._vocab

    def close(self) -> None:
        """Free context, adapters and model; safe to call twice."""
        if self._context:
            lib.llama_free(self._context)
            self._context = 0
        for adapter in self._adapters:
            lib.llama_adapter_lora_free(adapter)
        self._adapters.clear()
        if self._model:
            lib.llama_model_free(self._model)
            self._model = 0


def _load_model(options: LoadOptions, progress: Callable[[float], None] | None) -> int:
    params = lib.llama_model_default_params()
    params.n_gpu_layers = options.gpu_layers
    split = (ctypes.c_float * int(lib.llama_max_devices()))(*options.tensor_split)
    if options.tensor_split:
        params.tensor_split = split

    @lib.llama_progress_callback  # type: ignore[untyped-decorator]
    def report(share: float, _data: ctypes.c_void_p) -> bool:
        if progress is not None:
            progress(share)
        return True

    params.progress_callback = report
    model: int | None = lib.llama_model_load_from_file(str(options.path).encode(), params)
    if not model:
        raise SettingsError(
            f"llama.cpp cannot load {options.path} ({last_log() or 'it gave no reason'}): download it again, or choose "
            "a model that this version of llama.cpp knows."
        )
    return model
