"""The text of an answer and of a passage, as blocks that a template shows; nothing in them is markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from bot.addresses import safe_url
from bot.evidence import Citation, SentenceKind
from bot.library import Piece
from bot.markup.elements import Element, Fence, Heading, Item, ItemList, Line, Paragraph, Quotation, Table
from bot.markup.parsing import Links, parse
from bot.plain_text import clean
from bot.web.marking import Span, mark

BlockKind = Literal["paragraph", "heading", "list", "quotation", "code", "table", "rule"]

_CELLS = " | "  # between the cells of a row, as passages have them
_BULLET = "- "


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a list, with the lists within it."""

    lines: tuple[Line, ...]
    lists: tuple[Entries, ...] = ()


@dataclass(frozen=True, slots=True)
class Entries:
    """A list; `start` is the number of its first entry, None where entries have dots."""

    start: int | None
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A block of an answer.

    Attributes:
        kind: What it is.
        lines: Of a paragraph, heading or quotation.
        lists: Of a list.
        text: Of code.
        header: Of a table.
        rows: Of a table.
    """

    kind: BlockKind
    lines: tuple[Line, ...] = ()
    lists: tuple[Entries, ...] = ()
    text: str = ""
    header: tuple[Line, ...] = ()
    rows: tuple[tuple[Line, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Pieces of one kind that follow each other in a passage; `lines` in spans, sentences of prose in one line."""

    kind: SentenceKind
    lines: tuple[tuple[Span, ...], ...]


def answer_blocks(text: str, citations: Sequence[Citation], places: Mapping[int, str]) -> list[Block]:
    """Return the blocks of an answer.

    Args:
        text: Of the answer: plain, or the markdown subset of the agent.
        citations: Of the answer.
        places: Where a citation's number leads, by number. No other link is made.
    """
    numbers = {form: one.n for one in reversed(citations) if (url := safe_url(one.url)) for form in (url, str(one.url))}
    links = Links(places, {address: n for address, n in numbers.items() if n in places})
    return [_block(element) for element in parse(text, links)]


def pieces_of(text: str) -> list[Piece]:
    """Return the pieces of a passage whose text alone is known, as `knowledge.chunking.render_units` writes it."""
    pieces = []
    for line in text.splitlines():
        if line.startswith(_BULLET):
            pieces.append(Piece(line.removeprefix(_BULLET), "item"))
        elif line.strip():
            pieces.append(Piece(line, "row" if _CELLS in line else "prose"))
    return pieces


def stretches(pieces: Sequence[Piece], quote: str) -> tuple[tuple[Stretch, ...], tuple[str, ...]]:
    """Return what a passage holds, with the quoted words marked, and stretches of the quote that do not stand there."""
    marked = mark([clean(piece.text) for piece in pieces], clean(quote))
    found: list[Stretch] = []
    with_spans = zip(pieces, marked.texts, strict=True)
    for kind, group in groupby(with_spans, key=lambda one: one[0].kind):
        lines = [spans for _, spans in group if spans]
        found.append(Stretch(kind, (_joined(lines),) if kind == "prose" else tuple(lines)))
    return tuple(found), marked.missing


def _joined(lines: Iterable[tuple[Span, ...]]) -> tuple[Span, ...]:
    """Return sentences as one line; the blank between two that are cited is cited too."""
    joined: list[Span] = []
    for spans in lines:
        if joined and joined[-1].cited and spans[0].cited:
            joined[-1] = Span(f"{joined[-1].text} {spans[0].text}", cited=True)
            joined += spans[1:]
        elif joined:
            joined += [Span(" "), *spans]
        else:
            joined += spans
    return tuple(joined)


def _block(element: Element) -> Block:
    match element:
        case Paragraph(lines):
            return Block("paragraph", lines)
        case Heading(line):
            return Block("heading", (line,))
        case ItemList(items):
            return Block("list", lists=_lists(items))
        case Quotation(lines):
            return Block("quotation", lines)
        case Fence(text):
            return Block("code", text=text)
        case Table(header, rows):
            return Block("table", header=header, rows=rows)
        case _:
            return Block("rule")


def _lists(items: Sequence[Item]) -> tuple[Entries, ...]:
    """Return entries as lists within lists; numbers that do not go on begin a new one."""
    base = min((item.depth for item in items), default=0)
    found: list[tuple[int | None, list[Entry]]] = []
    place = 0
    while place < len(items):
        item = items[place]
        end = place + 1
        while end < len(items) and items[end].depth > base:
            end += 1
        if item.depth == base:
            entry = Entry(item.lines, _lists(items[place + 1 : end]))
        else:  # the first is deeper than what follows
            entry = Entry((), _lists(items[place:end]))
        if found and _goes_on(found[-1], item):
            found[-1][1].append(entry)
        else:
            found.append((item.number, [entry]))
        place = end
    return tuple(Entries(start, tuple(entries)) for start, entries in found)


def _goes_on(before: tuple[int | None, list[Entry]], item: Item) -> bool:
    start, entries = before
    return item.number is None if start is None else item.number == start + len(entries)
