"""What a formatted text consists of: blocks of lines of runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

# Emphasis is kept only where every markup sees it: at the edges of words, and where the pieces on its two sides cannot
# be read together as an address.
_BEFORE = re.compile(r"(?:\A|[\s(\"'“‘–—])\Z")
_AFTER = re.compile(r"\A(?:[.:]?(?:\s|\Z)|[,;!?)\"'”’–—\[])")


@dataclass(frozen=True, slots=True)
class Run:
    """Cleaned text of one look, on one line.

    Attributes:
        text: Not escaped.
        bold: As its name says; never with `code` or `url`.
        italic: The same.
        code: True for what stands in a font of fixed width.
        url: Address from `safe_url` that it leads to, or "".
    """

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    url: str = ""


Line = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines of text."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of one line; `level` from 1."""

    line: Line
    level: int


@dataclass(frozen=True, slots=True)
class Item:
    """An entry of a list; `depth` from 0, `number` None where it has a dot before it."""

    lines: tuple[Line, ...]
    depth: int = 0
    number: int | None = None


@dataclass(frozen=True, slots=True)
class ItemList:
    """Entries of one list and of those in it, in order."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Quotation:
    """Quoted lines."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Fence:
    """Program text.

    Attributes:
        text: Cleaned, not escaped.
        language: Its name in small letters as the writer of the text gave it, or "".
    """

    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; every row has as many cells as the header, and `wide` ones do not fit as columns in a fence."""

    header: tuple[Line, ...]
    rows: tuple[tuple[Line, ...], ...]
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across."""


Element = Paragraph | Heading | ItemList | Quotation | Fence | Table | Rule


def plain_text(line: Line) -> str:
    """Return the text of a line without its looks."""
    return "".join(run.text for run in line)


def settled(runs: list[Run]) -> Line:
    """Return a line whose runs differ from their neighbours, without emphasis that a markup would not see as such.

    Blanks at the edges of emphasis move out of it, and emphasis within a word is dropped.
    """
    cut: list[Run] = []
    whole = "".join(run.text for run in runs)
    place = 0
    for run in runs:
        end = place + len(run.text)
        if run.bold or run.italic or run.code:
            inner = run.text.strip()
            start = place + len(run.text) - len(run.text.lstrip())
            stop = start + len(inner)
            if not inner or run.url:
                cut.append(Run(run.text, url=run.url))
            elif _BEFORE.search(whole[max(0, start - 1) : start]) and _AFTER.search(whole[stop : stop + 2]):
                cut += [Run(whole[place:start]), replace(run, text=inner), Run(whole[stop:end])]
            else:
                cut.append(Run(run.text))
        else:
            cut.append(run)
        place = end
    return _merged(cut)


def trimmed(line: Line) -> Line:
    """Return a line without blanks at its ends."""
    runs = list(line)
    while runs and not runs[0].text.strip():
        runs.pop(0)
    if runs:
        runs[0] = replace(runs[0], text=runs[0].text.lstrip())
    while runs and not runs[-1].text.strip():
        runs.pop()
    if runs:
        runs[-1] = replace(runs[-1], text=runs[-1].text.rstrip())
    return tuple(runs)


def _merged(runs: list[Run]) -> Line:
    merged: list[Run] = []
    for run in runs:
        if not run.text:
            continue
        if merged and not run.url and not run.code and replace(merged[-1], text="") == replace(run, text=""):
            merged[-1] = replace(run, text=merged[-1].text + run.text)
        else:
            merged.append(run)
    return tuple(merged)
