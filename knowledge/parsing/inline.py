"""Inline text of HTML: what stands between two block tags."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from selectolax.lexbor import LexborNode

from knowledge.parsing.tags import BLOCK_TAGS
from knowledge.parsing.text import MAX_HEADING_CHARS, fold

DROPPED_TAGS = frozenset(
    {
        "script", "style", "head", "nav", "template", "noscript", "noframes", "noembed", "svg", "iframe",
        "object", "embed", "applet", "audio", "video", "canvas", "img", "picture", "map", "button", "input",
        "select", "textarea", "datalist", "title", "-comment", "-doctype",
    }
)  # fmt: skip
_EXPONENT = re.compile(r"[-+−–]?\d+")


@dataclass(slots=True)
class Line:
    """One line of inline text.

    Attributes:
        parts: Pieces of text in order; once folded, at most one.
        is_bold: Whether every letter stands in bold.
        is_navigation: Whether every letter belongs to a link within the page ("Go back to index").
        lead: The bold text the line begins with.
        after_lead: The first character behind it.
    """

    parts: list[str] = field(default_factory=list)
    is_bold: bool = True
    is_navigation: bool = True
    lead: str = ""
    after_lead: str = ""

    @property
    def text(self) -> str:
        """The text as collected."""
        return "".join(self.parts)

    @property
    def has_run_in_heading(self) -> bool:
        """Whether the line begins like "**Tissue.** Samples were ..."."""
        lead = self.lead.rstrip()
        return bool(lead) and bool(self.after_lead) and (lead[-1] in ".:" or self.after_lead in ".:")


class InlineRun:
    """Inline text under way; <br> begins a new line."""

    def __init__(self) -> None:
        """Start with one empty line."""
        self._lines = [Line()]
        self._superscripts: list[tuple[int, int]] = []
        self._after_link = False
        self._before_link = False

    def add(self, text: str, *, bold: bool = False, navigation: bool = False) -> None:
        """Add a piece of text as the page has it."""
        if not text:
            return
        line = self._lines[-1]
        if (self._after_link and text[0].isupper() and self._ends(str.isalnum)) or (
            self._before_link and text[0].isalnum() and self._ends(":;,".__contains__)
        ):
            line.parts.append(" ")  # "<a>GPL1</a>Illumina" and "See:<a>GPL1</a>" are two words each
        self._after_link = self._before_link = False
        line.parts.append(text)
        if not line.after_lead:
            if bold and len(line.lead) < MAX_HEADING_CHARS:
                line.lead += text
            else:
                line.after_lead = text.lstrip()[:1]
        if not (bold and navigation) and any(character.isalnum() for character in text):
            line.is_bold &= bold
            line.is_navigation &= navigation

    def open_link(self) -> None:
        """Note that a link begins."""
        self._before_link = True

    def close_link(self) -> None:
        """Note that a link ends."""
        self._after_link = True

    def break_line(self) -> None:
        """Begin a new line."""
        self._lines.append(Line())

    def open_superscript(self) -> None:
        """Note that raised text begins."""
        self._superscripts.append((len(self._lines), len(self._lines[-1].parts)))

    def close_superscript(self) -> None:
        """Keep 10<sup>6</sup> from reading as 106."""
        if not self._superscripts:
            return
        line_number, start = self._superscripts.pop()
        parts = self._lines[-1].parts
        if line_number != len(self._lines) or not 0 < start < len(parts):
            return
        raised = "".join(parts[start:]).strip()
        if parts[start - 1][-1:].isdigit() and _EXPONENT.fullmatch(raised):
            parts.insert(start, "^")

    def take(self) -> list[Line]:
        """Return the lines, folded, and start anew."""
        taken, self._lines = self._lines, [Line()]
        self._superscripts.clear()
        self._after_link = self._before_link = False
        for line in taken:
            line.parts = [fold(line.text)]
        return taken

    def _ends(self, test: Callable[[str], bool]) -> bool:
        parts = self._lines[-1].parts
        return bool(parts) and bool(parts[-1]) and test(parts[-1][-1])


def joined(lines: list[Line]) -> str:
    """Return lines as one."""
    return " ".join(line.text for line in lines if line.text)


def cell_text(cell: LexborNode) -> str:
    """Return the text of a cell on one line."""
    first = cell.first_child
    if first is None:
        return ""
    if first.tag == "-text" and first.next is None:
        return fold(first.text_content or "")
    run = InlineRun()
    node: LexborNode | None = first
    end = cell.mem_id
    while node is not None:
        tag = node.tag or ""
        if tag == "-text":
            run.add(node.text_content or "")
        elif tag == "br" or tag in BLOCK_TAGS:
            run.add(" ")
        elif tag == "sup":
            run.open_superscript()
        elif tag == "a":
            run.open_link()
        child = None if tag in DROPPED_TAGS else node.first_child
        if child is not None:
            node = child
            continue
        following = node.next
        while following is None:
            node = node.parent
            if node is None or node.mem_id == end:
                break
            if node.tag == "sup":
                run.close_superscript()
            elif node.tag == "a":
                run.close_link()
            elif node.tag in BLOCK_TAGS:
                run.add(" ")
            following = node.next
        node = following
    return joined(run.take())
