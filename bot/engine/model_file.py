"""Looking at a model file before llama.cpp's parser does: is it GGUF, whole, and sane?

A model file is untrusted input (CVE-2025-53630, CVE-2026-27940 were reached by crafted headers), so the header is read
here with bounds on every count and length, and tensors that lie beyond the end of the file are refused.

Source of the layout and of the block sizes: the GGUF specification of ggml (docs/gguf.md) and ggml.h.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bot.errors import SettingsError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_TENSORS = 100_000
MAX_KEYS = 100_000
MAX_STRING_BYTES = 16 * 1024 * 1024  # chat templates are kilobytes, merges of tokenizers are arrays
MAX_ARRAY = 20_000_000
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
    34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the header of a model file says.

    Attributes:
        name: The model's own name, or the file's.
        architecture: "llama", "qwen3", ...
        context_length: Tokens the model was trained for, or None where the header does not say.
        has_chat_template: Whether the file brings a chat template.
        size_bytes: Size of the file.
    """

    path: Path
    name: str
    architecture: str
    context_length: int | None
    has_chat_template: bool
    size_bytes: int

    def sha256(self) -> str:
        """Return the hash of the whole file; takes seconds per gigabyte."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class _Reader:
    """Reads the header with bounds."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.size = size

    def exactly(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise EOFError
        return data

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

    def value(self, kind: int, *, depth: int = 0) -> object:
        if kind == _STRING:
            return self.string()
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _ARRAY and depth < 2:
            inner = int(self.number("<I"))
            length = self.count(MAX_ARRAY)
            if inner in _SCALARS:  # skipped as one block: tokenizers hold hundreds of thousands of scores
                self.exactly(length * struct.calcsize(_SCALARS[inner]))
            else:
                for _ in range(length):
                    self.value(inner, depth=depth + 1)
            return None
        raise ValueError(f"a value of type {kind}")

    def position(self) -> int:
        return self._file.tell()


def model_card(path: Path) -> ModelCard:
    """Check a model file and return its card.

    Raises:
        SettingsError: If it is missing, no GGUF file, cut off, or its header makes no sense.
    """
    if not path.exists():
        raise SettingsError(f"LOCUS_MODEL is {path}, which does not exist: check the spelling.")
    if not path.is_file():
        raise SettingsError(f"LOCUS_MODEL is {path}, which is no file: give the path of a .gguf file.")
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            if file.read(4) != MAGIC:
                raise SettingsError(f"LOCUS_MODEL is {path}, which is not a GGUF model file.")
            metadata, end = _header(_Reader(file, size))
    except OSError as error:
        raise SettingsError(f"LOCUS_MODEL is {path}, which cannot be read ({error.strerror}).") from error
    except EOFError as error:
        raise SettingsError(
            f"LOCUS_MODEL is {path}, which is cut off in its header ({size:,} bytes): download it again."
        ) from error
    except (ValueError, struct.error, OverflowError) as error:
        raise SettingsError(
            f"LOCUS_MODEL is {path}, whose header makes no sense ({error}): download it again."
        ) from error
    if end > size:
        raise SettingsError(
            f"LOCUS_MODEL is {path}, which is cut off: {size:,} bytes are there, its header announces {end:,}; "
            "download it again."
        )
    architecture = str(metadata.get("general.architecture", "unknown"))
    context = metadata.get(f"{architecture}.context_length")
    return ModelCard(
        path,
        str(metadata.get("general.name") or path.stem),
        architecture,
        int(context) if isinstance(context, int) else None,
        "tokenizer.chat_template" in metadata,
        size,
    )


def _header(reader: _Reader) -> tuple[dict[str, object], int]:
    """Return the metadata and the position after the last tensor's last byte."""
    version = int(reader.number("<I"))
    if version not in VERSIONS:
        raise ValueError(f"version {version}")
    tensors = reader.count(MAX_TENSORS)
    keys = reader.count(MAX_KEYS)
    metadata: dict[str, object] = {}
    for _ in range(keys):
        key = reader.string()
        metadata[key] = reader.value(int(reader.number("<I")))
    spans = [_tensor(reader) for _ in range(tensors)]
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
        raise ValueError(f"an alignment of {alignment}")
    start = -(-reader.position() // alignment) * alignment
    return metadata, start + max((offset + length for offset, length in spans), default=0)


def _tensor(reader: _Reader) -> tuple[int, int]:
    """Return offset and length in bytes of a tensor's data."""
    name = reader.string()
    dimensions = int(reader.number("<I"))
    if dimensions > MAX_DIMENSIONS:
        raise ValueError(f"{dimensions} dimensions of {name[:40]!r}")
    elements = 1
    for _ in range(dimensions):
        elements *= int(reader.number("<Q"))
    kind = int(reader.number("<I"))
    offset = int(reader.number("<Q"))
    if kind not in _BLOCKS:
        raise ValueError(f"tensor type {kind} of {name[:40]!r}")
    values, length = _BLOCKS[kind]
    return offset, elements // values * length
