"""How a digest is remembered in the conversation of its thread, so that questions there can be about its datasets."""

from __future__ import annotations

import re
from typing import Final

from bot.plain_text import shortened

BEGINNING: Final = "New datasets in GeneNetwork"
MAX_LINE: Final = 600  # characters
_LINE: Final = re.compile(
    r"(?P<number>\d{1,4})\. (?P<title>.+) \((?P<group>[^()]*?)(?:, (?P<accession>GN\d{1,6}))?\): (?P<facts>.*)"
)


def memory_line(number: int, title: str, group: str, accession: str, facts: str) -> str:
    """Return the line of a dataset.

    Args:
        number: Its place in the digest, from 1.
        title: Its full name, or its name.
        group: As GeneNetwork names it.
        accession: Such as GN110, or "".
        facts: What is told of it; begins with its name where `title` is another.
    """
    place = f"{group}, {accession}" if accession else group
    return shortened(f"{number}. {title} ({place}): {facts}".strip(), MAX_LINE)


def remembered_datasets(text: str) -> tuple[str, ...]:
    """Return the datasets of a remembered digest in its order, each by accession or name; () for any other text."""
    first, *lines = text.splitlines() or [""]
    if not first.startswith(BEGINNING):
        return ()
    found = (_LINE.fullmatch(line) for line in lines)
    return tuple(_name(match) for match in found if match is not None)


def _name(line: re.Match[str]) -> str:
    if line["accession"]:
        return line["accession"]
    name, separator, _ = line["facts"].partition(" · ")
    return name if separator and " " not in name else line["title"]
