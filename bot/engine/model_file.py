"""Looking at a model file before llama.cpp's parser does: is it GGUF, whole, and sane, and what will it need?

Tensors that lie beyond the end of the file are refused, and so is a split model of which a part is missing.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.engine.gguf_header import Array, Header, Tensor, read_header
from bot.errors import SettingsError

MAX_PARTS = 1000
MAX_LAYERS = 1000

_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
_LAYER = re.compile(r"blk\.(\d{1,5})\.")
_SAMPLING = "general.sampling."
# llama_ftype of llama.h; 1024 and what is not here is shown as "unknown"
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4", 39: "NVFP4",
    40: "Q1_0", 41: "Q2_0",
}  # fmt: skip
# The types of tensors that whole files are named after, for files that do not say: enum ggml_type of ggml.h
_TENSOR_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K",
    13: "Q5_K", 14: "Q6_K", 20: "IQ4_NL", 23: "IQ4_XS", 30: "BF16", 39: "MXFP4",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the header of a model file says.

    Attributes:
        path: The file, the first one of a split model.
        name: The model's own name, or the file's.
        architecture: "llama", "qwen3", ...
        context_length: Tokens the model was trained for, or None where the header does not say.
        has_chat_template: Whether the file brings a chat template.
        size_bytes: Size of the file, of all parts of a split model.
        block_count: Transformer layers.
        embedding_length: Width of a token's vector.
        vocabulary_size: Tokens the model knows.
        head_count: Attention heads of a layer, the most of any.
        key_length: Values of one head's key, per token.
        value_length: Values of one head's value, per token.
        head_counts_kv: Heads that are cached, one number per layer; 0 where a layer caches nothing.
        parameters: Weights, counted.
        quantization: "Q4_K_M", "F16", ..., or "unknown".
        chat_template: The template's text, or "".
        sampling: Defaults of the file (`general.sampling.*`), such as {"temp": 0.6, "top_k": 20.0}.
        layer_bytes: Bytes of the weights of each layer.
        embedding_bytes: Bytes of the input embedding, which stays in main memory.
        output_bytes: Bytes of all other weights outside of layers; those of the embedding once more where the model
            uses it for its output, since llama.cpp then copies it to the GPU.
        ties_embedding: Whether the output uses the input embedding.
        parts: All files of the model, in order.
    """

    path: Path
    name: str
    architecture: str
    context_length: int | None
    has_chat_template: bool
    size_bytes: int
    block_count: int = 0
    embedding_length: int = 0
    vocabulary_size: int = 0
    head_count: int = 0
    key_length: int = 0
    value_length: int = 0
    head_counts_kv: tuple[int, ...] = ()
    parameters: int = 0
    quantization: str = "unknown"
    chat_template: str = ""
    sampling: Mapping[str, float] = field(default_factory=dict)
    layer_bytes: tuple[int, ...] = ()
    embedding_bytes: int = 0
    output_bytes: int = 0
    ties_embedding: bool = False
    parts: tuple[Path, ...] = ()

    def sha256(self) -> str:
        """Return the hash of the first file; takes seconds per gigabyte."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def model_parts(path: Path) -> tuple[Path, ...]:
    """Return all files of a model: the file itself, or the parts "-00001-of-0000N.gguf" of a split one.

    Raises:
        SettingsError: If the path names another part than the first, or an impossible number of parts.
    """
    match = _PART.search(path.name)
    if match is None:
        return (path,)
    number, count = int(match[1]), int(match[2])
    if not 1 <= number <= count <= MAX_PARTS:
        raise SettingsError(f"LOCUS_MODEL is {path}, part {number} of {count}, which cannot be: check the spelling.")
    stem = path.name[: match.start()]
    names = tuple(path.with_name(f"{stem}-{one:05d}-of-{count:05d}.gguf") for one in range(1, count + 1))
    if number != 1:
        raise SettingsError(f"LOCUS_MODEL is {path}, a later part of a split model: give its first part, {names[0]}.")
    return names


def model_card(path: Path) -> ModelCard:
    """Check a model file, or all parts of a split one, and return its card.

    Raises:
        SettingsError: If it is missing, no GGUF file, cut off, or its header makes no sense.
    """
    parts = model_parts(path)
    headers = [_checked_header(part) for part in parts]
    for number, (part, header) in enumerate(zip(parts, headers, strict=True)):
        expected = None if len(parts) == 1 else (number, len(parts))
        found = header.number("split.no"), header.number("split.count")
        if expected is None and (found[1] or 1) > 1:
            raise SettingsError(
                f"LOCUS_MODEL is {part}, one of {found[1]} parts of a split model: give the parts their names again, "
                "which end in -00001-of-0000N.gguf."
            )
        if expected is not None and found != expected:
            raise SettingsError(
                f"LOCUS_MODEL is split, and {part} is not the part its name says: download all parts again."
            )
    try:
        return _card(path, parts, headers)
    except ValueError as error:
        raise _senseless(path, error) from error


def _senseless(path: Path, error: Exception) -> SettingsError:
    return SettingsError(f"LOCUS_MODEL is {path}, whose header makes no sense ({error}): download it again.")


def _checked_header(path: Path) -> Header:
    if not path.exists():
        raise SettingsError(f"LOCUS_MODEL is {path}, which does not exist: check the spelling.")
    if not path.is_file():
        raise SettingsError(f"LOCUS_MODEL is {path}, which is no file: give the path of a .gguf file.")
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            header = read_header(file)
    except OSError as error:
        raise SettingsError(f"LOCUS_MODEL is {path}, which cannot be read ({error.strerror}).") from error
    except EOFError as error:
        raise SettingsError(
            f"LOCUS_MODEL is {path}, which is cut off in its header ({size:,} bytes): download it again."
        ) from error
    except (ValueError, struct.error, OverflowError) as error:
        raise _senseless(path, error) from error
    if header is None:
        raise SettingsError(f"LOCUS_MODEL is {path}, which is not a GGUF model file.")
    if header.end > size:
        raise SettingsError(
            f"LOCUS_MODEL is {path}, which is cut off: {size:,} bytes are there, its header announces "
            f"{header.end:,}; download it again."
        )
    return header


def _card(path: Path, parts: tuple[Path, ...], headers: list[Header]) -> ModelCard:
    """Return the card; the first part of a split model holds the metadata."""
    first = headers[0]
    tensors = [tensor for header in headers for tensor in header.tensors]
    architecture = str(first.metadata.get("general.architecture", "unknown"))
    blocks = _bounded(first, f"{architecture}.block_count", MAX_LAYERS)
    width = _bounded(first, f"{architecture}.embedding_length", 1 << 24)
    heads = _per_layer(first, f"{architecture}.attention.head_count", blocks)
    heads_kv = _per_layer(first, f"{architecture}.attention.head_count_kv", blocks) or heads
    # Source of the defaults: docs/gguf.md, "[llm].attention.key_length".
    most_heads = max(heads, default=0)
    head_width = width // most_heads if most_heads else 0
    template = first.metadata.get("tokenizer.chat_template")
    tokens = first.metadata.get("tokenizer.ggml.tokens")
    context = first.number(f"{architecture}.context_length")
    layers, embedding, output, tied = _weight_bytes(tensors, blocks)
    return ModelCard(
        path,
        str(first.metadata.get("general.name") or path.stem),
        architecture,
        context,
        template is not None,
        sum(part.stat().st_size for part in parts),
        block_count=blocks,
        embedding_length=width,
        vocabulary_size=tokens.length if isinstance(tokens, Array) else first.number(f"{architecture}.vocab_size") or 0,
        head_count=most_heads,
        key_length=_bounded(first, f"{architecture}.attention.key_length", 1 << 20) or head_width,
        value_length=_bounded(first, f"{architecture}.attention.value_length", 1 << 20) or head_width,
        head_counts_kv=heads_kv,
        parameters=sum(tensor.elements for tensor in tensors),
        quantization=_quantization(first, tensors),
        chat_template=template if isinstance(template, str) else "",
        sampling={
            key.removeprefix(_SAMPLING): float(value)
            for key, value in first.metadata.items()
            if key.startswith(_SAMPLING) and isinstance(value, int | float)
        },
        layer_bytes=layers,
        embedding_bytes=embedding,
        output_bytes=output,
        ties_embedding=tied,
        parts=parts,
    )


def _quantization(header: Header, tensors: list[Tensor]) -> str:
    """Return the type the header names, else the type of most weights."""
    named = _FILE_TYPES.get(header.number("general.file_type") or 0) if "general.file_type" in header.metadata else None
    if named is not None or not tensors:
        return named or "unknown"
    elements: Counter[int] = Counter()
    for tensor in tensors:
        elements[tensor.kind] += tensor.elements
    return _TENSOR_TYPES.get(elements.most_common(1)[0][0], "unknown")


def _bounded(header: Header, key: str, largest: int) -> int:
    value = header.number(key) or 0
    if not 0 <= value <= largest:
        raise ValueError(f"{key} of {value:,}")
    return value


def _per_layer(header: Header, key: str, layers: int) -> tuple[int, ...]:
    """Return a number per layer, which the header gives as one number or as an array; () where it is missing."""
    value = header.metadata.get(key)
    if isinstance(value, Array):
        counts = tuple(int(one) for one in value.values)
        if value.length < layers or len(counts) != value.length:
            raise ValueError(f"{key} with {value.length:,} values for {layers:,} layers")
    else:
        counts = () if value is None else (_bounded(header, key, 1 << 16),) * layers
    if any(not 0 <= one <= 1 << 16 for one in counts):
        raise ValueError(f"{key} out of range")
    return counts[:layers]


def _weight_bytes(tensors: list[Tensor], layers: int) -> tuple[tuple[int, ...], int, int, bool]:
    """Return the bytes of each layer, of the embedding, of what follows the layers, and whether these two share one."""
    by_layer = [0] * layers
    embedding = output = 0
    has_output = False
    for tensor in tensors:
        match = _LAYER.match(tensor.name)
        if match is not None and int(match[1]) < layers:
            by_layer[int(match[1])] += tensor.size
        elif tensor.name.startswith("token_embd."):
            embedding += tensor.size
        else:
            output += tensor.size
            has_output = has_output or tensor.name == "output.weight"
    return tuple(by_layer), embedding, output if has_output else output + embedding, not has_output
