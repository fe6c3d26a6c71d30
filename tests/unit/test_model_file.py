"""The header of a model file: what is read from it, and what is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest

from bot.engine.model_file import ModelCard, model_card, model_parts
from bot.errors import SettingsError
from tests.gguf_models import TEMPLATE, write_random_gguf


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of two layers, 64 wide, with four heads."""
    return write_random_gguf(tmp_path_factory.mktemp("model") / "random.gguf")


def write_header(path: Path, keys: dict[str, object], tensors: dict[str, np.ndarray] | None = None) -> Path:
    """Write a file with the given metadata and tensors by the `gguf` package."""
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in keys.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, list):
            writer.add_array(key, value)
    for name, data in (tensors or {}).items():
        writer.add_tensor(name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_split(folder: Path, *, parts: int = 2) -> Path:
    """Write a split model of one layer per part and return its first part."""
    for number in range(parts):
        keys: dict[str, object] = {"split.no": number, "split.count": parts, "split.tensors.count": parts}
        if number == 0:
            keys |= {"llama.block_count": parts, "general.name": "split"}
        write_header(
            folder / f"m-{number + 1:05d}-of-{parts:05d}.gguf",
            keys,
            {f"blk.{number}.ffn_up.weight": np.ones((4, 32), dtype=np.float32)},
        )
    return folder / f"m-00001-of-{parts:05d}.gguf"


def test_the_card_tells_shape_and_template(model: Path) -> None:
    """Layers, width, heads, vocabulary and template are those the model was written with."""
    card = model_card(model)

    assert ("random", "llama", 4096, True) == (
        card.name,
        card.architecture,
        card.context_length,
        card.has_chat_template,
    )
    assert (2, 64, (4, 4), 16, 16) == (
        card.block_count,
        card.embedding_length,
        card.head_counts_kv,
        card.key_length,
        card.value_length,
    )
    assert TEMPLATE == card.chat_template
    assert card.vocabulary_size == len(gguf.GGUFReader(model).fields["tokenizer.ggml.tokens"].data)


def test_parameters_and_weight_bytes_agree_with_the_gguf_package(model: Path) -> None:
    """Elements and bytes by place add up to those another reader finds."""
    card = model_card(model)
    tensors = gguf.GGUFReader(model).tensors
    layer = sum(int(one.n_bytes) for one in tensors if one.name.startswith("blk.1."))
    embedding = sum(int(one.n_bytes) for one in tensors if one.name == "token_embd.weight")

    assert sum(int(one.n_elements) for one in tensors) == card.parameters
    assert (layer, embedding) == (card.layer_bytes[1], card.embedding_bytes)
    assert sum(int(one.n_bytes) for one in tensors) == sum(card.layer_bytes) + card.embedding_bytes + card.output_bytes
    assert not card.ties_embedding


def test_keys_of_the_header_are_read(tmp_path: Path) -> None:
    """Head widths, heads per layer, sampling defaults and file type come from the metadata."""
    path = write_header(
        tmp_path / "keys.gguf",
        {
            "llama.block_count": 3,
            "llama.embedding_length": 96,
            "llama.attention.head_count": 6,
            "llama.attention.head_count_kv": [2, 0, 4],
            "llama.attention.key_length": 128,
            "llama.attention.value_length": 64,
            "general.file_type": 15,
            "general.sampling.temp": 0.625,
            "general.sampling.top_k": 20,
            "general.sampling.name": "ignored",
        },
    )
    card = model_card(path)

    assert ((2, 0, 4), 128, 64) == (card.head_counts_kv, card.key_length, card.value_length)
    assert "Q4_K_M" == card.quantization
    assert {"temp": 0.625, "top_k": 20.0} == dict(card.sampling)


@pytest.mark.parametrize(("kind", "expected"), [(np.float32, "F32"), (np.float16, "F16")])
def test_without_a_file_type_most_weights_decide(tmp_path: Path, kind: type, expected: str) -> None:
    """A file that names no quantization has that of its tensors."""
    path = write_header(tmp_path / "f.gguf", {}, {"token_embd.weight": np.ones((8, 32), dtype=kind)})

    assert expected == model_card(path).quantization


def test_an_embedding_used_twice_counts_for_the_output(tmp_path: Path) -> None:
    """Without an output tensor, llama.cpp copies the embedding to the GPU."""
    path = write_header(tmp_path / "tied.gguf", {}, {"token_embd.weight": np.ones((8, 32), dtype=np.float32)})
    card = model_card(path)

    assert (True, 1024, 1024) == (card.ties_embedding, card.embedding_bytes, card.output_bytes)


def _damage(data: bytes) -> dict[str, tuple[bytes, str]]:
    name = data.index(b"llama.block_count") + len(b"llama.block_count")
    return {
        "text.gguf": (b"hello", "is not a GGUF model file"),
        "empty.gguf": (b"", "is not a GGUF model file"),
        "version.gguf": (data[:4] + struct.pack("<I", 99) + data[8:], "makes no sense .version 99"),
        "header.gguf": (data[:3000], "is cut off in its header"),
        "data.gguf": (data[:-5000], "is cut off: .* download it again"),
        "counts.gguf": (data[:8] + b"\xff" * 16 + data[24:], "makes no sense"),
        "layers.gguf": (data[: name + 4] + b"\xff" * 4 + data[name + 8 :], "makes no sense .llama.block_count"),
        "type.gguf": (data[:name] + struct.pack("<I", 77) + data[name + 4 :], "makes no sense .a value of type 77"),
    }


@pytest.mark.parametrize("case", list(_damage(b"llama.block_count")))
def test_a_damaged_file_is_one_sentence(model: Path, tmp_path: Path, case: str) -> None:
    """No GGUF, cut off, or crafted: the sentence names the file and what is wrong."""
    content, sentence = _damage(model.read_bytes())[case]
    (tmp_path / case).write_bytes(content)

    with pytest.raises(SettingsError, match=f"LOCUS_MODEL is .*{case}.*{sentence}"):
        model_card(tmp_path / case)


def test_heads_of_too_few_layers_are_refused(tmp_path: Path) -> None:
    """An array shorter than the model has layers makes no sense."""
    path = write_header(tmp_path / "h.gguf", {"llama.block_count": 3, "llama.attention.head_count_kv": [2, 2]})

    with pytest.raises(SettingsError, match="makes no sense .*2 values for 3 layers"):
        model_card(path)


def test_a_split_model_is_one_model(tmp_path: Path) -> None:
    """Layers and sizes of all parts are in one card."""
    first = write_split(tmp_path)
    card = model_card(first)

    assert ("split", (512, 512), 256) == (card.name, card.layer_bytes, card.parameters)
    assert sum(one.stat().st_size for one in tmp_path.iterdir()) == card.size_bytes
    assert model_parts(first) == card.parts


def test_every_part_of_a_split_model_is_checked(tmp_path: Path) -> None:
    """A missing, cut-off, misnamed or later part is refused by name."""
    first = write_split(tmp_path)
    second = tmp_path / "m-00002-of-00002.gguf"
    data = second.read_bytes()

    with pytest.raises(SettingsError, match=r"give its first part, .*m-00001-of-00002.gguf"):
        model_card(second)
    second.write_bytes(data[:-100])
    with pytest.raises(SettingsError, match=r"m-00002-of-00002.gguf, which is cut off"):
        model_card(first)
    second.write_bytes(first.read_bytes())
    with pytest.raises(SettingsError, match="is not the part its name says"):
        model_card(first)
    second.unlink()
    with pytest.raises(SettingsError, match=r"m-00002-of-00002.gguf, which does not exist"):
        model_card(first)
    with pytest.raises(SettingsError, match="give the parts their names again"):
        model_card(first.rename(tmp_path / "whole.gguf"))


def test_no_cut_of_a_file_passes(model: Path, tmp_path: Path) -> None:
    """Whatever the length, a file that lost its end is refused."""
    data = model.read_bytes()
    cut = tmp_path / "cut.gguf"
    for length in [*range(0, 6000, 61), *range(6000, len(data), 40_009)]:
        cut.write_bytes(data[:length])
        with pytest.raises(SettingsError):
            model_card(cut)

    assert isinstance(model_card(model), ModelCard)
