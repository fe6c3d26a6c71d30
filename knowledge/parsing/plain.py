"""Plain text, and what is left of RTF once its control words are gone."""

from __future__ import annotations

import re

from knowledge.documents import BlockKind, ParsedDocument
from knowledge.parsing.blocks import BlockBuilder
from knowledge.parsing.tables import is_pipe_line, pipe_rows
from knowledge.parsing.text import ITEM_MARK, starts_item

_UNDERLINE = re.compile(r"={3,}|-{3,}|~{3,}|\*{3,}|_{3,}")


def parse_plain(text: str, name: str) -> ParsedDocument:
    """Read plain text: an empty line parts paragraphs, a ruled line under a short one makes it a heading."""
    del name  # nothing can go wrong
    builder = BlockBuilder(leads=True)
    add_plain(builder, text)
    return builder.document("text")


def add_plain(builder: BlockBuilder, text: str) -> None:
    """Add the paragraphs, list entries and headings of plain text to a document under way."""
    lines = text.splitlines()
    table: list[str] = []
    for index, line in enumerate(lines):
        if is_pipe_line(line):
            table.append(line)
            continue
        if table:
            builder.table(pipe_rows(table))
            table = []
        following = lines[index + 1].strip() if index + 1 < len(lines) else ""
        stripped = line.strip()
        if not stripped or _UNDERLINE.fullmatch(stripped):
            builder.end()
        elif builder.open_kind is None and _UNDERLINE.fullmatch(following) and len(stripped) <= len(following) + 3:
            builder.heading(1 if following[0] == "=" else 2, stripped)
        elif starts_item(line, lines[index - 1] if index else ""):
            builder.begin(BlockKind.ITEM, ITEM_MARK.sub("", line))
        else:
            builder.extend(line)
    if table:
        builder.table(pipe_rows(table))
