"""Small random models for llama.cpp: real files, no meaning."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np

TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
WORDS = "the of and BXD strain mice QTL LOD LRS gene trait is was were in for with [1] [2] . ,".split()


def write_random_gguf(
    path: Path,
    *,
    layers: int = 2,
    width: int = 64,
    context: int = 4096,
    seed: int = 0,
    template: str | None = TEMPLATE,
    heads: int = 4,
    kv_heads: int | None = None,
    hidden: int | None = None,
    vocabulary: int = 0,
    metadata: Mapping[str, float | int | str] | None = None,
) -> Path:
    """Write a random llama-shaped model with a byte-complete tokenizer (about 30 ms, 500 kB) and return its path.

    Args:
        path: Where to.
        layers: Number of blocks.
        width: Of the embedding.
        context: Tokens it claims to have been trained for.
        seed: Of the weights.
        template: The chat template, or none.
        heads: Attention heads.
        kv_heads: Heads of keys and values; as many as `heads` where not given.
        hidden: Width of the feed-forward part; twice `width` where not given.
        vocabulary: Tokens to fill the vocabulary up to; the fillers are words nobody writes.
        metadata: Further keys of the header.
    """
    generator = np.random.default_rng(seed)
    kv_heads = kv_heads or heads
    hidden = hidden or width * 2
    tokens = [b"<unk>", b"<s>", b"</s>", *(f"<0x{byte:02X}>".encode() for byte in range(256))]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL, *[gguf.TokenType.BYTE] * 256]
    pieces = [*(chr(code) for code in range(33, 127)), "▁", *(f"▁{word}" for word in WORDS)]
    for piece in dict.fromkeys(pieces):
        tokens.append(piece.encode())
        kinds.append(gguf.TokenType.NORMAL)
    for number in range(len(tokens), vocabulary):
        tokens.append(f"▁⟨{number}⟩".encode())
        kinds.append(gguf.TokenType.NORMAL)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("random")
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // heads)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * 259 + [-float(n) for n in range(len(tokens) - 259)])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    if template is not None:
        writer.add_chat_template(template)
    for key, value in (metadata or {}).items():
        if isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_string(key, value)

    def tensor(name: str, *shape: int) -> None:
        values = generator.standard_normal(shape, dtype=np.float32)
        values *= np.float32(min(0.3, 2 / np.sqrt(shape[-1])))
        writer.add_tensor(name, values)

    tensor("token_embd.weight", len(tokens), width)
    if not vocabulary:  # a large vocabulary is shared by both ends, as in small real models
        tensor("output.weight", len(tokens), width)
    writer.add_tensor("output_norm.weight", np.ones(width, dtype=np.float32))
    for layer in range(layers):
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(width, dtype=np.float32))
        for name in ("attn_q", "attn_output"):
            tensor(f"blk.{layer}.{name}.weight", width, width)
        for name in ("attn_k", "attn_v"):
            tensor(f"blk.{layer}.{name}.weight", width // heads * kv_heads, width)
        tensor(f"blk.{layer}.ffn_gate.weight", hidden, width)
        tensor(f"blk.{layer}.ffn_up.weight", hidden, width)
        tensor(f"blk.{layer}.ffn_down.weight", width, hidden)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
