"""Another embedding model, through llama.cpp."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from bot.errors import SettingsError
from knowledge.chunking import chunk_document
from knowledge.documents import Block, BlockKind, ParsedDocument
from knowledge.embeddings import PassageText
from knowledge.gguf_embeddings import GgufEmbedder
from tests.gguf_models import write_random_gguf


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model file."""
    return write_random_gguf(tmp_path_factory.mktemp("model") / "random.gguf", context=512)


def test_vectors_have_unit_length_and_the_models_width(model: Path) -> None:
    """Questions, passages and sentences get vectors; a text beyond the window is cut, not fatal."""
    embedder = GgufEmbedder(model, threads=2)
    query = embedder.embed_query("BXD strains " * 5000)
    [vectors] = embedder.embed_passages([PassageText("Title", ("One sentence.", "Two."))])
    embedder.close()

    assert ((64,), (64,), (2, 64)) == (query.shape, vectors.passage.shape, vectors.units.shape)
    assert np.allclose(1.0, [np.linalg.norm(query), np.linalg.norm(vectors.passage)], atol=1e-4)
    assert embedder.fingerprint.startswith("gguf:")


def test_chunks_fit_its_window(model: Path) -> None:
    """Long texts are cut by this model's own tokens and nothing is lost."""
    embedder = GgufEmbedder(model, threads=2)
    text = "zebrafish " * 300
    chunks = chunk_document(ParsedDocument("T", (Block(BlockKind.PARAGRAPH, text.strip()),), "text"), "", embedder)
    joined = "".join(unit.text for chunk in chunks for unit in chunk.units).replace(" ", "")
    embedder.close()

    assert text.replace(" ", "") == joined
    assert len(chunks) > 1


def test_a_file_that_is_no_model_is_named(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing file, other file, missing extra: one sentence each."""
    text = tmp_path / "notes.gguf"
    text.write_text("not a model")

    with pytest.raises(SettingsError, match="which is not a GGUF model file"):
        GgufEmbedder(text)
    with pytest.raises(SettingsError, match="which is no file"):
        GgufEmbedder(tmp_path / "none.gguf")
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    with pytest.raises(SettingsError, match="needs the extra 'llama'"):
        GgufEmbedder(model)
