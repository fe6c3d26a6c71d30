"""A formatted text as pieces that fit Slack's blocks, each written in both markups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from adapters.slack.markup_writing import write
from bot.markup.cutting import Cutter
from bot.markup.elements import Element

MAX_PART = 2800  # characters, written in either markup; Slack's limit for a section is 3,000


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message, written both ways; each is complete in itself and has at most 3,000 characters."""

    mrkdwn: str
    markdown: str


def _length(element: Element) -> int:
    return max(len(write(element, "mrkdwn")), len(write(element, "markdown")))


_CUTTER = Cutter(_length, MAX_PART)


def parts_of(elements: Iterable[Element]) -> list[Part]:
    """Return the pieces of a text in order."""
    pieces = (piece for element in elements for piece in _CUTTER.cut(element))
    return [
        part for part in (Part(write(piece, "mrkdwn"), write(piece, "markdown")) for piece in pieces) if part.mrkdwn
    ]
