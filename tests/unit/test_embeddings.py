"""The default embedding model against the reference implementation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from bot.errors import SettingsError
from knowledge.embeddings import MiniLmEmbedder, PassageText
from knowledge.minilm_graph import ensure_graph

REFERENCE = json.loads((Path(__file__).parents[1] / "payloads" / "minilm_reference.json").read_text(encoding="utf-8"))


def test_vectors_agree_with_the_reference_implementation(embedder: MiniLmEmbedder) -> None:
    """All 20 reference texts have a cosine of at least 0.9999 with sentence-transformers' vectors."""
    expected = np.array(REFERENCE["vectors"], dtype=np.float32)
    actual = np.stack([embedder.embed_query(text) for text in REFERENCE["texts"]])
    cosines = (expected * actual).sum(axis=1) / np.linalg.norm(expected, axis=1) / np.linalg.norm(actual, axis=1)

    assert len(REFERENCE["texts"]) == 20
    assert cosines.min() >= 0.9999


def test_passage_vector_is_the_vector_of_its_whole_text(embedder: MiniLmEmbedder) -> None:
    """A passage is embedded with its title and heading before its sentences."""
    [vectors] = embedder.embed_passages([PassageText("Title: Heading", ("One sentence.", "Another one."))])
    expected = embedder.embed_query("Title: Heading\nOne sentence.\nAnother one.\n")

    assert np.allclose(expected, vectors.passage, atol=1e-5)
    assert (2, 384) == vectors.units.shape


def test_unit_vectors_tell_sentences_apart(embedder: MiniLmEmbedder) -> None:
    """The sentence a question is about is nearer to it than its neighbour in the same passage."""
    units = ("Mice were fed a high fat diet for twelve weeks.", "RNA was hybridised to Affymetrix arrays.")
    [vectors] = embedder.embed_passages([PassageText("Data", units)])
    similarity = vectors.units @ embedder.embed_query("Which microarray platform was used?")

    assert similarity[1] > similarity[0]


def test_a_text_beyond_the_window_is_cut_and_not_refused(embedder: MiniLmEmbedder) -> None:
    """A question of a million characters still gets a vector of unit length."""
    vector = embedder.embed_query("BXD strains " * 90_000)

    assert pytest.approx(1.0, abs=1e-5) == float(np.linalg.norm(vector))


def test_other_weights_are_refused(tmp_path: Path) -> None:
    """Weights with another sha256 than the published one are named and not used."""
    weights = tmp_path / "model.safetensors"
    save_file({"a": np.zeros(3, dtype=np.float32)}, weights)

    with pytest.raises(SettingsError, match="not the published all-MiniLM-L6-v2"):
        ensure_graph(weights, tmp_path / "graph")


def test_a_damaged_graph_is_removed_and_named(tmp_path: Path, embedder: MiniLmEmbedder, model_folder: Path) -> None:
    """A cut-off graph file gives one sentence, and the next start builds it anew."""
    [whole] = model_folder.glob("*.onnx")
    damaged = tmp_path / whole.name
    damaged.write_bytes(whole.read_bytes()[:100_000])

    with pytest.raises(SettingsError, match="is damaged and was removed"):
        MiniLmEmbedder(tmp_path, threads=1)

    assert not damaged.exists()


def test_torch_is_not_installed() -> None:
    """The environment holds neither torch nor sentence-transformers."""
    from importlib.util import find_spec

    assert (None, None) == (find_spec("torch"), find_spec("sentence_transformers"))
