"""AsciiDoc documents."""

from __future__ import annotations

import re

from knowledge.documents import BlockKind, ParsedDocument
from knowledge.parsing.blocks import BlockBuilder
from knowledge.parsing.tables import Row

_HEADING = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*)")
_ATTRIBUTE = re.compile(r":!?([\w-]+)!?:(?:[ \t]+(.*))?")
_BLOCK_ATTRIBUTES = re.compile(r"\[[^\[\]]*(?:\[[^\[\]]*\])?\][ \t]*")
_BLOCK_TITLE = re.compile(r"\.([^\s.].*)")
_FENCE = re.compile(r"(?:-{4,}|\.{4,}|={4,}|\*{4,}|_{4,}|\+{4,}|/{4,}|--|```\w*)[ \t]*")
_VERBATIM = ("-", ".", "`", "+")
_TABLE = re.compile(r"[|,:!]={3,}[ \t]*")
_ITEM = re.compile(r"[ \t]*(?:\*{1,5}|-|\.{1,5}|\d{1,3}\.)[ \t]+(?:\[[ xX*]\][ \t]+)?(\S.*)")
_TERM = re.compile(r"[ \t]*(\S.{0,120}?)(?:::{1,3}|;;)(?:[ \t]+(.*))?")
_ADMONITION = re.compile(r"(NOTE|TIP|IMPORTANT|WARNING|CAUTION):[ \t]+(.*)")
_MACRO = re.compile(r"(?:image|video|audio|include|toc|ifdef|ifndef|endif|ifeval)::?[^\s\[]*\[[^\]]*\][ \t]*")
_CELL = re.compile(r"(?:^|(?<=\s))(?:\d*(?:\.\d+)?[+*]?[<^>]?(?:\.[<^>])?[adehlmsv]?)?\|(?!\|)")

_LINK = re.compile(
    r"(?:link:|xref:|mailto:)?((?:https?://|ftp://|irc://)[^\s\[\]<>]{1,2000}|(?<=link:)[^\s\[\]]{1,2000}|(?<=xref:)[^\s\[\]]{1,2000})\[([^\[\]]{0,1000})\]"
)
_XREF = re.compile(r"<<([^<>,]{1,200})(?:,[ \t]*([^<>]{1,300}))?>>")
_ANCHOR = re.compile(r"\[\[[^\[\]]{1,200}\]\]|\[#[\w-]+\](?=[*_`#])")
_FOOTNOTE = re.compile(r"footnote(?:ref)?:\w*\[[^\[\]]*\]")
_IMAGE = re.compile(r"image:[^\s\[:][^\s\[]{0,1000}\[[^\[\]]{0,1000}\]")
_EMPHASIS = re.compile(r"(?<![\w*_`#+])([*_`#+]{1,2})(?=\S)([^\n]{0,300}?\S)\1(?![\w*_`#+])")


def parse_asciidoc(text: str, name: str) -> ParsedDocument:
    """Read an AsciiDoc document: `= Title` is the title, `==` opens the outermost sections."""
    del name  # nothing can go wrong
    builder = BlockBuilder(inline=_inline)
    lines = text.splitlines()
    index = 0
    in_header = True
    while index < len(lines):
        line = lines[index]
        if in_header and (_ATTRIBUTE.fullmatch(line) or line.startswith("= ")):
            in_header = True
        elif line.strip():
            in_header = False
        index = _add(builder, lines, index)
    return builder.document("asciidoc")


def _add(builder: BlockBuilder, lines: list[str], index: int) -> int:
    """Add what begins at a line; return the index of the line after it."""
    line = lines[index]
    if not line.strip() or line.strip() in ("+", "'''", "<<<"):
        builder.end()
    elif line.startswith("//") and not line.startswith("////"):
        pass
    elif _TABLE.fullmatch(line):
        return _add_table(builder, lines, index)
    elif _FENCE.fullmatch(line):
        return _add_fenced(builder, lines, index)
    elif heading := _HEADING.fullmatch(line):
        builder.heading(len(heading.group(1)), heading.group(2))
    elif _ATTRIBUTE.fullmatch(line) or _BLOCK_ATTRIBUTES.fullmatch(line) or _MACRO.fullmatch(line):
        builder.end()
    elif title := _BLOCK_TITLE.fullmatch(line):
        builder.paragraph(title.group(1))
    elif item := _ITEM.fullmatch(line):
        builder.begin(BlockKind.ITEM, item.group(1))
    elif admonition := _ADMONITION.fullmatch(line):
        builder.begin(BlockKind.PARAGRAPH, admonition.group(2))
    elif builder.open_kind is None and (term := _TERM.fullmatch(line)):
        builder.begin(BlockKind.ITEM, f"{term.group(1)}: {term.group(2) or ''}")
    elif builder.open_kind is None and line.startswith((" ", "\t")):
        end = index
        while end < len(lines) and lines[end].startswith((" ", "\t")):
            end += 1
        builder.code("\n".join(lines[index:end]))
        return end
    else:
        builder.extend(line.removesuffix(" +"))
    return index + 1


def _add_fenced(builder: BlockBuilder, lines: list[str], index: int) -> int:
    """Add a delimited block: code as it stands, comments not at all, sidebars and quotes as ordinary text."""
    fence = lines[index].strip()
    closing = "```" if fence.startswith("```") else fence
    builder.end()
    if fence[0] not in (*_VERBATIM, "/") or fence == "--":
        return index + 1  # its closing fence is passed over the same way
    end = index + 1
    while end < len(lines) and lines[end].strip() != closing:
        end += 1
    if fence[0] != "/":
        builder.code("\n".join(lines[index + 1 : end]))
    return end + 1


def _add_table(builder: BlockBuilder, lines: list[str], index: int) -> int:
    """Add a table: cells begin with a bar, alone or several on a line; the first line tells the number of columns."""
    fence = lines[index].strip()
    options = lines[index - 1] if index and lines[index - 1].startswith("[") else ""
    end = index + 1
    while end < len(lines) and lines[end].strip() != fence:
        end += 1
    content = lines[index + 1 : end]
    cells: list[str] = []
    first_line_cells = 0
    for number, line in enumerate(content):
        parts = _CELL.split(line)
        if cells and parts[0].strip():
            cells[-1] = f"{cells[-1]} {parts[0].strip()}"
        cells.extend(part.strip() for part in parts[1:])
        if number == 0 or not first_line_cells:
            first_line_cells = len(cells)
    columns = _columns(options) or first_line_cells or 1
    rows = [Row(cells[start : start + columns]) for start in range(0, len(cells), columns)]
    has_header = "header" in options or (len(content) > 1 and bool(content[0].strip()) and not content[1].strip())
    if rows and has_header:
        rows[0] = Row(rows[0].cells, is_header=True)
    builder.table(rows)
    return end + 1


def _columns(options: str) -> int:
    """Return the number of columns that `[cols="1,2*"]` asks for, or 0."""
    match = re.search(r"cols\s*=\s*(?:\"([^\"]*)\"|([\d*]+))", options)
    if match is None:
        return 0
    total = 0
    for part in (match.group(1) or match.group(2) or "").split(","):
        repeat = re.match(r"\s*(\d{1,2})\*", part)
        total += int(repeat.group(1)) if repeat else 1
    return total


def _inline(text: str) -> str:
    text = _FOOTNOTE.sub("", _ANCHOR.sub("", _IMAGE.sub("", text)))
    text = _LINK.sub(lambda link: link.group(2).rstrip("^").strip('"') or link.group(1), text)
    text = _XREF.sub(lambda link: link.group(2) or link.group(1), text)
    for _ in range(2):  # bold around italics
        text = _EMPHASIS.sub(r"\2", text)
    return text
