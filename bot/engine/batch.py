"""The tokens of one decode, in arrays of our own that llama.cpp reads."""

from __future__ import annotations

import ctypes
from typing import Any

import llama_cpp as lib
import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int32]


class Batch:
    """Tokens of one decode, each for one sequence."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.filled = 0
        self._tokens = np.zeros(size, dtype=np.int32)
        self._positions = np.zeros(size, dtype=np.int32)
        self._counts = np.ones(size, dtype=np.int32)
        self._sequences = np.zeros(size, dtype=np.int32)
        self._wanted = np.zeros(size, dtype=np.int8)
        base = self._sequences.ctypes.data
        self._rows = np.arange(base, base + 4 * size, 4, dtype=np.uint64)  # a pointer to each sequence number
        self.struct = lib.llama_batch()
        for name, array in (
            ("token", self._tokens), ("pos", self._positions), ("n_seq_id", self._counts),
            ("seq_id", self._rows), ("logits", self._wanted),
        ):  # fmt: skip
            field: Any = next(kind for key, kind, *_ in lib.llama_batch._fields_ if key == name)
            setattr(self.struct, name, ctypes.cast(array.ctypes.data, field))

    @property
    def room(self) -> int:
        """Tokens that still fit."""
        return self.size - self.filled

    def add(self, sequence: int, tokens: Tokens | int, position: int, *, want_last: bool) -> int:
        """Append tokens of a sequence and return the index of the last one; `want_last` asks for its logits."""
        begin, count = self.filled, 1 if isinstance(tokens, int) else len(tokens)
        end = begin + count
        self._tokens[begin:end] = tokens
        self._positions[begin:end] = np.arange(position, position + count)
        self._sequences[begin:end] = sequence
        self._wanted[begin:end] = 0
        self._wanted[end - 1] = want_last
        self.filled = self.struct.n_tokens = end
        return end - 1

    def clear(self) -> None:
        """Begin anew."""
        self.filled = self.struct.n_tokens = 0
