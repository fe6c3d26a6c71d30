"""Org mode documents."""

from __future__ import annotations

import re
from collections.abc import Callable

from knowledge.documents import BlockKind, ParsedDocument
from knowledge.parsing.blocks import BlockBuilder
from knowledge.parsing.tables import is_pipe_line, pipe_rows

_HEADING = re.compile(r"(\*+)[ \t]+(.*)")
_TODO = re.compile(r"(?:TODO|DONE|NEXT|WAITING|HOLD|CANCELLED|CANCELED|STARTED)[ \t]+")
_PRIORITY = re.compile(r"\[#[A-Z0-9]\][ \t]*")
_TAGS = re.compile(r"[ \t]+:[\w@#%:]+:[ \t]*$")
_KEYWORD = re.compile(r"[ \t]*#\+(\w+)(?:\[.*?\])?:[ \t]*(.*)")
_BEGIN = re.compile(r"[ \t]*#\+begin_(\w+)", re.IGNORECASE)
_DRAWER = re.compile(r"[ \t]*:([\w-]+):[ \t]*")
_PLANNING = re.compile(r"[ \t]*(?:SCHEDULED|DEADLINE|CLOSED):[ \t]*[<\[]")
_ITEM = re.compile(r"(?:[ \t]*(?:[-+]|\d{1,3}[.)])|[ \t]+\*)[ \t]+(.*)")
_TERM = re.compile(r"(.{1,120}?)[ \t]+::[ \t]+(.*)")
_FIXED = re.compile(r"[ \t]*:(?: (.*))?")
_CONTENTS_ITEM = re.compile(r"\[\[[#*][^\[\]]*\](?:\[[^\[\]]*\])?\]")
_RULE = re.compile(r"[ \t]*-{5,}[ \t]*")

_LINK = re.compile(r"\[\[([^\[\]\n]+(?:\n[^\[\]\n]+)?)\](?:\[([^\[\]]{1,500})\])?\]")
_TARGET = re.compile(r"<<<?[^<>\n]{1,100}>>>?")
_FOOTNOTE = re.compile(r"\[fn:[\w-]*(?::[^\[\]]*)?\][ \t]*")
_EMPHASIS = re.compile(
    r"(?:(?<=^)|(?<=[\s\-({'\"]))([*/_=~+])(?=[^\s])([^\n]{0,200}?\S)\1(?=[\s\-.,;:!?'\")}\[]|$)", re.MULTILINE
)
_IMAGE = re.compile(r"\.(?:png|jpe?g|gif|svg|webp)$", re.IGNORECASE)


def parse_org(text: str, name: str) -> ParsedDocument:
    """Read an org document: #+TITLE is the title, every star opens a section."""
    del name  # nothing can go wrong
    builder = BlockBuilder(inline=_inline, title_from_heading=False)
    lines = text.splitlines()
    index = 0
    while index < len(lines):
        index = _add(builder, lines, index)
    return builder.document("org")


def _add(builder: BlockBuilder, lines: list[str], index: int) -> int:
    """Add what begins at a line; return the index of the line after it."""
    line = lines[index]
    if not line.strip() or _RULE.fullmatch(line) or _PLANNING.match(line):
        builder.end()
    elif heading := _HEADING.fullmatch(line):
        builder.heading(len(heading.group(1)), _heading_text(heading.group(2)))
    elif is_pipe_line(line):
        end = _while(lines, index, is_pipe_line)
        builder.table(pipe_rows(lines[index:end]))
        return end
    elif begin := _BEGIN.match(line):
        return _add_region(builder, lines, index, begin.group(1).lower())
    elif keyword := _KEYWORD.fullmatch(line):
        if keyword.group(1).lower() == "title" and not builder.title:
            builder.title = " ".join(_inline(keyword.group(2)).split())
    elif line.lstrip().startswith("# ") or line.strip() == "#" or line.lstrip().startswith("#+"):
        pass
    elif _DRAWER.fullmatch(line):
        return _after_drawer(lines, index)
    elif _FIXED.fullmatch(line):
        end = _while(lines, index, lambda following: _FIXED.fullmatch(following) is not None)
        builder.code("\n".join(fixed.strip()[2:] for fixed in lines[index:end]))
        return end
    elif item := _ITEM.fullmatch(line):
        if _CONTENTS_ITEM.fullmatch(item.group(1).strip()):
            return index + 1
        term = _TERM.fullmatch(item.group(1))
        builder.begin(BlockKind.ITEM, f"{term.group(1)}: {term.group(2)}" if term else item.group(1))
    elif builder.open_kind is BlockKind.ITEM and not line[0].isspace():
        builder.begin(BlockKind.PARAGRAPH, line)
    else:
        builder.extend(line)
    return index + 1


def _while(lines: list[str], index: int, belongs: Callable[[str], bool]) -> int:
    while index < len(lines) and belongs(lines[index]):
        index += 1
    return index


def _add_region(builder: BlockBuilder, lines: list[str], index: int, kind: str) -> int:
    """Add what stands between #+begin_x and #+end_x; a region that is never closed ends with the document."""
    closing = re.compile(rf"[ \t]*#\+end_{re.escape(kind)}\b", re.IGNORECASE)
    end = _while(lines, index + 1, lambda line: closing.match(line) is None)
    content = lines[index + 1 : end]
    if kind in ("src", "example", "export"):
        builder.code("\n".join(line.removeprefix(",") if line.startswith(",*") else line for line in content))
    elif kind != "comment":
        builder.end()
        inner = 0
        while inner < len(content):
            inner = _add(builder, content, inner) if not _BEGIN.match(content[inner]) else inner + 1
        builder.end()
    return end + 1


def _after_drawer(lines: list[str], index: int) -> int:
    """Return the line after :END:, or the next line when a heading or another drawer comes first."""
    for end in range(index + 1, len(lines)):
        if lines[end].strip().upper() == ":END:":
            return end + 1
        if _HEADING.fullmatch(lines[end]) or _DRAWER.fullmatch(lines[end]):
            break
    return index + 1


def _heading_text(text: str) -> str:
    text = _TAGS.sub("", " " + text).strip()
    return _PRIORITY.sub("", _TODO.sub("", text, count=1), count=1)


def _inline(text: str) -> str:
    text = _FOOTNOTE.sub("", _TARGET.sub("", text))
    text = _LINK.sub(_label, text)
    return _EMPHASIS.sub(r"\2", text)


def _label(link: re.Match[str]) -> str:
    target, label = link.group(1), link.group(2)
    if label:
        return "" if _IMAGE.search(label) else label
    if _IMAGE.search(target) and not target.startswith("http"):
        return ""
    return target.removeprefix("file:").lstrip("*#")
