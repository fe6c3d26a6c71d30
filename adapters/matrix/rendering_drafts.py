"""The beginning of a text that grows, so far as it is settled: what is shown does not change its look as more comes."""

from __future__ import annotations

import re
from typing import Final

_MAX_WORD: Final = 1000  # characters that are held back for the end of their word
_LINK = re.compile(r"!?\[([^\[\]\n]{0,300})\]\([^()\s]{0,2000}\)")
_OPEN_LINK = re.compile(r"!?\[(?:[^\[\]\n]{0,300}(?:\](?:\([^()\s]{0,2000})?)?)?\Z")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)
_ROW = re.compile(r"^[ ]{0,3}\|")
_SEPARATOR = re.compile(r"^[ ]{0,3}\|?(?:[ ]*:?-+:?[ ]*\|)+[ ]*(?::?-+:?[ ]*)?\n")
_MARK = re.compile(r"^[ ]*(?:[-+*]|\d{1,9}[.)]?|#{1,6}|>)[ ]*\Z")
_RULE = re.compile(r"^[ ]*[-*_=][-*_= ]*\Z")
_TAIL = re.compile(r"[*_`~]+\Z")
_MARKERS = re.compile(r"\*{2,3}|__|(?<![*\w])[*_](?![*\s])|(?<=[^\s*])[*_](?![*\w])")


def settled_beginning(text: str) -> str:
    """Return Markdown whose last word is complete and whose last emphasis, code and table are closed or held back.

    Links stand as their labels. The result may be empty while nothing is settled.
    """
    if open_fence := _open_fence(text):
        # Lines of a program are shown when they are complete.
        return text[: max(text.rfind("\n") + 1, open_fence)]
    begun = text.rfind("\n\n") + 2 if "\n\n" in text else 0
    return text[:begun] + _settled_block(text[begun:])


def _open_fence(text: str) -> int:
    """Return where the content of a fence that is still open begins, or 0."""
    opened, begun = "", 0
    for match in _FENCE.finditer(text):
        mark = match.group(1)
        if not opened:
            opened, begun = mark, match.end()
        elif mark[0] == opened[0] and len(mark) >= len(opened):
            opened = ""
    if not opened:
        return 0
    line = text.find("\n", begun)
    return line + 1 if line >= 0 else text.rfind("\n", 0, begun) + 1 or len(text)


def _settled_block(block: str) -> str:
    held = _held_word(block)
    lines = held.split("\n")
    last = lines[-1]
    rows = _first_row(lines)
    if rows is not None:
        return _settled_table(lines, rows, complete=block)
    if _MARK.match(last) or _RULE.match(last):
        lines[-1] = ""
        return "\n".join(lines).rstrip()
    lines[-1] = _closed(_LINK.sub(r"\1", _OPEN_LINK.sub("", last)))
    return "\n".join([*(_LINK.sub(r"\1", line) for line in lines[:-1]), lines[-1]])


def _held_word(block: str) -> str:
    """Return a block without its last word, which may go on; a very long one is shown in pieces."""
    if not block or block[-1].isspace():
        return block
    words = re.search(r"\S+\Z", block)
    if words is None or len(words.group()) > _MAX_WORD:
        return block
    return block[: words.start()]


def _first_row(lines: list[str]) -> int | None:
    """Return where the rows at the end of a block begin, or None where it does not end in rows."""
    place = len(lines) - 1 if lines[-1].strip() or len(lines) == 1 else len(lines) - 2
    if not _ROW.match(lines[place]):
        return None
    while place and _ROW.match(lines[place - 1]):
        place -= 1
    return place


def _settled_table(lines: list[str], first: int, *, complete: str) -> str:
    """Return a block that ends in a table with the rows that are complete; nothing of it before its second line is."""
    whole = complete.split("\n")[first:-1]  # the last line may go on
    before = lines[:first]
    if len(whole) < 2 or not _SEPARATOR.match(whole[1] + "\n"):
        return "\n".join(before)
    return "\n".join([*before, *(_LINK.sub(r"\1", row) for row in whole)])


def _closed(line: str) -> str:
    """Return a line with its emphasis and code closed, so that they do not appear only when their end arrives."""
    line = _TAIL.sub("", line.rstrip())
    if line.count("`") % 2:
        return line + "`"
    prose = re.sub(r"`[^`]*`", "", line)
    opened: list[str] = []
    for match in _MARKERS.finditer(prose):
        if opened and opened[-1] == match.group():
            opened.pop()
        else:
            opened.append(match.group())
    return line + "".join(reversed(opened)) if len(opened) <= 2 else line
