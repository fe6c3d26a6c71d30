"""A formatted text as pieces, and pieces as messages: about 8,000 characters each, whatever the script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from adapters.matrix.markup import Shown, write
from adapters.matrix.sizes import text_size
from bot.markup.cutting import Cutter
from bot.markup.elements import Element, Fence, Table

MAX_PAGE: Final = 8000  # units of a message, see `units`
MAX_PART: Final = 2400  # units of a paragraph or list; longer ones are cut
# A program or a table stays whole where it fits into a message of its own.
_MAX_WHOLE: Final = MAX_PAGE - 100

# Five bytes of both ways together are one unit: 8,000 units are 40,000 bytes, which encrypted, as an edit and with all
# that belongs to an event are less than 60,000 of the 65,536 that a homeserver takes. Of text in Latin letters a unit
# is one character, since that counts as one at least.
_BYTES: Final = 5


def units(shown: Shown) -> int:
    """Return how much room a piece takes: characters, and more where these take many bytes."""
    return max(len(shown.plain), -(-(text_size(shown.plain) + text_size(shown.html)) // _BYTES))


def _length(element: Element) -> int:
    return units(write(element))


_TEXT = Cutter(_length, MAX_PART)
_WHOLE = Cutter(_length, _MAX_WHOLE)


def parts_of(elements: Iterable[Element]) -> list[Shown]:
    """Return the pieces of a text in order; each fits into a message."""
    pieces = (
        piece
        for element in elements
        for piece in (_WHOLE if isinstance(element, Fence | Table) else _TEXT).cut(element)
    )
    return [shown for shown in map(write, pieces) if shown.plain.strip()]


def pages_of(parts: Sequence[Shown]) -> list[list[Shown]]:
    """Return pieces by the message they stand in, as many in each as fit."""
    pages: list[list[Shown]] = []
    taken = 0
    for part in parts:
        size = units(part) + 2
        if not pages or taken + size > MAX_PAGE:
            pages.append([])
            taken = 0
        pages[-1].append(part)
        taken += size
    return pages
