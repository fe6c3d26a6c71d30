"""Another embedding model: any embedding GGUF, through llama.cpp."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bot.errors import SettingsError
from bot.extras import installing
from knowledge.embeddings import FloatArray, PassageText, PassageVectors, join_passage, normalised

_MAX_WINDOW = 512  # longer windows blur what a passage is about and cost more than they bring
_HASHED_BYTES = 1 << 20


class GgufEmbedder:
    """An embedding model in a GGUF file; one text at a time, safe to call from several threads."""

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Load the model.

        Raises:
            SettingsError: If the file is no embedding model or the extra `llama` is not installed.
        """
        try:
            from llama_cpp import Llama
        except ImportError as error:
            raise SettingsError(
                f"LOCUS_EMBEDDING_MODEL needs the extra 'llama': install it with `{installing('llama')}`."
            ) from error
        if not path.is_file():
            raise SettingsError(f"LOCUS_EMBEDDING_MODEL is {path}, which is no file: check the spelling.")
        with path.open("rb") as file:
            head = file.read(_HASHED_BYTES)
        if head[:4] != b"GGUF":
            raise SettingsError(f"LOCUS_EMBEDDING_MODEL is {path}, which is not a GGUF model file.")
        try:
            self._llama = Llama(
                str(path),
                embedding=True,
                n_ctx=_MAX_WINDOW,
                n_batch=_MAX_WINDOW,
                n_ubatch=_MAX_WINDOW,
                n_threads=threads or os.cpu_count() or 1,
                verbose=False,
            )
        except (ValueError, RuntimeError) as error:
            raise SettingsError(f"LOCUS_EMBEDDING_MODEL is {path}, which llama.cpp cannot load: {error}.") from error
        self._lock = threading.Lock()
        digest = hashlib.sha256(head + str(path.stat().st_size).encode()).hexdigest()
        self._fingerprint = f"gguf:{digest[:12]}"
        self._window = min(_MAX_WINDOW, int(self._llama.n_ctx_train()) if hasattr(self._llama, "n_ctx_train") else 512)
        self._dim = int(self._llama.n_embd())

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def window(self) -> int:
        return self._window

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        with self._lock:
            return [len(self._llama.tokenize(text.encode(), add_bos=False, special=False)) for text in texts]

    def split_points(self, text: str, limit: int) -> list[int]:
        points: list[int] = []
        start = 0
        while self.count_tokens([text[start:]])[0] > limit:
            low, high = start + 1, len(text)
            while low < high:  # the longest piece that still fits
                middle = (low + high + 1) // 2
                if self.count_tokens([text[start:middle]])[0] <= limit:
                    low = middle
                else:
                    high = middle - 1
            points.append(low)
            start = low
        return points

    def embed_query(self, text: str) -> FloatArray:
        return self._embed(text[: self._window * 40])

    def embed_passages(self, passages: Sequence[PassageText]) -> list[PassageVectors]:
        vectors: list[PassageVectors] = []
        for passage in passages:
            text, _ = join_passage(passage)
            vectors.append(PassageVectors(self._embed(text), np.stack([self._embed(unit) for unit in passage.units])))
        return vectors

    def close(self) -> None:
        with self._lock:
            self._llama.close()

    def _embed(self, text: str) -> FloatArray:
        with self._lock:
            # llama.cpp aborts the process on a text longer than its batch: `truncate` cuts before.
            result = np.asarray(self._llama.embed(text, normalize=False, truncate=True), dtype=np.float32)
        pooled = result.mean(axis=0) if result.ndim == 2 else result  # models without pooling give one row per token
        return normalised(pooled)
