"""Whole documents, read from a real index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.evidence import CitedPassage
from bot.library import DocumentView, Wanted
from knowledge.embeddings import MiniLmEmbedder
from knowledge.index import KnowledgeIndex
from knowledge.library import CatalogueLibrary
from tests.answer_pages import application_of, ingest
from tests.documents import write_documents

LONG = "# Strains\n\n" + "\n\n".join(
    f"## Strain {n}\n\nThe strain BXD{n} was made in year {1900 + n} and has coat colour number {n} of the list."
    for n in range(60)
)
QUESTION = "In which year was the strain BXD40 made?"


@pytest.fixture
def index(tmp_path: Path, embedder: MiniLmEmbedder) -> Iterator[KnowledgeIndex]:
    """An index with a long document."""
    opened = KnowledgeIndex(tmp_path / "data", embedder)
    ingest(opened, write_documents(tmp_path / "lab", {"strains.md": LONG}))
    yield opened
    opened.close()


async def cited(index: KnowledgeIndex, folder: Path, question: str = QUESTION, *scopes: str) -> CitedPassage:
    """Return the first passage of the answer to a question."""
    application = application_of(index, folder)
    answer = await application.ask(question, scopes=scopes or ("public",))
    return (await application.cited_passages(answer))[0]


async def opened(
    index: KnowledgeIndex, passage: CitedPassage, *, first: int | None = None, passage_id: str | None = None
) -> DocumentView | None:
    """Open the document of a passage at five parts."""
    citation = passage.citation
    known = passage.passage_id if passage_id is None else passage_id
    wanted = Wanted(citation.source, citation.url, known, passage.text, first, 2, 5)
    return await CatalogueLibrary(index.catalogue).open(wanted)


async def test_a_document_opens_around_the_passage(index: KnowledgeIndex, tmp_path: Path) -> None:
    """The parts before and after it come in order, and how many there are in all."""
    document = await opened(index, await cited(index, tmp_path))

    assert document is not None
    assert ((40,), 60, [38, 39, 40, 41, 42]) == (
        document.cited_at,
        document.total,
        [part.position for part in document.parts],
    )
    assert "Strain 40" == document.parts[2].heading
    assert "The strain BXD40 was made in year 1940" in document.parts[2].pieces[0].text


async def test_a_passage_without_an_id_is_found_by_its_text(index: KnowledgeIndex, tmp_path: Path) -> None:
    """Answers kept by earlier versions do not name their passages."""
    document = await opened(index, await cited(index, tmp_path), passage_id="")

    assert document is not None
    assert (40,) == document.cited_at


@pytest.mark.parametrize(
    ("first", "expected"), [(0, [0, 1, 2, 3, 4]), (58, [58, 59]), (1000, [59]), (-5, [0, 1, 2, 3, 4])]
)
async def test_any_other_part_can_be_opened(
    index: KnowledgeIndex, tmp_path: Path, first: int, expected: list[int]
) -> None:
    """A page beyond the end is the end."""
    document = await opened(index, await cited(index, tmp_path), first=first)

    assert document is not None
    assert expected == [part.position for part in document.parts]


async def test_of_a_changed_document_the_part_most_like_the_passage_is_opened(
    index: KnowledgeIndex, tmp_path: Path
) -> None:
    """The passage does not stand in it any more, which is told."""
    passage = await cited(index, tmp_path)
    write_documents(
        tmp_path / "lab", {"strains.md": LONG.replace("BXD40 was made in year 1940", "BXD40 was made later")}
    )
    ingest(index, tmp_path / "lab")
    document = await opened(index, passage)

    assert document is not None
    assert ((), 40) == (document.cited_at, document.near)
    assert 40 in [part.position for part in document.parts]


async def test_a_document_that_was_taken_out_is_not_there(index: KnowledgeIndex, tmp_path: Path) -> None:
    """Nothing stands in for it."""
    passage = await cited(index, tmp_path)
    (tmp_path / "lab" / "strains.md").unlink()
    ingest(index, tmp_path / "lab")

    assert None is await opened(index, passage)


async def test_documents_of_channels_are_never_opened(index: KnowledgeIndex, tmp_path: Path) -> None:
    """Not by their passage, nor by their place."""
    ingest(
        index,
        write_documents(tmp_path / "own", {"own.md": "# Perfusion\n\nThe pump runs at 4 ml per minute."}),
        "channel-x",
    )
    passage = await cited(index, tmp_path, "How fast does the pump run?", "channel-x")

    assert "channel-x" == passage.scope
    assert [None, None] == [await opened(index, passage), await opened(index, passage, passage_id="")]


async def test_two_documents_of_one_name_are_not_mixed_up(index: KnowledgeIndex, tmp_path: Path) -> None:
    """The one that holds the passage is opened; where none does, it cannot be told which is meant."""
    ingest(index, write_documents(tmp_path / "other", {"strains.md": "# Others\n\nRats have other strains than mice."}))
    passage = await cited(index, tmp_path)
    document = await opened(index, passage)

    assert document is not None
    assert "Strains" == document.title
    assert None is await opened(index, passage, passage_id="none")
