"""reStructuredText documents."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from knowledge.documents import BlockKind, ParsedDocument
from knowledge.parsing.blocks import BlockBuilder
from knowledge.parsing.tables import Row, is_pipe_line, pipe_rows

_ADORNMENT = re.compile(r"([=\-`:.'\"~^_*+#<>])\1{1,}[ \t]*")
_DIRECTIVE = re.compile(r"\.\.[ \t]+(?:\|[^|]+\|[ \t]+)?([\w:-]+)::(?:[ \t]+(.*))?")
_COMMENT = re.compile(r"\.\.(?:[ \t].*)?")
_OPTION = re.compile(r"[ \t]+:[\w-]+:(?:[ \t].*)?")
_ITEM = re.compile(r"([ \t]*(?:[-*+•]|\(?(?:\d{1,3}|#|[a-zA-Z])[.)])[ \t]+)(\S.*)")
_FIELD = re.compile(r":([\w -]{1,60}):(?:[ \t]+(.*))?")
_SIMPLE_RULE = re.compile(r"={2,}(?:[ \t]+={2,})+[ \t]*")
_CODE_DIRECTIVES = frozenset({"code-block", "code", "sourcecode", "parsed-literal", "literalinclude", "math", "prompt"})
_NAMING_DIRECTIVES = frozenset({"only", "container", "versionadded", "versionchanged", "deprecated"})
_TITLED_DIRECTIVES = frozenset({"admonition", "topic", "sidebar", "table", "rubric", "centered"})
_PROSE_DIRECTIVES = frozenset(
    {
        "note", "warning", "tip", "important", "caution", "danger", "attention", "hint", "error", "admonition", "topic",
        "sidebar", "epigraph", "container", "rubric", "versionadded", "versionchanged", "deprecated", "seealso", "only",
        "compound", "pull-quote", "highlights", "glossary", "table", "centered",
    }
)  # fmt: skip

_ROLE = re.compile(r":[\w:+-]{1,40}:`([^`]{1,500})`")
_LITERAL = re.compile(r"``([^\n]+?(?:\n[^\n`]+?)?)``")
_LINK = re.compile(r"`([^`<>]{1,500}?)\s*<[^<>`]{1,1000}>`__?")
_REFERENCE = re.compile(r"`([^`]{1,500})`__?|\b([A-Za-z][\w.-]*)__?(?=[\s.,;:!?)]|$)")
_INTERPRETED = re.compile(r"`([^`\n]{1,500})`")
_FOOTNOTE = re.compile(r"(?<![ \t])[ \t]*\[(?:#[\w-]*|\d{1,3}|\*)\]_")
_SUBSTITUTION = re.compile(r"\|([^|\s][^|\n]{0,100})\|_{0,2}")
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,2})(?=[^\s*])([^*]{0,500}?[^\s*])\1(?![\w*])")


@dataclass
class _Sections:
    """Adornments in the order they appear: the order is the level."""

    styles: list[str] = field(default_factory=list)

    def level(self, style: str) -> int:
        if style not in self.styles:
            self.styles.append(style)
        return self.styles.index(style) + 1


def parse_rst(text: str, name: str) -> ParsedDocument:
    """Read a reStructuredText document; the order in which adornments appear gives the levels of headings."""
    del name  # nothing can go wrong
    builder = BlockBuilder(inline=_inline)
    sections = _Sections()
    lines = [line.expandtabs(8).rstrip() for line in text.splitlines()]
    index = 0
    while index < len(lines):
        index = _add(builder, lines, index, sections)
    return builder.document("rst")


def _add(builder: BlockBuilder, lines: list[str], index: int, sections: _Sections) -> int:
    """Add what begins at a line; return the index of the line after it."""
    line = lines[index]
    following = lines[index + 1] if index + 1 < len(lines) else ""
    if not line:
        builder.end()
    elif _SIMPLE_RULE.fullmatch(line):
        return _add_simple_table(builder, lines, index)
    elif is_pipe_line(line.strip()):
        end = index
        while end < len(lines) and is_pipe_line(lines[end]):
            end += 1
        builder.table(pipe_rows(lines[index:end]))
        return end
    elif _ADORNMENT.fullmatch(line):
        underline = lines[index + 2] if index + 2 < len(lines) else ""
        if len(line) > 2 and following and underline[:1] == line[0] and _ADORNMENT.fullmatch(underline):
            builder.heading(sections.level(line[0] * 2), following)
            return index + 3
        builder.end()
    elif _is_title(builder, line, following):
        builder.heading(sections.level(following[0]), line)
        return index + 2
    elif directive := _DIRECTIVE.fullmatch(line.lstrip()):
        return _add_directive(builder, lines, index, directive.group(1).lower(), directive.group(2) or "")
    elif _COMMENT.fullmatch(line.lstrip()):
        builder.end()
        return _indented_end(lines, index)
    elif item := _ITEM.fullmatch(line):
        builder.begin(BlockKind.ITEM, item.group(2))
        return _maybe_literal(builder, lines, index, item.group(2))
    elif builder.open_kind is not BlockKind.PARAGRAPH and (pair := _FIELD.fullmatch(line)):
        builder.begin(BlockKind.ITEM, f"{pair.group(1)}: {pair.group(2) or ''}")
    elif builder.open_kind is None and not line[0].isspace() and following[:1] == " " and not line.endswith("::"):
        builder.begin(BlockKind.ITEM, line.rstrip(":") + ":")  # a term, its definition indented below
    elif line.lstrip().startswith(">>> "):
        end = index
        while end < len(lines) and lines[end]:
            end += 1
        builder.code("\n".join(lines[index:end]))
        return end
    else:
        builder.extend(line.removeprefix("| "))
        return _maybe_literal(builder, lines, index, line)
    return index + 1


def _is_title(builder: BlockBuilder, line: str, following: str) -> bool:
    if line[0].isspace() or builder.open_kind is not None or not _ADORNMENT.fullmatch(following):
        return False
    return len(following) >= 3 and len(following) + 3 >= len(line)


def _maybe_literal(builder: BlockBuilder, lines: list[str], index: int, text: str) -> int:
    """Add the literal block that a paragraph ending in `::` announces."""
    if not text.endswith("::"):
        return index + 1
    end = _indented_end(lines, index)
    builder.end()
    builder.code("\n".join(lines[index + 1 : end]))
    return end


def _indented_end(lines: list[str], index: int) -> int:
    """Return the index after the lines that are indented more deeply than the one at `index`."""
    indent = len(lines[index]) - len(lines[index].lstrip())
    end = last = index + 1
    while end < len(lines) and (not lines[end] or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
        if lines[end - 1]:
            last = end
    return last


def _add_directive(builder: BlockBuilder, lines: list[str], index: int, directive: str, argument: str) -> int:
    end = _indented_end(lines, index)
    content = lines[index + 1 : end]
    while content and _OPTION.fullmatch(content[0]):
        content.pop(0)
    builder.end()
    if directive in _CODE_DIRECTIVES:
        builder.code("\n".join(content) or (argument if directive == "math" else ""))
    elif directive == "list-table":
        _add_list_table(builder, content, any(":header-rows:" in line for line in lines[index + 1 : index + 8]))
    elif directive in _PROSE_DIRECTIVES:
        # The indented text is ordinary text again: take the indentation away and read on there.
        margin = min((len(line) - len(line.lstrip()) for line in content if line), default=0)
        start = end - len(content)
        lines[start:end] = [line[margin:] for line in content]
        if not argument or directive in _NAMING_DIRECTIVES:
            return start
        if directive in _TITLED_DIRECTIVES or start != index + 1:
            builder.paragraph(argument)
            return start
        lines[index] = argument  # its first line of text
        return index
    return end


def _add_list_table(builder: BlockBuilder, content: list[str], has_header: bool) -> None:
    """Add a table written as a list of lists."""
    rows: list[list[str]] = []
    for line in content:
        text = line.strip()
        if text.startswith("* -"):
            rows.append([text[3:].strip()])
        elif text.startswith("- ") or text == "-":
            (rows or [[]])[-1].append(text[1:].strip())
        elif rows and text:
            rows[-1][-1] = f"{rows[-1][-1]} {text}"
    builder.table([Row(cells, is_header=has_header and number == 0) for number, cells in enumerate(rows)])


def _add_simple_table(builder: BlockBuilder, lines: list[str], index: int) -> int:
    """Add a table whose columns are marked by rules of `=`."""
    spans = [match.span() for match in re.finditer(r"=+", lines[index])]
    starts = [start for start, _ in spans]
    rules = 1
    rows: list[list[str]] = []
    header_rows = 0
    end = index + 1
    while end < len(lines):
        line = lines[end]
        if _SIMPLE_RULE.fullmatch(line) or re.fullmatch(r"=+", line):
            rules += 1
            if rules == 2:
                header_rows = len(rows)
            following = lines[end + 1] if end + 1 < len(lines) else ""
            if rules == 3 or not following:
                end += 1
                break
        elif line:
            cells = [line[start:stop].strip() for start, stop in zip(starts, [*starts[1:], None], strict=True)]
            if rows and not cells[0] and len(rows) != header_rows:
                rows[-1] = [f"{old} {new}".strip() for old, new in zip(rows[-1], cells, strict=True)]
            else:
                rows.append(cells)
        end += 1
    is_headed = rules == 3 and header_rows >= 1
    builder.table([Row(cells, is_header=is_headed and number < header_rows) for number, cells in enumerate(rows)])
    return end


def _inline(text: str) -> str:
    text = _ROLE.sub(lambda role: re.sub(r"\s*<[^<>]*>$", "", role.group(1)).lstrip("~!"), text)
    text = _LITERAL.sub(r"\1", text)
    text = _LINK.sub(r"\1", text)
    text = _FOOTNOTE.sub("", text)
    text = _REFERENCE.sub(lambda reference: reference.group(1) or reference.group(2), text)
    text = _INTERPRETED.sub(r"\1", text)
    text = _SUBSTITUTION.sub(r"\1", text)
    text = _EMPHASIS.sub(r"\2", text)
    return re.sub(r"::(?=\s|$)", ":", text)
