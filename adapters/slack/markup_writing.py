"""Writes elements in Slack's two markups. Only what stands here writes markup; every text passes `harmless` first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from adapters.slack.text import escape, fenced_code, guarded_lines, harmless, inline_code
from bot.markup.elements import (
    Element,
    Fence,
    Heading,
    ItemList,
    Line,
    Paragraph,
    Quotation,
    Run,
    Table,
)
from bot.markup.tables import as_columns, as_entries, in_bold

Way = Literal["mrkdwn", "markdown"]

_MARKS: dict[Way, tuple[str, str]] = {"mrkdwn": ("*", "_"), "markdown": ("**", "_")}
_BULLETS = "•◦▪"
_INDENT = "    "
_BRACKETS = str.maketrans("[]", "()")


def write_line(line: Line, way: Way) -> str:
    """Return a line in one of the markups."""
    parts: list[str] = []
    for place, run in enumerate(line):
        if run.url:
            parts.append(write_link(run.text, run.url, way))
        elif run.code:
            parts.append(write_code(run.text, way))
        else:
            parts.append(_styled(run, way, first=place == 0))
    return "".join(parts)


def write_link(label: str, url: str, way: Way) -> str:
    """Return a link to an address from `safe_url`; the label is untrusted, cleaned text of one line."""
    marker = label[1:-1] if label.startswith("[") and label.endswith("]") and label[1:-1].isdecimal() else ""
    shown = f"[{marker}]" if marker else escape(harmless(label)).strip() or "…"
    if way == "mrkdwn":
        return f"<{escape(url)}|{shown}>"
    return f"[{shown if marker else shown.translate(_BRACKETS)}]({escape(url)})"


def write_code(text: str, way: Way) -> str:
    """Return untrusted text between backticks, or "" where nothing is left."""
    code = inline_code(text)
    if not code:
        return ""
    return f"`{escape(code) if way == 'mrkdwn' else code}`"


def write(element: Element, way: Way) -> str:
    """Return an element in one of the markups, without an end of line after it."""
    match element:
        case Paragraph(lines):
            return "\n".join(write_line(line, way) for line in lines)
        case Heading(line, level):
            return _heading(line, level, way)
        case ItemList():
            return _list(element, way)
        case Quotation(lines):
            return "\n".join(f"> {write_line(line, way)}".rstrip() for line in lines)
        case Fence(text):
            return _fence(text, way)
        case Table():
            return _native_table(element) if way == "markdown" else _table(element)
        case _:
            return "---" if way == "markdown" else "─" * 12


def _styled(run: Run, way: Way, *, first: bool) -> str:
    text = harmless(run.text)
    if first and not run.bold and not run.italic:
        text = guarded_lines(text)
    text = escape(text)
    bold, italic = _MARKS[way]
    if run.italic:
        text = f"{italic}{text}{italic}"
    return f"{bold}{text}{bold}" if run.bold else text


def _heading(line: Line, level: int, way: Way) -> str:
    if way == "markdown":
        return f"{'##' if level < 3 else '###'} {write_line(_unstyled(line), way)}"
    return write_line(in_bold(line), way)


def _unstyled(line: Line) -> Line:
    return tuple(run if run.url or run.code else Run(run.text) for run in line)


def _list(element: ItemList, way: Way) -> str:
    written: list[str] = []
    depths: list[int] = []
    for item in element.items:
        while depths and depths[-1] > item.depth:
            depths.pop()
        if not depths or depths[-1] < item.depth:
            depths.append(item.depth)
        level = len(depths) - 1
        if item.number is not None:
            mark = f"{item.number}."
        else:
            mark = "-" if way == "markdown" else _BULLETS[min(level, len(_BULLETS) - 1)]
        lines = [write_line(line, way) for line in item.lines] or [""]
        indent = _INDENT * level
        hanging = indent + " " * (len(mark) + 1)
        written.append("\n".join([f"{indent}{mark} {lines[0]}", *(f"{hanging}{line}" for line in lines[1:] if line)]))
    return "\n".join(line.rstrip() for line in written)


def _fence(text: str, way: Way) -> str:
    code = fenced_code(text)
    return f"```\n{escape(code) if way == 'mrkdwn' else code}\n```"


def _native_table(table: Table) -> str:
    def row(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    rows = [[write_line(cell, "markdown").replace("|", "∣") for cell in line] for line in (table.header, *table.rows)]
    return "\n".join([row(rows[0]), row(["---"] * len(table.header)), *(row(cells) for cells in rows[1:])])


def _table(table: Table) -> str:
    """Return columns of fixed width where they are narrow, else each row as a list of what its columns say."""
    if not table.wide:
        return _fence(as_columns(table), "mrkdwn")
    return "\n\n".join("\n".join(write_line(line, "mrkdwn") for line in lines) for lines in as_entries(table))
