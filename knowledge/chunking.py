"""Cutting parsed documents into chunks along headings and sentences.

A chunk never spans two headings, never exceeds the embedding model's window together with its title and heading, and
no text is lost: a sentence longer than the window is cut at word pieces, a table repeats its header in every chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from knowledge.documents import Block, BlockKind, ParsedDocument
from knowledge.embeddings import Embedder
from knowledge.sentences import split_sentences

CHUNKING_VERSION = 1
TARGET_TOKENS = 180  # word pieces of text per chunk; with context this stays well inside MiniLM's 256
CONTEXT_TOKENS = 48  # word pieces of title and heading put before the text
SPECIAL_TOKENS = 2  # [CLS] and [SEP]


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence, list item, table row or run of code: the smallest thing that is quoted."""

    kind: BlockKind
    text: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of units below one heading.

    Attributes:
        title: The document's title.
        heading: Heading path joined by " > ".
        context: Title and heading, cut to `CONTEXT_TOKENS`, as embedded before the text.
        units: In reading order.
    """

    title: str
    heading: str
    context: str
    units: tuple[Unit, ...]

    @property
    def text(self) -> str:
        """The chunk as people read it: paragraphs as running text, one line per item, row or line of code."""
        return render_units(self.units)


def render_units(units: Sequence[Unit]) -> str:
    """Join units into readable text."""
    lines: list[str] = []
    for kind, group in groupby(units, key=lambda unit: unit.kind):
        texts = [unit.text for unit in group]
        if kind is BlockKind.PARAGRAPH:
            lines.append(" ".join(texts))
        elif kind is BlockKind.ITEM:
            lines.extend(f"- {text}" for text in texts)
        else:
            lines.extend(texts)
    return "\n".join(lines)


def chunk_document(document: ParsedDocument, title: str, embedder: Embedder) -> list[Chunk]:
    """Return the chunks of a document in reading order; `title` is used where the document has none of its own."""
    shown = document.title or title
    chunks: list[Chunk] = []
    for headings, blocks in groupby(document.blocks, key=lambda block: block.headings):
        heading = " > ".join(headings)
        context = _fit_context(shown, heading, embedder)
        budget = embedder.window - SPECIAL_TOKENS - embedder.count_tokens([context])[0]
        limit = min(TARGET_TOKENS, budget)
        for units in _pack(_units(blocks), limit, embedder):
            chunks.append(Chunk(shown, heading, context, tuple(units)))
    return chunks


def _fit_context(title: str, heading: str, embedder: Embedder) -> str:
    """Title and heading, the middle of the path given up first when they are too long."""
    parts = [part for part in (title, heading) if part]
    context = ": ".join(parts)
    if embedder.count_tokens([context])[0] <= CONTEXT_TOKENS:
        return context
    last = heading.rsplit(" > ", 1)[-1]
    context = ": ".join(part for part in (title, last) if part)
    cuts = embedder.split_points(context, CONTEXT_TOKENS)
    return context[: cuts[0]].rstrip() if cuts else context


def _units(blocks: Iterator[Block]) -> Iterator[tuple[Unit, str]]:
    """Yield each unit with the table header it stands under."""
    for block in blocks:
        if block.kind is BlockKind.PARAGRAPH:
            for sentence in split_sentences(block.text):
                yield Unit(block.kind, sentence), ""
        elif block.kind is BlockKind.CODE:
            for line in block.text.splitlines():
                if line.strip():
                    yield Unit(block.kind, line.rstrip()), ""
        else:
            yield Unit(block.kind, block.text), block.header


def _pack(units: Iterator[tuple[Unit, str]], limit: int, embedder: Embedder) -> Iterator[list[Unit]]:
    """Fill chunks up to `limit` word pieces; leave no last chunk of a few words where two even ones fit."""
    current: list[Unit] = []
    used = 0
    header = ""
    batch = list(units)
    counts = embedder.count_tokens([unit.text for unit, _ in batch])
    header_counts: dict[str, int] = {}
    for (unit, unit_header), count in zip(batch, counts, strict=True):
        for piece, size in _cut(unit, count, limit, embedder):
            if current and used + size > limit:
                yield current
                current, used, header = [], 0, ""
            if unit_header and unit_header != header:
                if unit_header not in header_counts:
                    header_counts[unit_header] = embedder.count_tokens([unit_header])[0]
                length = header_counts[unit_header]
                if length + size <= limit and (used + length + size <= limit):
                    current.append(Unit(BlockKind.ROW, unit_header))
                    used += length
                header = unit_header
            current.append(piece)
            used += size
    if current:
        yield current


def _cut(unit: Unit, count: int, limit: int, embedder: Embedder) -> Iterator[tuple[Unit, int]]:
    """Yield the unit whole, or in pieces of at most `limit` word pieces when it is longer."""
    if count <= limit:
        yield unit, count
        return
    cuts = [0, *_word_cuts(unit.text, embedder.split_points(unit.text, limit)), len(unit.text)]
    pieces = [unit.text[begin:end].strip() for begin, end in pairwise(cuts)]
    pieces = [piece for piece in pieces if piece]
    for piece, size in zip(pieces, embedder.count_tokens(pieces), strict=True):
        if size > limit:  # moving a cut to a word boundary can make a piece a little longer than the limit
            middle = len(piece) // 2
            for half in (piece[:middle], piece[middle:]):
                yield from _cut(Unit(unit.kind, half), embedder.count_tokens([half])[0], limit, embedder)
        else:
            yield Unit(unit.kind, piece), size


def _word_cuts(text: str, cuts: list[int]) -> list[int]:
    """Move each cut back to the last white space within 60 characters, if there is one."""
    moved: list[int] = []
    for cut in cuts:
        space = text.rfind(" ", max(cut - 60, moved[-1] if moved else 0), cut)
        moved.append(space if space > 0 else cut)
    return moved
