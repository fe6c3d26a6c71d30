"""The index as a whole: real Chroma, real tantivy, real embeddings."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bot.errors import BusyError, StorageError
from bot.ingestion import IngestReport
from knowledge.aliases import AliasTable
from knowledge.embeddings import MiniLmEmbedder, PassageText, PassageVectors
from knowledge.index import KnowledgeIndex
from knowledge.ingest import sync_source
from knowledge.parsing import parse
from knowledge.retrieval import HybridRetriever
from tests.documents import LAB, CountingProgress, FolderSource, write_documents


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder with a few documents of a lab."""
    return write_documents(tmp_path / "lab", LAB)


@pytest.fixture
def index(tmp_path: Path, embedder: MiniLmEmbedder) -> Iterator[KnowledgeIndex]:
    """An empty index in a data folder of its own."""
    opened = KnowledgeIndex(tmp_path / "data", embedder)
    yield opened
    opened.close()


def sync(index: KnowledgeIndex, root: Path, scope: str = "public") -> IngestReport:
    """Ingest a folder."""
    return sync_source(index, FolderSource(root), scope=scope, spec=str(root), parse=parse, progress=CountingProgress())


async def found(index: KnowledgeIndex, question: str, *scopes: str) -> list[str]:
    """Sources of the passages for a question, best first."""
    retriever = HybridRetriever(index, AliasTable([]))
    try:
        evidence = await retriever.search(question, scopes=scopes or ("public",))
    finally:
        retriever.close()
    return [passage.home.source for passage in evidence.passages]


async def test_a_question_finds_its_document_first(index: KnowledgeIndex, lab: Path) -> None:
    """Dense and lexical search agree on the document that answers."""
    sync(index, lab)

    assert "mapping.md" == (await found(index, "how many permutations set the threshold?"))[0]
    assert "general/datasets/Iop_spl_rma_0509/summary.rtf" == (await found(index, "IoP spleen May 2009, n?"))[0]


def test_unchanged_documents_are_neither_parsed_nor_embedded(index: KnowledgeIndex, lab: Path) -> None:
    """A second sync publishes nothing and keeps the revision."""
    first = sync(index, lab)
    second = sync(index, lab)

    assert (5, 5, 1) == (first.files, first.changed, first.revision)
    assert (5, 0, 0, 1) == (second.unchanged, second.changed, second.embedded, second.revision)


async def test_a_deleted_file_leaves_the_index(index: KnowledgeIndex, lab: Path) -> None:
    """After the sync nothing of a deleted document is found."""
    sync(index, lab)
    (lab / "rats.org").unlink()
    report = sync(index, lab)

    assert 1 == report.removed
    assert "rats.org" not in await found(index, "HXB and BXH rat strains in Prague")


async def test_a_changed_file_is_the_only_one_embedded(index: KnowledgeIndex, lab: Path) -> None:
    """One changed document costs its own new chunks and shows its new text."""
    sync(index, lab)
    (lab / "rats.org").write_text("* Rats\nThe rat colony moved to Memphis in 2021.\n")
    report = sync(index, lab)

    assert (1, 1) == (report.changed, report.embedded)
    assert "rats.org" == (await found(index, "where is the rat colony now?"))[0]


async def test_one_text_in_many_folders_is_stored_once_with_all_homes(index: KnowledgeIndex, tmp_path: Path) -> None:
    """Copies of a text, also with other white space and case, are one passage that cites every document."""
    text = "<p>RNA was extracted from spleen with {} kits.</p>"
    root = write_documents(
        tmp_path / "copies",
        {
            "general/datasets/A_1/tissue.rtf": text.format("Qiagen"),
            "general/datasets/B_2/tissue.rtf": text.format("  QIAGEN "),
            "general/datasets/C_3/tissue.rtf": text.format("Trizol"),
        },
    )
    report = sync(index, root)
    retriever = HybridRetriever(index, AliasTable([]))
    evidence = await retriever.search("spleen RNA Qiagen", scopes=("public",))
    retriever.close()
    homes = {home.source for home in evidence.passages[0].homes}

    assert 2 == report.embedded
    assert {"general/datasets/A_1/tissue.rtf", "general/datasets/B_2/tissue.rtf"} == homes


async def test_a_scope_never_sees_another(index: KnowledgeIndex, lab: Path, tmp_path: Path) -> None:
    """A channel's own document is found in its scope, nowhere else, and not without a scope."""
    secret = write_documents(tmp_path / "own", {"protocol.md": "# Protocol\n\nOur freezer code is kept in drawer 7.\n"})
    sync(index, lab)
    sync(index, secret, scope="channel-1")

    assert "protocol.md" not in await found(index, "freezer code drawer", "public")
    assert "protocol.md" not in await found(index, "freezer code drawer", "public", "channel-2")
    assert "protocol.md" == (await found(index, "freezer code drawer", "public", "channel-1"))[0]


async def test_no_scope_means_no_passage(index: KnowledgeIndex, lab: Path) -> None:
    """Searching without any scope finds nothing."""
    sync(index, lab)
    retriever = HybridRetriever(index, AliasTable([]))
    evidence = await retriever.search("BXD", scopes=())
    retriever.close()

    assert () == evidence.passages


async def test_people_see_the_old_index_until_the_new_one_is_published(
    index: KnowledgeIndex, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a sync is under way, with all its chunks already stored, a question still sees the old documents."""
    sync(index, lab)
    before = await found(index, "HXB and BXH rat strains")
    (lab / "rats.org").write_text("* Rats\nHXB and BXH rat strains are now kept in Memphis.\n")
    during: list[list[str]] = []
    publish = index.publish

    def slow_publish(**arguments: object) -> object:
        import asyncio

        during.append(asyncio.run(found(index, "HXB and BXH rat strains")))
        return publish(**arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(index, "publish", slow_publish)
    import asyncio

    await asyncio.to_thread(sync, index, lab)

    assert [before] == during


async def test_a_killed_sync_loses_nothing_and_the_next_one_goes_on(
    index: KnowledgeIndex, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before publishing: the old index stays, and what was embedded is not embedded again."""
    sync(index, lab)
    (lab / "new.md").write_text("# New\n\nA new page about cerebellum weights.\n")

    def killed(**_: object) -> object:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(index, "publish", killed)
        sync(index, lab)
    after_kill = await found(index, "cerebellum weights")
    report = sync(index, lab)

    assert "new.md" not in after_kill
    assert (1, 0) == (report.changed, report.embedded)
    assert "new.md" == (await found(index, "cerebellum weights"))[0]


def test_a_process_killed_in_the_middle_leaves_a_usable_index(
    tmp_path: Path, lab: Path, embedder: MiniLmEmbedder, model_folder: Path
) -> None:
    """SIGKILL while lexical files are being written: the next process publishes everything."""
    script = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        import knowledge.index as module
        from knowledge.embeddings import MiniLmEmbedder
        from knowledge.ingest import sync_source
        from knowledge.parsing import parse
        from tests.documents import CountingProgress, FolderSource
        write = module.write_revision
        def die(*arguments, **named):
            write(*arguments, **named)
            os.kill(os.getpid(), signal.SIGKILL)
        module.write_revision = die
        index = module.KnowledgeIndex(Path({str(tmp_path / "data")!r}), MiniLmEmbedder(Path({str(model_folder)!r})))
        root = Path({str(lab)!r})
        sync_source(index, FolderSource(root), scope="public", spec="lab", parse=parse, progress=CountingProgress())
        """
    )
    result = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=False)
    index = KnowledgeIndex(tmp_path / "data", embedder)
    revision = index.catalogue.revision()
    report = sync(index, lab)
    index.close()

    assert (-9, 0) == (result.returncode, revision)
    assert (5, 0, 1) == (report.changed, report.embedded, report.revision)


def test_an_index_of_other_settings_is_refused(index: KnowledgeIndex, lab: Path, tmp_path: Path) -> None:
    """Vectors of two models are never mixed; the sentence names the setting and both values."""
    sync(index, lab)

    class Other:
        fingerprint, dim, window = "another-model:1", 384, 256

        def embed_passages(self, passages: list[PassageText]) -> list[PassageVectors]:
            return [PassageVectors(np.zeros(384, np.float32), np.zeros((1, 384), np.float32)) for _ in passages]

    with pytest.raises(StorageError, match="embedding: all-MiniLM-L6-v2.* then, another-model:1 now"):
        KnowledgeIndex(tmp_path / "data", Other())  # type: ignore[arg-type]


def test_a_damaged_catalogue_is_named(
    index: KnowledgeIndex, lab: Path, tmp_path: Path, embedder: MiniLmEmbedder
) -> None:
    """A catalogue overwritten with rubbish gives one sentence that says what to do."""
    sync(index, lab)
    index.close()
    path = tmp_path / "data" / "index" / "catalogue.sqlite"
    path.write_bytes(b"rubbish" * 1000)
    for extra in path.parent.glob("catalogue.sqlite-*"):
        extra.unlink()

    with pytest.raises(StorageError, match=r"is damaged .*move the folder .* away and run `locus ingest` again"):
        KnowledgeIndex(tmp_path / "data", embedder)


async def test_a_missing_lexical_index_is_named(index: KnowledgeIndex, lab: Path, tmp_path: Path) -> None:
    """A deleted lexical folder gives one sentence and no trace."""
    import shutil

    sync(index, lab)
    shutil.rmtree(tmp_path / "data" / "index" / "lexical")

    with pytest.raises(StorageError, match="lexical index .* is damaged"):
        await found(index, "BXD")


def test_a_second_writer_is_refused_and_told_who_writes(index: KnowledgeIndex, lab: Path) -> None:
    """Two syncs at once on one data folder: the second names the first one's process."""
    import os

    with index.writing(), pytest.raises(BusyError, match=rf"process {os.getpid()}"):
        sync(index, lab)


def test_a_full_disk_is_one_sentence_and_loses_nothing(
    index: KnowledgeIndex, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite reporting a full disk while staging leaves the published revision as it was."""
    sync(index, lab)
    (lab / "new.md").write_text("# New\n\nA page that does not fit.\n")

    def full(_rows: object) -> None:
        with index.catalogue.errors():
            raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch, pytest.raises(StorageError, match="The disk with .* is full"):
        patch.setattr(index.catalogue, "stage", full)
        sync(index, lab)

    assert (1, 5) == (index.catalogue.revision(), index.catalogue.counts()["documents"])


def test_texts_nobody_sees_any_more_are_deleted_one_revision_later(index: KnowledgeIndex, lab: Path) -> None:
    """A removed text stays for readers of the last revision and goes with the next one, vectors included."""

    def stored() -> int:
        revision = index.revision(index.catalogue.revision())
        assert revision is not None
        return revision.vectors.count("public")

    sync(index, lab)
    first = stored()
    (lab / "rats.org").unlink()
    sync(index, lab)
    second = stored()
    for number in range(2):
        (lab / f"extra{number}.md").write_text(f"# Extra\n\nPage {number} about something else entirely.\n")
        sync(index, lab)

    assert (first, first) == (first, second)
    assert first + 1 == stored()  # two came, one went


async def test_a_running_process_sees_what_another_one_published(
    index: KnowledgeIndex, lab: Path, tmp_path: Path, model_folder: Path
) -> None:
    """Both indexes of a process that has been searching for a while show another process's sync at once."""
    sync(index, lab)
    await found(index, "strains")
    (lab / "rats.org").unlink()
    (lab / "new.md").write_text("# Ageing\n\nLongevity of females was recorded at nine months.\n")
    script = textwrap.dedent(
        f"""
        from pathlib import Path
        from knowledge.embeddings import MiniLmEmbedder
        from knowledge.index import KnowledgeIndex
        from knowledge.ingest import sync_source
        from knowledge.parsing import parse
        from tests.documents import CountingProgress, FolderSource
        index = KnowledgeIndex(Path({str(tmp_path / "data")!r}), MiniLmEmbedder(Path({str(model_folder)!r})))
        root = Path({str(lab)!r})
        sync_source(index, FolderSource(root), scope="public", spec="lab", parse=parse, progress=CountingProgress())
        """
    )
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=True)
    vector = index.embedder.embed_query("Ageing: Longevity of females was recorded at nine months.")
    revision = index.revision(index.catalogue.revision())
    assert revision is not None
    nearest = revision.vectors.search("public", vector, 1)[0][0]
    chunk = index.catalogue.chunks([nearest])[nearest]
    answers = await found(index, "longevity of females")

    assert "new.md" == chunk.homes[0].source
    assert "new.md" == answers[0]
    assert "rats.org" not in answers
