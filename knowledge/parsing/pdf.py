"""PDF documents, read with pypdf."""

from __future__ import annotations

import contextlib
import io
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from knowledge.documents import BlockKind, ParsedDocument
from knowledge.parsing import errors
from knowledge.parsing.blocks import BlockBuilder
from knowledge.parsing.text import ITEM_MARK, fold, is_sane_title, starts_item

if TYPE_CHECKING:
    from pypdf import PdfReader

_PAGE_NUMBER = re.compile(r"(?:page|p\.)\s*\d{1,4}(?:\s*(?:of|/)\s*\d{1,4})?", re.IGNORECASE)
_NUMBER = re.compile(r"[-–]?\s*(\d{1,4})\s*[-–]?")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_BROKEN = re.compile(r"([^\W\d_]+)-\n([^\W\d_]+)")
_EDGE_LINES = 2  # lines at the top and foot of a page that may be a running head
_MAX_HEADING_LINE_CHARS = 150
_MAX_PAGES = 5000
_PARAGRAPH_END = (".", "!", "?", ":", ".”", ".)", ".]", '."')


def parse_pdf(data: bytes, name: str) -> ParsedDocument:
    """Read a PDF; headings come from its bookmarks, running heads and page numbers are left out.

    Raises:
        UnreadableError: If it is damaged, protected by a password, or holds no text.
        SettingsError: If pypdf is not installed.
    """
    with errors.border(name, "PDF"):
        from pypdf import PdfReader

        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise errors.locked(name)
        pages = [_page_lines(reader, index) for index in range(min(len(reader.pages), _MAX_PAGES))]
        title = _title(reader)
        bookmarks = _bookmarks(reader)
    if not any(pages):
        raise errors.scanned(name)
    builder = BlockBuilder(title=title, title_from_heading=False, leads=True)
    _add_lines(builder, _without_running_heads(pages), bookmarks)
    document = builder.document("pdf")
    if not document.blocks:
        raise errors.scanned(name)
    return document


def count_pages(data: bytes) -> int:
    """Return the number of pages that a PDF says it has; 0 for what is no PDF, or cannot be counted.

    `parse_pdf` leaves out what is beyond 5,000 pages: who must not lose any asks here before.
    """
    if b"%PDF-" not in data[:1024]:
        return 0
    with contextlib.suppress(Exception):  # whatever is wrong with it, `parse_pdf` says so
        from pypdf import PdfReader

        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted:
            reader.decrypt("")
        return len(reader.pages)
    return 0


def _page_lines(reader: PdfReader, index: int) -> list[str]:
    lines = [line.rstrip() for line in reader.pages[index].extract_text().splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _title(reader: PdfReader) -> str:
    """Return the title of the PDF's own description, unless a program put a file name there."""
    metadata = reader.metadata
    title = fold(metadata.title or "") if metadata is not None else ""
    return title if is_sane_title(title) else ""


def _bookmarks(reader: PdfReader) -> dict[str, int]:
    """Return the level of each bookmark's title, 1 the outermost."""
    levels: dict[str, int] = {}
    pending: list[tuple[int, Sequence[object]]] = [(1, reader.outline)]
    while pending:
        level, entries = pending.pop()
        for entry in entries:
            if isinstance(entry, list):
                pending.append((level + 1, entry))
            else:
                levels.setdefault(_key(str(getattr(entry, "title", None) or "")), level)
    levels.pop("", None)
    return levels


def _key(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))


def _without_running_heads(pages: list[list[str]]) -> list[str]:
    """Join the pages' lines; leave out page numbers and what most pages repeat at their top or foot."""
    counts: Counter[str] = Counter()
    offsets: Counter[int] = Counter()  # of the printed number from the page's place in the file
    for index, lines in enumerate(pages):
        edges = [lines[number] for number in _edges(lines)]
        counts.update({_key(line) for line in edges if line.strip()})
        offsets.update({int(found.group(1)) - index for line in edges if (found := _NUMBER.fullmatch(line.strip()))})
    repeated = {key for key, count in counts.items() if key and count >= 3 and 2 * count > len(pages)}
    counted = {offset for offset, count in offsets.items() if offset == 1 or (count >= 3 and 2 * count > len(pages))}
    kept: list[str] = []
    for index, lines in enumerate(pages):
        edge_numbers = _edges(lines)
        for number, line in enumerate(lines):
            printed = _NUMBER.fullmatch(line.strip())
            is_running = (
                _key(line) in repeated
                or _PAGE_NUMBER.fullmatch(line.strip()) is not None
                or (printed is not None and int(printed.group(1)) - index in counted)
            )
            if number not in edge_numbers or not is_running:
                kept.append(line)
    return kept


def _edges(lines: list[str]) -> set[int]:
    """Return the places of the lines at the top and foot of a page."""
    places = range(len(lines))
    return {*places[:_EDGE_LINES], *places[-_EDGE_LINES:]}


def _add_lines(builder: BlockBuilder, lines: list[str], bookmarks: dict[str, int]) -> None:
    """Build paragraphs and headings from lines as they are set on the pages."""
    widths = sorted(len(line) for line in lines if line.strip())
    full = widths[(9 * len(widths)) // 10] if widths else 0
    words = Counter(word.lower() for line in lines for word in _WORD.findall(line))
    builder.inline = lambda text: _BROKEN.sub(lambda match: _mended(match, words), text)
    breaks = [_is_broken_off(line, lines[number + 1 : number + 2], full) for number, line in enumerate(lines)]
    for number, line in enumerate(lines):
        stripped = line.strip()
        if not stripped:
            builder.end()
            continue
        level = bookmarks.get(_key(stripped))
        starts_alone = builder.open_kind is None or lines[number - 1].rstrip().endswith(_PARAGRAPH_END)
        if level is not None and len(stripped) <= _MAX_HEADING_LINE_CHARS:
            builder.heading(level, stripped)
        elif starts_alone and breaks[number] and not any(breaks[number + 1 : number + 2]) and _names(stripped):
            builder.presumed_heading(stripped)
        elif starts_item(stripped, lines[number - 1] if number and not breaks[number - 1] else ""):
            builder.begin(BlockKind.ITEM, ITEM_MARK.sub("", stripped))
        else:
            builder.extend(stripped)
        if breaks[number]:
            builder.end()


def _is_broken_off(line: str, following: list[str], full: int) -> bool:
    """Tell whether a line ends although the next word would have had room: there a paragraph or heading ends."""
    next_word = following[0].split()[:1] if following else []
    return bool(next_word) and len(line) + 1 + len(next_word[0]) < 0.85 * full and not line.endswith("-")


def _names(line: str) -> bool:
    """Tell whether a line that stands alone reads as a heading."""
    is_sentence = line.endswith((*_PARAGRAPH_END, ",", ";"))
    return not is_sentence and len(line) <= 100 and (line[0].isupper() or line[0].isdigit()) and line[-1].isalpha()


def _mended(broken: re.Match[str], words: Counter[str]) -> str:
    """Join a word parted at the line's end; the hyphen stays where the document writes it elsewhere."""
    first, second = broken.groups()
    joined, hyphenated = first + second, f"{first}-{second}"
    if words[hyphenated.lower()] > words[joined.lower()] or not second[0].islower() or first.isupper():
        return hyphenated
    return joined
