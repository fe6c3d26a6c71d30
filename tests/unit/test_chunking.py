"""Cutting documents into chunks."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.chunking import SPECIAL_TOKENS, Chunk, chunk_document
from knowledge.documents import Block, BlockKind, ParsedDocument
from knowledge.embeddings import MiniLmEmbedder


def document(*blocks: Block, title: str = "A title") -> ParsedDocument:
    """A parsed document of these blocks."""
    return ParsedDocument(title, blocks, "text")


def tokens(chunk: Chunk, embedder: MiniLmEmbedder) -> int:
    """Word pieces of what is embedded for a chunk, special tokens included."""
    text = "\n".join([chunk.context, *(unit.text for unit in chunk.units)])
    return embedder.count_tokens([text])[0] + SPECIAL_TOKENS


def test_chunks_do_not_cross_headings(embedder: MiniLmEmbedder) -> None:
    """Texts under different headings are different chunks that know their heading path."""
    parsed = document(
        Block(BlockKind.PARAGRAPH, "Strains are inbred.", ("BXD",)),
        Block(BlockKind.PARAGRAPH, "Rats are crossed.", ("BXD", "Rats")),
    )

    assert ["BXD", "BXD > Rats"] == [chunk.heading for chunk in chunk_document(parsed, "", embedder)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 900), min_size=1, max_size=4), st.sampled_from(["mouse ", "HC_M2_0606_P ", "x", "é1"]))
def test_nothing_is_cut_off(embedder: MiniLmEmbedder, sizes: list[int], word: str) -> None:
    """Every chunk fits the model's window with its context, and all characters of the text are in some chunk."""
    blocks = [Block(BlockKind.PARAGRAPH, (word * size).strip(), ()) for size in sizes]
    chunks = chunk_document(document(*blocks), "", embedder)
    expected = "".join("".join(block.text for block in blocks).split())
    actual = "".join("".join("".join(unit.text for chunk in chunks for unit in chunk.units)).split())

    assert expected == actual
    assert max(tokens(chunk, embedder) for chunk in chunks) <= embedder.window


def test_a_table_repeats_its_header_in_every_chunk(embedder: MiniLmEmbedder) -> None:
    """Rows stay readable when a table is longer than a chunk."""
    rows = [Block(BlockKind.ROW, f"BXD{n} | {n}.5 | female", (), "Strain | Mean | Sex") for n in range(120)]
    chunks = chunk_document(document(*rows), "", embedder)

    assert len(chunks) > 1
    assert {"Strain | Mean | Sex"} == {chunk.units[0].text for chunk in chunks}


def test_a_long_title_leaves_room_for_the_text(embedder: MiniLmEmbedder) -> None:
    """A title of a thousand words does not push the text out of the window."""
    parsed = document(Block(BlockKind.PARAGRAPH, "Short text.", ("heading " * 300,)), title="title " * 1000)
    [chunk] = chunk_document(parsed, "", embedder)

    assert tokens(chunk, embedder) <= embedder.window
