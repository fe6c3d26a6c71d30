"""Writes elements as HTML and as plain text with the same words. Only what stands here writes tags.

The tags are p, br, strong, em, code, pre, ul, ol, li, blockquote, h3, h4, table, thead, tbody, tr, th, td and a: all in
the subset that Matrix's specification suggests, and all that clients show alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.matrix.text import escape, harmless, harmless_code, is_link, is_permalink
from bot.markup.elements import (
    Element,
    Fence,
    Heading,
    Item,
    ItemList,
    Line,
    Paragraph,
    Quotation,
    Run,
    Table,
)
from bot.markup.tables import as_columns

_RULE = "─" * 12
_BULLETS = "•◦▪"
_INDENT = "    "


@dataclass(frozen=True, slots=True)
class Shown:
    """A piece of a message.

    Attributes:
        plain: For `body`; addresses of links stand behind their labels.
        html: For `formatted_body`.
    """

    plain: str
    html: str


def write(element: Element) -> Shown:
    """Return an element in both ways, without an end of line after it."""
    match element:
        case Paragraph(lines):
            written = [write_line(line) for line in lines]
            return Shown("\n".join(one.plain for one in written), f"<p>{'<br>'.join(one.html for one in written)}</p>")
        case Heading(line, level):
            shown, tag = write_line(line), "h3" if level < 3 else "h4"
            return Shown(shown.plain, f"<{tag}>{shown.html}</{tag}>")
        case ItemList(items):
            entries = _levels(items)
            return Shown(_plain_list(entries), _html_list(entries))
        case Quotation(lines):
            return _quotation(lines)
        case Fence(text, language):
            code = harmless_code(text)
            attribute = f' class="language-{language}"' if language else ""
            return Shown(code, f"<pre><code{attribute}>{escape(code)}</code></pre>")
        case Table():
            return Shown(_plain_table(element), _html_table(element))
        case _:
            return Shown(_RULE, f"<p>{_RULE}</p>")


def write_line(line: Line) -> Shown:
    """Return a line in both ways."""
    written = [_write_run(run) for run in line]
    return Shown("".join(one.plain for one in written), "".join(one.html for one in written))


def _write_run(run: Run) -> Shown:
    if run.url:
        return _write_link(run)
    if run.code:
        code = harmless_code(run.text)
        return Shown(code, f"<code>{escape(code)}</code>")
    text = harmless(run.text)
    tagged = escape(text)
    if run.italic:
        tagged = f"<em>{tagged}</em>"
    return Shown(text, f"<strong>{tagged}</strong>" if run.bold else tagged)


def _write_link(run: Run) -> Shown:
    """Return a label with its address: in `body` behind it, as a link's in HTML; a mark [n] is a label alone."""
    marker = run.text.startswith("[") and run.text.endswith("]") and run.text[1:-1].isdecimal()
    label = run.text if marker else harmless(run.text).strip() or "…"
    if is_link(run.url):
        return Shown(label if marker else f"{label} ({run.url})", f'<a href="{escape(run.url)}">{escape(label)}</a>')
    if marker:
        return Shown(label, label)
    address = harmless(run.url) if is_permalink(run.url) else run.url
    return Shown(f"{label} ({address})", escape(f"{label} ({address})"))


def _quotation(lines: Sequence[Line]) -> Shown:
    paragraphs: list[list[Shown]] = [[]]
    for line in lines:
        if line:
            paragraphs[-1].append(write_line(line))
        else:
            paragraphs.append([])
    filled = [paragraph for paragraph in paragraphs if paragraph]
    plain = "\n>\n".join("\n".join(f"> {one.plain}" for one in paragraph) for paragraph in filled)
    tagged = "".join(f"<p>{'<br>'.join(one.html for one in paragraph)}</p>" for paragraph in filled)
    return Shown(plain, f"<blockquote>{tagged}</blockquote>")


def _levels(items: Sequence[Item]) -> list[tuple[int, Item]]:
    """Return entries with their levels from 0, each at most one deeper than the one before."""
    found: list[tuple[int, Item]] = []
    depths: list[int] = []
    for item in items:
        while depths and depths[-1] > item.depth:
            depths.pop()
        if not depths or depths[-1] < item.depth:
            depths.append(item.depth)
        found.append((len(depths) - 1, item))
    return found


def _plain_list(entries: Sequence[tuple[int, Item]]) -> str:
    written: list[str] = []
    for level, item in entries:
        mark = _BULLETS[min(level, len(_BULLETS) - 1)] if item.number is None else f"{item.number}."
        lines = [write_line(line).plain for line in item.lines] or [""]
        indent = _INDENT * level
        hanging = indent + " " * (len(mark) + 1)
        written += [f"{indent}{mark} {lines[0]}", *(f"{hanging}{line}" for line in lines[1:] if line)]
    return "\n".join(line.rstrip() for line in written)


def _html_list(entries: Sequence[tuple[int, Item]]) -> str:
    """Return the lists that entries make; what is deeper than the first stands within the entry before it."""
    base = entries[0][0]
    written: list[str] = []
    tag, number, place = "", 0, 0
    while place < len(entries):
        item = entries[place][1]
        end = place + 1
        while end < len(entries) and entries[end][0] > base:
            end += 1
        wanted = "ul" if item.number is None else "ol"
        if wanted != tag or (item.number is not None and item.number != number):
            start = f' start="{item.number}"' if item.number not in (None, 1) else ""
            written.append((f"</{tag}>" if tag else "") + f"<{wanted}{start}>")
            tag, number = wanted, item.number or 0
        number += 1
        inner = _html_list(entries[place + 1 : end]) if end > place + 1 else ""
        lines = "<br>".join(write_line(line).html for line in item.lines)
        written.append(f"<li>{lines}{inner}</li>")
        place = end
    return "".join([*written, f"</{tag}>"])


def _plain_table(table: Table) -> str:
    if not table.wide:
        return harmless(as_columns(table))
    return "\n".join(" | ".join(write_line(cell).plain for cell in row) for row in (table.header, *table.rows))


def _html_table(table: Table) -> str:
    def row(cells: Sequence[Line], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{write_line(cell).html}</{tag}>' for cell in cells)}</tr>"

    body = "".join(row(cells, "td") for cells in table.rows)
    return f"<table><thead>{row(table.header, 'th')}</thead>{f'<tbody>{body}</tbody>' if body else ''}</table>"
