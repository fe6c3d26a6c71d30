"""Finds cited words in the text they were cited from, so that they can be marked there.

A citation's quote is close to its passage, not equal to it: list marks are gone, entries of a list are joined by ";", a
full stop was added, and sentences that do not follow each other stand side by side. So words are compared, and what
stands between them is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MIN_RUN = 4  # words that must follow each other to be taken for the cited ones; fewer only right behind such a run
MAX_QUOTE_WORDS = 600  # of a quote that are looked for
MAX_TRIED = 200  # places of a word at which a run is tried to begin

_WORD = re.compile(r"\w+")
_STOP = re.compile(r"[)\]\"'”’]*[.!?:][)\]\"'”’]*")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text, cited or not."""

    text: str
    cited: bool = False


@dataclass(frozen=True, slots=True)
class Marked:
    """Texts with their cited stretches.

    Attributes:
        texts: Each text in spans; put together they are the text.
        missing: Stretches of the quote that stand in none of them, as in the quote.
    """

    texts: tuple[tuple[Span, ...], ...]
    missing: tuple[str, ...]

    @property
    def found(self) -> bool:
        """True when something is marked."""
        return any(span.cited for spans in self.texts for span in spans)


@dataclass(frozen=True, slots=True)
class _Word:
    folded: str
    text: int
    begin: int
    end: int


def mark(texts: Sequence[str], quote: str) -> Marked:
    """Return texts, which follow each other, with the words of a quote marked."""
    words = [word for number, text in enumerate(texts) for word in _words(text, number)]
    quoted = _words(quote, 0)[:MAX_QUOTE_WORDS]
    cited: set[int] = set()
    lost: list[tuple[int, int]] = []
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        places.setdefault(word.folded, []).append(place)
    # A quote of fewer words than a run must have counts as a whole.
    wanted = min(MIN_RUN, len(quoted))
    place, after = 0, -1
    while place < len(quoted):
        begin, length = _longest(words, places.get(quoted[place].folded, ()), quoted, place, after)
        if length >= wanted or (length and begin == after):
            cited.update(range(begin, begin + length))
            place, after = place + length, begin + length
            continue
        if lost and lost[-1][1] == place:
            lost[-1] = (lost[-1][0], place + 1)
        else:
            lost.append((place, place + 1))
        place += 1
    missing = [quote[quoted[begin].begin : _with_stop(quote, quoted[end - 1].end)] for begin, end in lost]
    long_enough = [text for text, (begin, end) in zip(missing, lost, strict=True) if end - begin >= wanted]
    return Marked(tuple(_spans(text, _stretches(words, cited, n)) for n, text in enumerate(texts)), tuple(long_enough))


def _words(text: str, number: int) -> list[_Word]:
    return [_Word(found.group().casefold(), number, found.start(), found.end()) for found in _WORD.finditer(text)]


def _longest(
    words: Sequence[_Word], begins: Sequence[int], quoted: Sequence[_Word], place: int, after: int
) -> tuple[int, int]:
    """Return where the longest run of the quote from `place` on begins, and its length; right behind `after` first."""
    best, length = -1, 0
    for begin in sorted(begins[:MAX_TRIED], key=lambda one: one != after):
        size = 0
        while (
            begin + size < len(words)
            and place + size < len(quoted)
            and words[begin + size].folded == quoted[place + size].folded
        ):
            size += 1
        if size > length:
            best, length = begin, size
    return best, length


def _stretches(words: Sequence[_Word], cited: set[int], number: int) -> list[tuple[int, int]]:
    """Return begin and end of what is cited in one text; neighbours are one stretch."""
    found: list[tuple[int, int]] = []
    last = -2
    for place in sorted(cited):
        word = words[place]
        if word.text != number:
            continue
        if place == last + 1 and found:
            found[-1] = (found[-1][0], word.end)
        else:
            found.append((word.begin, word.end))
        last = place
    return found


def _spans(text: str, stretches: Sequence[tuple[int, int]]) -> tuple[Span, ...]:
    spans: list[Span] = []
    place = 0
    for begin, end in stretches:
        end = _with_stop(text, end)
        spans += [Span(text[place:begin]), Span(text[begin:end], cited=True)]
        place = end
    spans.append(Span(text[place:]))
    return tuple(span for span in spans if span.text)


def _with_stop(text: str, end: int) -> int:
    """Return the end of a sentence that ends there, with its full stop and what closes before and behind it."""
    found = _STOP.match(text, end)
    return found.end() if found is not None else end
