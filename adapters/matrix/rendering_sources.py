"""What stands below the text of a reply: its documents, numbered and linked, and its lists."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.matrix.markup import Shown, write
from adapters.matrix.rendering_texts import CLOSEST, PAGE, SOURCES, more_sources
from adapters.matrix.splitting import parts_of, units
from bot.addresses import safe_url
from bot.evidence import Citation
from bot.markup.elements import Element, Item, ItemList, Line, Paragraph, Run
from bot.plain_text import one_line, shortened
from bot.replies import Section

MAX_TITLE = 150  # characters
MAX_ENTRY = 1000  # characters of the text of an entry
MAX_SOURCES = 6000  # units of all sources together

_MAX_PLACE = 120  # characters of the path of a document without an address


def source_parts(citations: Sequence[Citation], *, answered: bool) -> list[Shown]:
    """Return the list of sources in pieces, or of the closest documents below a refusal; nothing without any."""
    lines = [_source_line(numbers, citation) for citation, numbers in _documents(citations)]
    if not lines:
        return []
    kept: list[Line] = [(Run(SOURCES if answered else CLOSEST, bold=True),)]
    taken = 0
    for number, line in enumerate(lines):
        taken += units(write(Paragraph((line,))))
        if taken > MAX_SOURCES:
            kept.append((Run(more_sources(len(lines) - number)),))
            break
        kept.append(line)
    return parts_of([Paragraph(tuple(kept))])


def section_parts(sections: Sequence[Section]) -> list[Shown]:
    """Return the lists below a text in pieces: each heading, then entries whose titles lead to their addresses."""
    elements: list[Element] = []
    for section in sections:
        if heading := one_line(section.heading):
            elements.append(Paragraph(((Run(shortened(heading, MAX_TITLE), bold=True),),)))
        entries = [_entry(entry.title, entry.url, entry.text) for entry in section.entries]
        if entries:
            elements.append(ItemList(tuple(Item((line,)) for line in entries)))
    return parts_of(elements)


def page_parts(page: str) -> list[Shown]:
    """Return the link to an answer's page; nothing without one."""
    return [write(Paragraph((_titled(PAGE, page),)))] if safe_url(page) else []


def _entry(title: str, url: str, text: str) -> Line:
    behind = shortened(one_line(text), MAX_ENTRY)
    line = _titled(title or text, url)
    return (*line, Run(f" – {behind}")) if behind and title.strip() else line


def _titled(title: str, url: str | None) -> Line:
    return (Run(shortened(one_line(title), MAX_TITLE) or "…", url=safe_url(url) or ""),)


def _documents(citations: Sequence[Citation]) -> list[tuple[Citation, list[int]]]:
    """Return each document once, with all its numbers."""
    found: dict[tuple[str, str, str | None], tuple[Citation, list[int]]] = {}
    for citation in citations:
        key = (citation.title, citation.source, citation.url)
        found.setdefault(key, (citation, []))[1].append(citation.n)
    return list(found.values())


def _source_line(numbers: Sequence[int], citation: Citation) -> Line:
    """Return the title of a document with its numbers, linked, or with where it stands."""
    marks = Run(f"{' '.join(f'[{number}]' for number in numbers)} ")
    title = one_line(citation.title) or one_line(citation.source)
    if safe_url(citation.url):
        return (marks, *_titled(title, citation.url))
    place = shortened(one_line(citation.source), _MAX_PLACE)
    titled = _titled(title, None)
    return (marks, *titled, Run(" "), Run(place, code=True)) if place and place != title else (marks, *titled)
