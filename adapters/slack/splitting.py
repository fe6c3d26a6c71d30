"""Cuts a formatted text into pieces that fit Slack's blocks: between elements, then lines, sentences and words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from adapters.slack.markup import (
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
    trimmed,
)
from adapters.slack.markup_tables import as_entries
from adapters.slack.markup_writing import write, write_line

MAX_PART = 2800  # characters, written in either markup; Slack's limit for a section is 3,000
MAX_ROWS = 90  # of a table in one part; Slack's limit for its own tables is 100

_MAX_LINE = MAX_PART - 200  # leaves room for the marks of lists, quotations and fences
_HARD = 400  # characters of a word that fits nowhere; written they are at most six times as many
_WORD = re.compile(r"\s*\S+|\s+")
_SENTENCE_END = re.compile(r"[.!?\]][\"')\]]*\s*\Z")

_Thing = TypeVar("_Thing")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message, written both ways; each is complete in itself and has at most 3,000 characters."""

    mrkdwn: str
    markdown: str


def parts_of(elements: Iterable[Element]) -> list[Part]:
    """Return the pieces of a text in order."""
    pieces = (piece for element in elements for piece in cut(element))
    return [
        part for part in (Part(write(piece, "mrkdwn"), write(piece, "markdown")) for piece in pieces) if part.mrkdwn
    ]


def cut(element: Element) -> list[Element]:
    """Return an element, or several that say the same, of at most `MAX_PART` characters each in either markup."""
    if isinstance(element, Table):
        return _cut_table(element)
    if _length(element) <= MAX_PART:
        return [element]
    match element:
        case Paragraph(lines):
            return [Paragraph(group) for group in _groups(_short(lines), Paragraph)]
        case Quotation(lines):
            return [Quotation(group) for group in _groups(_short(lines), Quotation)]
        case Heading(line):
            return cut(Paragraph((line,)))
        case ItemList(items):
            short = [piece for item in items for piece in _cut_item(item)]
            return [ItemList(group) for group in _groups(short, ItemList)]
        case Fence(text):
            return [
                Fence("\n".join(group)) for group in _groups(_code_lines(text), lambda some: Fence("\n".join(some)))
            ]
        case _:
            return [element]


def _cut_table(table: Table) -> list[Element]:
    if not table.rows:
        return [table] if _length(table) <= MAX_PART else cut(Paragraph(table.header))
    pieces = [
        replace(table, rows=some)
        for group in _groups(table.rows, lambda rows: replace(table, rows=rows))
        for some in (group[start : start + MAX_ROWS] for start in range(0, len(group), MAX_ROWS))
    ]
    if all(_length(piece) <= MAX_PART for piece in pieces):
        return list(pieces)
    return [piece for entry in as_entries(table) for piece in cut(Paragraph(tuple(entry)))]


def _cut_item(item: Item) -> list[Item]:
    if _length(ItemList((item,))) <= MAX_PART:
        return [item]
    return [replace(item, lines=group) for group in _groups(_short(item.lines), Paragraph)]


def _length(element: Element) -> int:
    return max(len(write(element, "mrkdwn")), len(write(element, "markdown")))


def _groups(things: Sequence[_Thing], make: Callable[[tuple[_Thing, ...]], Element]) -> list[tuple[_Thing, ...]]:
    """Return neighbours together as far as they fit; one that does not fit alone stands alone."""
    groups: list[tuple[_Thing, ...]] = []
    current: list[_Thing] = []
    taken = 0
    for thing in things:
        size = _length(make((thing,))) + 1
        if current and taken + size > MAX_PART:
            groups += _halved(tuple(current), make)
            current, taken = [], 0
        current.append(thing)
        taken += size
    return groups + (_halved(tuple(current), make) if current else [])


def _halved(group: tuple[_Thing, ...], make: Callable[[tuple[_Thing, ...]], Element]) -> list[tuple[_Thing, ...]]:
    """Return a group, or halves of it where things are longer together than alone, as rows of columns are."""
    if len(group) < 2 or _length(make(group)) <= MAX_PART:
        return [group]
    middle = len(group) // 2
    return _halved(group[:middle], make) + _halved(group[middle:], make)


def _short(lines: Iterable[Line]) -> list[Line]:
    return [piece for line in lines for piece in _cut_line(line)]


def _line_length(line: Line) -> int:
    return max(len(write_line(line, "mrkdwn")), len(write_line(line, "markdown")))


def _cut_line(line: Line) -> list[Line]:
    """Return pieces of a line, cut after a sentence where one ends in their second half, else between words."""
    if _line_length(line) <= _MAX_LINE:
        return [line]
    pieces: list[Line] = []
    words: list[tuple[Run, int]] = []
    taken = 0
    for word in _words(line):
        words.append((word, _line_length((word,))))
        taken += words[-1][1]
        while taken > _MAX_LINE and len(words) > 1:
            end = _end_of_piece(words)
            pieces.append(_joined([run for run, _ in words[:end]]))
            words = words[end:]
            taken = sum(size for _, size in words)
    return [piece for piece in [*pieces, _joined([run for run, _ in words])] if piece]


def _end_of_piece(words: Sequence[tuple[Run, int]]) -> int:
    taken, best = 0, 0
    for place, (run, size) in enumerate(words[:-1]):
        taken += size
        if taken > _MAX_LINE // 2 and _SENTENCE_END.search(run.text):
            best = place + 1
    return best or max(1, len(words) - 1)


def _words(line: Line) -> Iterable[Run]:
    for run in line:
        if run.url:
            yield run
            continue
        for match in _WORD.finditer(run.text):
            word = match.group()
            for start in range(0, len(word), _HARD):
                yield replace(run, text=word[start : start + _HARD])


def _joined(runs: Sequence[Run]) -> Line:
    joined: list[Run] = []
    for run in runs:
        if joined and not run.url and replace(joined[-1], text="") == replace(run, text=""):
            joined[-1] = replace(run, text=joined[-1].text + run.text)
        else:
            joined.append(run)
    return trimmed(tuple(joined))


def _code_lines(text: str) -> list[str]:
    cut_lines: list[str] = []
    for line in text.split("\n"):
        if _length(Fence(line)) <= _MAX_LINE:
            cut_lines.append(line)
        else:
            cut_lines += [line[start : start + _HARD] for start in range(0, len(line), _HARD)]
    return cut_lines
