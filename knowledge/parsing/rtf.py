"""Rich Text Format, read with striprtf."""

from __future__ import annotations

import re
from collections.abc import Callable

from knowledge.documents import ParsedDocument
from knowledge.parsing import errors
from knowledge.parsing.blocks import BlockBuilder
from knowledge.parsing.tables import Row
from knowledge.parsing.text import ITEM_MARK

_TITLE = re.compile(r"\{\\title\s([^{}]{1,500})\}")
_STYLES = re.compile(r"\{\\stylesheet")
_STYLE_NAME = re.compile(r"\{[^{}]{0,20}\\s(\d{1,4})\b[^{}]{0,600}?\s(title|heading (\d))\s*;?\s*\}", re.IGNORECASE)
_FONT_USE = re.compile(r"\\f(?=\d)")
_STYLE_USE = re.compile(r"\\s(\d{1,4})(?!\d)[ ]?")
_MAX_STYLES_CHARS = 300_000

# striprtf passes characters on, so a heading's level travels in two characters that no text has.
_MARK = "\uf8f0"
_MARKED = re.compile(f"{_MARK}(\\d)")


def parse_rtf(text: str, name: str) -> ParsedDocument:
    """Read an RTF document; headings come from styles named "heading 1" to "heading 9".

    Raises:
        UnreadableError: If the document is damaged or shows no text.
        SettingsError: If striprtf is not installed.
    """
    with errors.border(name, "RTF document"):
        from striprtf.striprtf import rtf_to_text

        convert: Callable[..., object] = rtf_to_text
        plain = str(convert(_tamed(_mark_headings(text)), errors="ignore"))
        title = _TITLE.search(text)
        builder = BlockBuilder(leads=True)
        if title is not None:
            builder.title = " ".join(str(convert("{\\rtf1 " + title.group(1) + "}", errors="ignore")).split())
    _add_lines(builder, plain)
    document = builder.document("rtf")
    if not document.blocks:
        raise errors.textless(name)
    return document


def _add_lines(builder: BlockBuilder, text: str) -> None:
    table: list[Row] = []
    for raw in text.split("\n"):
        level = _MARKED.findall(raw)
        line = _MARKED.sub("", raw).strip()
        if line.endswith("|"):
            table.append(Row([cell.strip() for cell in line[:-1].split("|")]))
            continue
        if table:
            builder.table(table)
            table = []
        if level:
            builder.heading(int(level[-1]), line)
        elif ITEM_MARK.match(line):
            builder.item(ITEM_MARK.sub("", line))
        else:
            builder.paragraph(line)
    builder.table(table)


def _tamed(source: str) -> str:
    """Keep striprtf from writing link targets behind labels, and its patterns from running on over the whole text.

    Line ends mean nothing in RTF, and they end what those patterns take in.
    """
    return _FONT_USE.sub("\n\\\\f", source.replace("HYPERLINK", "LINK").replace("{\\field", "{\\field\n"))


def _mark_headings(source: str) -> str:
    """Put a mark with the level before the text of every paragraph whose style is a heading."""
    start = _STYLES.search(source)
    if start is None:
        return source
    styles = source[start.start() : start.start() + _MAX_STYLES_CHARS]
    levels = {number: level or "1" for number, _, level in _STYLE_NAME.findall(styles)}
    if not levels:
        return source

    def mark(use: re.Match[str]) -> str:
        level = levels.get(use.group(1))
        return use.group() if level is None else f"\\s{use.group(1)} {_MARK}{level}"

    return source[: start.start()] + _STYLE_USE.sub(mark, source[start.start() :])
