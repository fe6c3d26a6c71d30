"""Reading the header of a GGUF file with bounds on every count and length.

A model file is untrusted input (CVE-2025-53630, CVE-2026-27940 were reached by crafted headers), so the header is read
here before llama.cpp's own parser sees the file.

Source of the layout and of the block sizes: the GGUF specification of ggml (docs/gguf.md) and ggml-common.h.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_TENSORS = 100_000
MAX_KEYS = 100_000
MAX_STRING_BYTES = 16 * 1024 * 1024  # chat templates are kilobytes, merges of tokenizers are arrays
MAX_ARRAY = 20_000_000
MAX_KEPT = 1024  # longer arrays are a tokenizer's, of which only the length matters
MAX_DIMENSIONS = 8
DEFAULT_ALIGNMENT = 32

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
# ggml type -> (values per block, bytes per block)
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18),
}  # fmt: skip

Scalar = int | float | bool | str


@dataclass(frozen=True, slots=True)
class Array:
    """An array of the metadata; `values` is empty where it is long, or holds strings or arrays."""

    length: int
    values: tuple[int | float, ...] = ()


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a tensor lies: `offset` from the start of the data and `size`, in bytes; `kind` is its ggml type."""

    name: str
    kind: int
    elements: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Header:
    """A whole header.

    Attributes:
        metadata: Keys as they stand in the file.
        tensors: In the order of the file.
        end: Position after the last tensor's last byte, which the file must reach.
    """

    metadata: Mapping[str, Scalar | Array]
    tensors: tuple[Tensor, ...]
    end: int

    def number(self, key: str) -> int | None:
        """Return a whole number of the metadata, or None where there is none under this key."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


class _Reader:
    """Reads values with bounds."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def exactly(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def skip(self, count: int) -> None:
        while count > 0:
            count -= len(self.exactly(min(count, MAX_STRING_BYTES)))

    def number(self, form: str) -> int | float | bool:
        value: int | float | bool = struct.unpack(form, self.exactly(struct.calcsize(form)))[0]
        return value

    def count(self, largest: int) -> int:
        value = int(self.number("<Q"))
        if value > largest:
            raise ValueError(f"a count of {value:,}")
        return value

    def string(self) -> str:
        return self.exactly(self.count(MAX_STRING_BYTES)).decode("utf-8", errors="replace")

    def value(self) -> Scalar | Array:
        kind = int(self.number("<I"))
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self._array(depth=0)
        return self.number(self._form(kind))

    def _array(self, *, depth: int) -> Array:
        inner = int(self.number("<I"))
        length = self.count(MAX_ARRAY)
        if inner == _STRING:
            for _ in range(length):
                self.skip(self.count(MAX_STRING_BYTES))
            return Array(length)
        if inner == _ARRAY and depth == 0:
            for _ in range(length):
                self._array(depth=depth + 1)
            return Array(length)
        form = self._form(inner)
        if length > MAX_KEPT:
            self.skip(length * struct.calcsize(form))
            return Array(length)
        return Array(length, struct.unpack(f"<{length}{form[1]}", self.exactly(length * struct.calcsize(form))))

    def tensor(self) -> Tensor:
        name = self.string()
        dimensions = int(self.number("<I"))
        if dimensions > MAX_DIMENSIONS:
            raise ValueError(f"{dimensions} dimensions of {name[:40]!r}")
        elements = 1
        for _ in range(dimensions):
            elements *= int(self.number("<Q"))
        kind = int(self.number("<I"))
        offset = int(self.number("<Q"))
        if kind not in _BLOCKS:
            raise ValueError(f"tensor type {kind} of {name[:40]!r}")
        values, length = _BLOCKS[kind]
        return Tensor(name, kind, elements, offset, -(-elements // values) * length)

    def position(self) -> int:
        return self._file.tell()

    @staticmethod
    def _form(kind: int) -> str:
        if kind not in _SCALARS:
            raise ValueError(f"a value of type {kind}")
        return _SCALARS[kind]


def read_header(file: BinaryIO) -> Header | None:
    """Read a header from the start of a file; None means that the file does not begin with GGUF's magic bytes.

    Raises:
        EOFError: If the file ends within its header.
        ValueError: If a version, count, type or alignment makes no sense.
    """
    if file.read(len(MAGIC)) != MAGIC:
        return None
    reader = _Reader(file)
    version = int(reader.number("<I"))
    if version not in VERSIONS:
        raise ValueError(f"version {version}")
    tensors, keys = reader.count(MAX_TENSORS), reader.count(MAX_KEYS)
    metadata: dict[str, Scalar | Array] = {}
    for _ in range(keys):
        key = reader.string()
        metadata[key] = reader.value()
    found = tuple(reader.tensor() for _ in range(tensors))
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
        raise ValueError(f"an alignment of {alignment}")
    start = -(-reader.position() // alignment) * alignment
    return Header(metadata, found, start + max((one.offset + one.size for one in found), default=0))
