"""Gemtext: the line format of gemini pages, in which GeneNetwork keeps its issues and topics."""

from __future__ import annotations

import re

from knowledge.documents import BlockKind, ParsedDocument
from knowledge.parsing.blocks import BlockBuilder
from knowledge.parsing.tables import is_pipe_line, pipe_rows

_HEADING = re.compile(r"(#{1,6})[ \t]*([^\s#].*)")
_LINK = re.compile(r"=>[ \t]*(\S+)(?:[ \t]+(.*))?")
_ITEM = re.compile(r"[ \t]*(?:[*\-+]|\d{1,3}[.)])[ \t]+(?:[*\-+][ \t]+)?(.+)")
_INDENTED = re.compile(r"[ \t]{1,12}\S")
# Authors write some markdown in gemtext too; what it marks is kept.
_MARKDOWN_LINK = re.compile(r"!?\[([^\[\]]{1,300})\]\([^()\s]{1,2000}\)")
_MARKDOWN_STRONG = re.compile(r"\*\*(?=[^\s*])([^*\n]{1,300})(?<=\S)\*\*")
_MARKDOWN_CODE = re.compile(r"`{1,2}([^`\n]{1,300})`{1,2}")


def parse_gemtext(text: str, name: str) -> ParsedDocument:
    """Read a gemtext document; lines that follow each other are taken as one wrapped paragraph."""
    del name  # nothing can go wrong
    builder = BlockBuilder(inline=_inline)
    code: list[str] | None = None
    table: list[str] = []
    for line in text.splitlines():
        if code is not None:
            if line.startswith("```"):
                builder.code("\n".join(code))
                code = None
            else:
                code.append(line)
            continue
        if is_pipe_line(line):
            table.append(line)
            continue
        if table:
            builder.table(pipe_rows(table))
            table = []
        if line.startswith("```"):
            builder.end()
            code = []
        else:
            _add_line(builder, line)
    if table:
        builder.table(pipe_rows(table))
    if code:
        builder.code("\n".join(code))
    return builder.document("gemtext")


def _add_line(builder: BlockBuilder, line: str) -> None:
    if not line.strip():
        builder.end()
    elif heading := _HEADING.fullmatch(line):
        builder.heading(len(heading.group(1)), heading.group(2))
    elif link := _LINK.fullmatch(line):
        builder.item(link.group(2) or link.group(1))
    elif item := _ITEM.fullmatch(line):
        builder.begin(BlockKind.ITEM, item.group(1))
    elif line.startswith(">"):
        builder.extend(line.lstrip("> "))
    elif builder.open_kind is BlockKind.ITEM and not _INDENTED.match(line):
        builder.begin(BlockKind.PARAGRAPH, line)
    else:
        builder.extend(line)


def _inline(text: str) -> str:
    text = _MARKDOWN_LINK.sub(r"\1", text)
    text = _MARKDOWN_STRONG.sub(r"\1", text)
    return _MARKDOWN_CODE.sub(r"\1", text)
