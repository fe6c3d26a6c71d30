"""Jupyter notebooks."""

from __future__ import annotations

import json
from collections.abc import Iterator

from knowledge.documents import ParsedDocument
from knowledge.parsing import errors
from knowledge.parsing.blocks import BlockBuilder
from knowledge.parsing.markdown import add_markdown

_MAX_OUTPUT_CHARS = 2000


def parse_notebook(text: str, name: str) -> ParsedDocument:
    """Read a notebook: text cells as markdown, code cells as code, and short printed output.

    Raises:
        UnreadableError: If the JSON is damaged.
    """
    with errors.border(name, "Jupyter notebook"):
        content: object = json.loads(text)
    if not isinstance(content, dict):
        raise errors.damaged(name, "Jupyter notebook")
    builder = BlockBuilder(leads=True)
    for cell in _cells(content):
        kind, source = cell.get("cell_type"), _joined(cell.get("source", cell.get("input")))
        if kind == "markdown":
            add_markdown(builder, source, name)
        elif kind == "heading":  # notebooks before version 4
            level = cell.get("level")
            builder.heading(level if isinstance(level, int) and 1 <= level <= 6 else 1, source)
        elif kind == "code":
            builder.code(source)
            for output in _entries(cell.get("outputs")):
                printed = _joined(output.get("text"))
                if output.get("output_type") == "stream" and len(printed) < _MAX_OUTPUT_CHARS:
                    builder.code(printed)
        elif kind == "raw":
            builder.paragraph(source)
    return builder.document("notebook")


def _cells(content: dict[str, object]) -> Iterator[dict[str, object]]:
    yield from _entries(content.get("cells"))
    for sheet in _entries(content.get("worksheets")):  # notebooks before version 4
        yield from _entries(sheet.get("cells"))


def _entries(value: object) -> Iterator[dict[str, object]]:
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, dict):
            yield entry


def _joined(value: object) -> str:
    """Return text that is kept either whole or as a list of lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
