"""Lists below a text, such as those of a digest: a heading, and each thing on a line that begins with its link."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from adapters.slack.blocks import MAX_SECTION
from adapters.slack.splitting import Part, parts_of
from bot.addresses import safe_url
from bot.markup.elements import Heading, Item, ItemList, Line, Run
from bot.plain_text import one_line, shortened
from bot.replies import Entry, Section

MAX_HEADING: Final = 150  # characters, before they are escaped
MAX_TITLE: Final = 150
MAX_LINE: Final = 300  # of what stands behind a title

_LEVEL = 3
_BETWEEN = " – "


def section_parts(sections: Iterable[Section]) -> list[Part]:
    """Return lists in pieces that fit Slack's blocks; a heading stays with the first of its entries."""
    return [part for section in sections for part in _pieces(section)]


def section_lines(sections: Iterable[Section]) -> list[str]:
    """Return lists as plain lines, for a file: titles, what stands behind them, and where they lead."""
    lines: list[str] = []
    for section in sections:
        lines += ["", one_line(section.heading)]
        for entry in section.entries:
            lines.append("- " + " ".join(filter(None, map(one_line, (entry.title, entry.text, entry.url)))))
    return lines


def _pieces(section: Section) -> Sequence[Part]:
    heading = shortened(one_line(section.heading), MAX_HEADING)
    top = parts_of([Heading((Run(heading),), _LEVEL)]) if heading else []
    items = tuple(Item((line,)) for line in map(_line, section.entries) if line)
    pieces = parts_of([ItemList(items)]) if items else []
    if top and pieces:
        joined = Part(f"{top[-1].mrkdwn}\n{pieces[0].mrkdwn}", f"{top[-1].markdown}\n{pieces[0].markdown}")
        if len(joined.mrkdwn) <= MAX_SECTION >= len(joined.markdown):
            return [*top[:-1], joined, *pieces[1:]]
    return [*top, *pieces]


def _line(entry: Entry) -> Line:
    url, text = safe_url(entry.url), shortened(one_line(entry.text), MAX_LINE)
    title = shortened(one_line(entry.title), MAX_TITLE)
    if not title and url is None:
        return (Run(text),) if text else ()
    first = Run(title or "…", url=url or "")
    return (first, Run(_BETWEEN + text)) if text else (first,)
