"""Cuts a formatted text into pieces of limited length: between elements, then lines, sentences and words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeVar

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
    trimmed,
)
from bot.markup.tables import as_entries

MAX_ROWS: Final = 90  # of a table in one piece; every chat shows as many

_MARKS: Final = 200  # what is left for the marks of lists, quotations and fences around a line
_HARD: Final = 400  # characters of a word that fits nowhere
_WORD = re.compile(r"\s*\S+|\s+")
_SENTENCE_END = re.compile(r"[.!?\]][\"')\]]*\s*\Z")

_Thing = TypeVar("_Thing")


class Cutter:
    """Cuts elements for one way of writing them.

    Args:
        length: Of an element as it is written, in any unit in which 400 characters are never more than `limit` - 200.
        limit: Greatest length of a piece.
    """

    def __init__(self, length: Callable[[Element], int], limit: int) -> None:
        self._length = length
        self._limit = limit
        self._max_line = limit - _MARKS

    def cut(self, element: Element) -> list[Element]:
        """Return an element, or several that say the same, each within the limit and complete in itself."""
        if isinstance(element, Table):
            return self._cut_table(element)
        if self._length(element) <= self._limit:
            return [element]
        match element:
            case Paragraph(lines):
                return [Paragraph(group) for group in self._groups(self._short(lines), Paragraph)]
            case Quotation(lines):
                return [Quotation(group) for group in self._groups(self._short(lines), Quotation)]
            case Heading(line):
                return self.cut(Paragraph((line,)))
            case ItemList(items):
                short = [piece for item in items for piece in self._cut_item(item)]
                return [ItemList(group) for group in self._groups(short, ItemList)]
            case Fence(text, language):

                def fence(lines: Sequence[str]) -> Fence:
                    return Fence("\n".join(lines), language)

                return [fence(group) for group in self._groups(self._code_lines(text), fence)]
            case _:
                return [element]

    def _cut_table(self, table: Table) -> list[Element]:
        if not table.rows:
            return [table] if self._length(table) <= self._limit else self.cut(Paragraph(table.header))
        pieces = [
            replace(table, rows=some)
            for group in self._groups(table.rows, lambda rows: replace(table, rows=rows))
            for some in (group[start : start + MAX_ROWS] for start in range(0, len(group), MAX_ROWS))
        ]
        if all(self._length(piece) <= self._limit for piece in pieces):
            return list(pieces)
        return [piece for entry in as_entries(table) for piece in self.cut(Paragraph(tuple(entry)))]

    def _cut_item(self, item: Item) -> list[Item]:
        if self._length(ItemList((item,))) <= self._limit:
            return [item]
        return [replace(item, lines=group) for group in self._groups(self._short(item.lines), Paragraph)]

    def _groups(
        self, things: Sequence[_Thing], make: Callable[[tuple[_Thing, ...]], Element]
    ) -> list[tuple[_Thing, ...]]:
        """Return neighbours together as far as they fit; one that does not fit alone stands alone."""
        groups: list[tuple[_Thing, ...]] = []
        current: list[_Thing] = []
        taken = 0
        for thing in things:
            size = self._length(make((thing,))) + 1
            if current and taken + size > self._limit:
                groups += self._halved(tuple(current), make)
                current, taken = [], 0
            current.append(thing)
            taken += size
        return groups + (self._halved(tuple(current), make) if current else [])

    def _halved(
        self, group: tuple[_Thing, ...], make: Callable[[tuple[_Thing, ...]], Element]
    ) -> list[tuple[_Thing, ...]]:
        """Return a group, or halves of it where things are longer together than alone, as rows of columns are."""
        if len(group) < 2 or self._length(make(group)) <= self._limit:
            return [group]
        middle = len(group) // 2
        return self._halved(group[:middle], make) + self._halved(group[middle:], make)

    def _short(self, lines: Iterable[Line]) -> list[Line]:
        return [piece for line in lines for piece in self._cut_line(line)]

    def _line_length(self, line: Line) -> int:
        return self._length(Paragraph((line,)))

    def _cut_line(self, line: Line) -> list[Line]:
        """Return pieces of a line, cut after a sentence where one ends in their second half, else between words."""
        if self._line_length(line) <= self._max_line:
            return [line]
        pieces: list[Line] = []
        words: list[tuple[Run, int]] = []
        taken = 0
        for word in _words(line):
            words.append((word, self._line_length((word,))))
            taken += words[-1][1]
            while taken > self._max_line and len(words) > 1:
                end = self._end_of_piece(words)
                pieces.append(_joined([run for run, _ in words[:end]]))
                words = words[end:]
                taken = sum(size for _, size in words)
        return [piece for piece in [*pieces, _joined([run for run, _ in words])] if piece]

    def _end_of_piece(self, words: Sequence[tuple[Run, int]]) -> int:
        taken, best = 0, 0
        for place, (run, size) in enumerate(words[:-1]):
            taken += size
            if taken > self._max_line // 2 and _SENTENCE_END.search(run.text):
                best = place + 1
        return best or max(1, len(words) - 1)

    def _code_lines(self, text: str) -> list[str]:
        cut_lines: list[str] = []
        for line in text.split("\n"):
            if self._length(Fence(line)) <= self._max_line:
                cut_lines.append(line)
            else:
                cut_lines += [line[start : start + _HARD] for start in range(0, len(line), _HARD)]
        return cut_lines


def _words(line: Line) -> Iterator[Run]:
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
