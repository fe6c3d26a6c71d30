"""Values between a source and the index: what was read, and what was understood of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

PARSING_VERSION = 1  # changes whenever the same bytes may give other blocks


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file a source offers; nothing is read before `read` is called.

    Attributes:
        source: Path relative to the folder or repository given, with forward slashes; for web pages the URL.
        size_bytes: Size before reading.
        read: Returns the raw bytes; raises `UnreadableError` with a sentence naming the file.
        url: Public page of the document, or None where none can be derived.
    """

    source: str
    size_bytes: int
    read: Callable[[], bytes]
    url: str | None = None


class BlockKind(StrEnum):
    """What a block of a document is; quoting treats each kind differently."""

    PARAGRAPH = "paragraph"
    ITEM = "item"  # one entry of a list
    ROW = "row"  # one row of a table, cells joined by " | "
    CODE = "code"  # preformatted text, line breaks kept


@dataclass(frozen=True, slots=True)
class Block:
    """A run of text that belongs together.

    Attributes:
        kind: See `BlockKind`.
        text: Plain text: no markup, entities decoded, white space folded (line breaks only in CODE).
        headings: Heading path above the block, outermost first, without the document's title.
        header: For ROW, the table's header row (cells joined by " | "), or "" when the table has none.
    """

    kind: BlockKind
    text: str
    headings: tuple[str, ...] = ()
    header: str = ""


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """The text of one file, free of markup.

    Attributes:
        title: The document's own title, or "" when it has none (the caller then derives one from the path).
        blocks: In reading order.
        format: Short name of the format found by content ("html", "markdown", "rtf", ...).
        url: A public page the document names for itself (front matter `url:`), or None.
    """

    title: str
    blocks: tuple[Block, ...]
    format: str
    url: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
