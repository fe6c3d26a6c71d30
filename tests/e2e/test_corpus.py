"""GeneNetwork's real documentation, where a copy of it lies beside the project."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bot.errors import UnreadableError
from knowledge.aliases import AliasTable
from knowledge.embeddings import MiniLmEmbedder
from knowledge.index import KnowledgeIndex
from knowledge.ingest import sync_source
from knowledge.parsing import parse
from knowledge.retrieval import HybridRetriever
from tests.documents import CountingProgress, FolderSource

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
pytestmark = [pytest.mark.corpus, pytest.mark.skipif(not CORPUS.is_dir(), reason="no copy of the documentation here")]


def test_every_document_is_read_or_named() -> None:
    """All files parse; only empty ones and one without text are left out, each with a sentence."""
    left_out = []
    read = 0
    for path in sorted(CORPUS.rglob("*")):
        if not path.is_file():
            continue
        try:
            read += bool(parse(path.read_bytes(), path.name).blocks)
        except UnreadableError as error:
            left_out.append(str(error))

    assert read > 1700
    assert len(left_out) <= 8
    assert all("is empty" in sentence or "holds no text" in sentence for sentence in left_out)


async def test_questions_about_real_documents_find_them(tmp_path: Path, embedder: MiniLmEmbedder) -> None:
    """On the search help, the glossary and two datasets, questions in other words find their documents first."""
    docs = tmp_path / "docs"
    chosen = ["general/search", "general/glossary", "general/datasets/Hxb_adrenal_1208", "general/datasets/Lxspublish"]
    for folder in chosen:
        shutil.copytree(CORPUS / "gn-docs" / folder, docs / folder)
    index = KnowledgeIndex(tmp_path / "data", embedder)
    sync_source(index, FolderSource(docs), scope="public", spec="docs", parse=parse, progress=CountingProgress())
    retriever = HybridRetriever(index, AliasTable([]))
    expected = {
        "how do I leave a word out of a search": "general/search/xapian_syntax.md",
        "what does a negative additive effect tell me": "general/glossary/glossary.md",
        "adrenal gland arrays of HXB rats, how many replicates per strain": "general/datasets/Hxb_adrenal_1208",
        "who are the parents of LXS mice": "general/datasets/Lxspublish",
    }
    found = {
        question: (await retriever.search(question, scopes=("public",))).passages[0].home.source
        for question in expected
    }
    retriever.close()
    index.close()

    assert all(found[question].startswith(source) for question, source in expected.items()), found
