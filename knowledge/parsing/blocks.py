"""Assembly of a document from the headings and runs of text its parser finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from knowledge.documents import Block, BlockKind, ParsedDocument
from knowledge.parsing.tables import Row, split_header
from knowledge.parsing.text import MAX_HEADING_CHARS, code_text, fold, is_lead

BOLD_LEVEL = 7  # below every heading that is marked as one
LEAD_LEVEL = 8


@dataclass(frozen=True, slots=True)
class _BareHeading:
    """A heading with nothing under it so far; text that would be lost if nothing followed."""

    text: str
    level: int
    headings: tuple[str, ...]
    is_presumed: bool


@dataclass
class BlockBuilder:
    """Collects blocks in reading order and keeps the heading path.

    Attributes:
        inline: Removes the format's inline markup from a run of text; white space and entities are seen to here.
        title: The document's title, when known.
        title_from_heading: Whether the first heading of level 1 is the title.
        leads: Whether a short paragraph that ends in a colon may become a heading.
    """

    inline: Callable[[str], str] = str
    title: str = ""
    title_from_heading: bool = True
    leads: bool = False
    _blocks: list[Block] = field(default_factory=list)
    _path: list[tuple[int, str]] = field(default_factory=list)
    _open: BlockKind | None = None
    _lines: list[str] = field(default_factory=list)
    _bare: _BareHeading | None = None

    def heading(self, level: int, text: str) -> None:
        """Open a section; 1 is the outermost level."""
        self.end()
        text = fold(self.inline(text))
        if not text:
            return
        if len(text) > MAX_HEADING_CHARS:  # a paragraph that was given a heading's looks
            self._emit(BlockKind.PARAGRAPH, text)
            return
        self._settle(level)
        if level == 1 and (self.title == _without_colon(text) or (self.title_from_heading and not self.title)):
            self.title = _without_colon(text)
            self._path.clear()
            return
        self._descend(level, text, is_presumed=False)

    def presumed_heading(self, text: str, level: int = BOLD_LEVEL) -> None:
        """Open a section under a paragraph that only looks like a heading; with nothing under it, it stays text."""
        self.end()
        text = fold(self.inline(text))
        if not text:
            return
        self._settle(level)
        self._descend(level, text, is_presumed=True)

    def close_presumed(self) -> None:
        """Leave the section of a presumed heading, because another one begins within a paragraph."""
        self.end()
        self._settle()
        while self._path and self._path[-1][0] >= BOLD_LEVEL:
            self._path.pop()

    def begin(self, kind: BlockKind, text: str = "") -> None:
        """Start a run of lines that becomes one block."""
        self.end()
        self._open = kind
        self._lines = [text]

    def extend(self, text: str) -> None:
        """Add a line to the open run; without one, start a paragraph."""
        if self._open is None:
            self.begin(BlockKind.PARAGRAPH, text)
        else:
            self._lines.append(text)

    @property
    def open_kind(self) -> BlockKind | None:
        """Kind of the run that takes further lines, or None."""
        return self._open

    def end(self) -> None:
        """Close the open run, if any."""
        kind, self._open = self._open, None
        if kind is None:
            return
        text = fold(self.inline("\n".join(self._lines)))
        if kind is BlockKind.PARAGRAPH and text and self.leads and is_lead(text):
            self.presumed_heading(text, LEAD_LEVEL)
        else:
            self._emit(kind, text)

    def paragraph(self, text: str) -> None:
        """Add one paragraph."""
        self.begin(BlockKind.PARAGRAPH, text)
        self.end()

    def item(self, text: str) -> None:
        """Add one list entry."""
        self.begin(BlockKind.ITEM, text)
        self.end()

    def code(self, text: str) -> None:
        """Add preformatted text."""
        self.end()
        self._emit(BlockKind.CODE, code_text(text))

    def table(self, rows: Sequence[Row]) -> None:
        """Add a table; its header row, when there is one, goes with every row below it."""
        self.end()
        cleaned = [Row([fold(self.inline(cell)) for cell in row.cells], row.is_header, row.is_strong) for row in rows]
        captions, header, body = split_header(cleaned)
        for caption in captions:
            self._emit(BlockKind.PARAGRAPH, caption)
        current = header
        for row in body:
            if row.is_header:
                current = row.text()
            else:
                self._emit(BlockKind.ROW, row.text(), current)

    def document(
        self, format_name: str, url: str | None = None, metadata: dict[str, str] | None = None
    ) -> ParsedDocument:
        """Close everything and return the document."""
        self.end()
        self._settle()
        return ParsedDocument(
            title=self.title, blocks=tuple(self._blocks), format=format_name, url=url, metadata=metadata or {}
        )

    def _descend(self, level: int, text: str, *, is_presumed: bool) -> None:
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        self._bare = _BareHeading(text, level, self._headings(), is_presumed)
        self._path.append((level, _without_colon(text)))

    def _headings(self) -> tuple[str, ...]:
        return tuple(text for _, text in self._path)

    def _emit(self, kind: BlockKind, text: str, header: str = "") -> None:
        if text and any(character.isalnum() for character in text):
            self._bare = None
            self._blocks.append(Block(kind, text, self._headings(), header))

    def _settle(self, next_level: int = 0) -> None:
        """Keep a heading as text when nothing followed it before a heading of `next_level` (0: the end).

        A single word ("Description") is a form left blank. A heading with another one below it is kept in its path.
        """
        bare, self._bare = self._bare, None
        if bare is None or next_level > bare.level or (not bare.is_presumed and bare.text.rstrip(": ").isalpha()):
            return
        self._blocks.append(Block(BlockKind.PARAGRAPH, bare.text, bare.headings))


def _without_colon(text: str) -> str:
    return text.rstrip(": ") or text
