"""The documents below an answer: numbered, linked where they have an address, each on one line."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.slack.markup_writing import Way, write_code, write_link
from adapters.slack.rendering_texts import CLOSEST, PAGE, SOURCES, more_sources
from adapters.slack.splitting import MAX_PART, Part
from adapters.slack.text import escape, harmless
from bot.addresses import safe_url
from bot.evidence import Citation
from bot.plain_text import one_line, shortened

MAX_TITLE = 150  # characters
MAX_SOURCES = 6000  # characters of all of them together, as written

_MAX_PLACE = 120  # characters of the path of a document without an address


def source_parts(citations: Sequence[Citation], *, answered: bool) -> list[Part]:
    """Return the list of sources in pieces, or of the closest documents below a refusal; nothing without any."""
    lines = [_line(numbers, citation) for citation, numbers in _documents(citations)]
    if not lines:
        return []
    heading = SOURCES if answered else CLOSEST
    pieces = [[Part(f"*{heading}*", f"**{heading}**")]]
    taken = left = 0
    for number, line in enumerate(lines):
        size = _size(line)
        if taken + size > MAX_SOURCES:
            left = len(lines) - number
            break
        taken += size
        if sum(map(_size, pieces[-1])) + size > MAX_PART:
            pieces.append([])
        pieces[-1].append(line)
    if left:
        pieces[-1].append(Part(more_sources(left), more_sources(left)))
    return [
        Part("\n".join(line.mrkdwn for line in piece), "  \n".join(line.markdown for line in piece)) for piece in pieces
    ]


def source_line(citation: Citation, way: Way, numbers: Sequence[int] = ()) -> str:
    """Return the title of a document with its number, linked, or with where it stands."""
    title = shortened(one_line(citation.title) or one_line(citation.source), MAX_TITLE)
    url = safe_url(citation.url)
    marks = " ".join(f"[{number}]" for number in numbers or (citation.n,))
    if url:
        return f"{marks} {write_link(title, url, way)}"
    place = shortened(one_line(citation.source), _MAX_PLACE)
    shown = f"{marks} {escape(harmless(title))}"
    return f"{shown} {write_code(place, way)}".rstrip() if place != title else shown


def page_parts(page: str) -> list[Part]:
    """Return the link to an answer's page; nothing without one."""
    url = safe_url(page)
    return [Part(write_link(PAGE, url, "mrkdwn"), write_link(PAGE, url, "markdown"))] if url else []


def _documents(citations: Sequence[Citation]) -> list[tuple[Citation, list[int]]]:
    """Return each document once, with all its numbers."""
    found: dict[tuple[str, str, str | None], tuple[Citation, list[int]]] = {}
    for citation in citations:
        key = (citation.title, citation.source, citation.url)
        found.setdefault(key, (citation, []))[1].append(citation.n)
    return list(found.values())


def _line(numbers: Sequence[int], citation: Citation) -> Part:
    return Part(source_line(citation, "mrkdwn", numbers), source_line(citation, "markdown", numbers))


def _size(line: Part) -> int:
    return max(len(line.mrkdwn), len(line.markdown)) + 3
