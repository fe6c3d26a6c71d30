"""Port to the public documents as the index holds them: read as a whole, in pieces and in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bot.evidence import SentenceKind


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence, list item, table row or line of code; `kind` as of `bot.evidence.Sentence`."""

    text: str
    kind: SentenceKind = "prose"


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """A run of text below one heading, as it is found and cited.

    Attributes:
        position: In the document, from 0.
        heading: Heading path, outermost first, joined by " > "; "" at the top of a document.
        pieces: In reading order.
    """

    position: int
    heading: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class DocumentView:
    """Some parts of a document that everybody may see.

    Attributes:
        title: As the document has it now.
        source: As of `bot.evidence.Home`.
        url: Its public page, or None.
        parts: In order.
        total: Parts of the whole document.
        cited_at: Positions at which the passage stands that was asked for; none where the document has changed since.
        near: Then, position of the part that is most like it; None where no part is.
    """

    title: str
    source: str
    url: str | None
    parts: tuple[DocumentPart, ...]
    total: int
    cited_at: tuple[int, ...]
    near: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which document is wanted, and what of it.

    Attributes:
        source: As of the citation.
        url: As of the citation.
        passage_id: The passage that is cited, or "" where it is not known.
        text: The same passage's text, by which it is found where its id is not known.
        first: Position of the first part, from 0; None begins before the passage.
        before: Parts shown before the passage, where `first` is None.
        count: Parts at most, from 1.
    """

    source: str
    url: str | None
    passage_id: str
    text: str
    first: int | None
    before: int
    count: int


class Library(Protocol):
    """Opens documents of the public scope, and of no other."""

    async def open(self, wanted: Wanted) -> DocumentView | None:
        """Return parts of a document; None where it is not among the public documents now.

        Raises:
            StorageError: If the index is damaged.
        """
        ...
