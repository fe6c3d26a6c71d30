"""Reads the Markdown of an answer into elements; links become those of the answer's own citations, or text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.addresses import safe_url
from bot.evidence import Citation
from bot.markup.elements import (
    Element,
    Fence,
    Heading,
    Item,
    ItemList,
    Line,
    Paragraph,
    Quotation,
    Rule,
    Run,
    Table,
    plain_text,
    settled,
    trimmed,
)
from bot.markup.tables import NARROW, width_of
from bot.plain_text import clean, one_line, shortened

MAX_READ = 50_000  # characters that are read of an answer; more than a chat shows of it
MAX_ADDRESS = 200  # characters that are shown of an address that is no citation's
MAX_LABEL = 200  # characters of the label of a link
MAX_COLUMNS = 20  # of a table; as many as every chat shows

_MARKER = re.compile(r"\[(\d{1,3})\]")
_LANGUAGE = re.compile(r"[a-z][a-z0-9_+-]{0,29}")
_BLANKS = re.compile(r"[^\S\n]+")


def _parser() -> MarkdownIt:
    """Return a parser of what agents write; not of HTML, entities, indented code and definitions of links."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.disable(["code", "html_block", "html_inline", "entity", "reference", "lheading"])
    # Every address is read as one, also those no browser should follow: they are shown, broken, and never linked.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]
    parser.normalizeLinkText = lambda link: link  # type: ignore[method-assign]
    return parser


_PARSER = _parser()


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses that may be linked.

    Attributes:
        by_number: Of citations, as `safe_url` gives them.
        numbers: Of citations by their addresses, as these stand in the citation and as `safe_url` gives them.
    """

    by_number: Mapping[int, str]
    numbers: Mapping[str, int]

    @classmethod
    def of(cls, citations: Sequence[Citation]) -> Links:
        """Return those of an answer's citations."""
        found = [(one, safe_url(one.url)) for one in citations]
        return cls(
            {one.n: url for one, url in found if url},
            {form: one.n for one, url in reversed(found) if url for form in (url, str(one.url))},
        )


def parse(text: str, links: Links) -> list[Element]:
    """Return the elements of an untrusted text, at most `MAX_READ` characters of it."""
    tokens = _PARSER.parse(clean(text[:MAX_READ]))
    return _Reader(links).read(tokens)


class _Reader:
    """Walks the tokens of one text."""

    def __init__(self, links: Links) -> None:
        self._links = links
        # Longest first, so that the address of one citation that begins like another's is not taken for it.
        addresses = sorted(links.numbers, key=len, reverse=True)
        forms = "|".join(re.escape(address) for address in addresses)
        self._known = re.compile(rf"({_MARKER.pattern})" + (rf"|({forms})(?=[\s.,;:!?)\]\"']|\Z)" if forms else ""))

    def read(self, tokens: Sequence[Token]) -> list[Element]:
        """Return the elements of a whole text."""
        elements: list[Element] = []
        lists: list[int | None] = []  # the next number of each list that is open
        items: list[Item] = []
        quotes, at_item = 0, False
        place = 0

        def end_list() -> None:
            if items:
                elements.append(ItemList(tuple(items)))
                items.clear()

        while place < len(tokens):
            token = tokens[place]
            match token.type:
                case "bullet_list_open":
                    lists.append(None)
                case "ordered_list_open":
                    lists.append(int(token.attrGet("start") or 1))
                case "bullet_list_close" | "ordered_list_close":
                    lists.pop()
                    if not lists:
                        end_list()
                case "list_item_open":
                    items.append(Item((), len(lists) - 1, lists[-1]))
                    lists[-1] = None if lists[-1] is None else lists[-1] + 1
                case "blockquote_open":
                    quotes += 1
                case "blockquote_close":
                    quotes -= 1
                case "inline":
                    at_item = bool(lists)
                    heading = tokens[place - 1].type == "heading_open"
                    lines = self._lines(token, bold=heading and (at_item or quotes > 0))
                    if at_item and items:
                        items[-1] = replace(items[-1], lines=items[-1].lines + lines)
                    elif at_item:  # after a fence within an entry
                        items.append(Item(lines, len(lists) - 1, None))
                    elif quotes:
                        self._quote(elements, lines)
                    elif heading:
                        whole = settled([run for line in lines for run in line])
                        elements.append(Heading(whole, int(tokens[place - 1].tag[1:])))
                    else:
                        elements.append(Paragraph(lines))
                case "fence":
                    end_list()
                    elements.append(Fence(token.content.rstrip("\n"), _language(token.info)))
                case "hr":
                    end_list()
                    elements.append(Rule())
                case "table_open":
                    end_list()
                    end = next(n for n in range(place, len(tokens)) if tokens[n].type == "table_close")
                    elements.append(self._table(tokens[place:end]))
                    place = end
                case _:
                    pass
            place += 1
        end_list()
        return [element for element in elements if not _is_empty(element)]

    @staticmethod
    def _quote(elements: list[Element], lines: tuple[Line, ...]) -> None:
        if elements and isinstance(elements[-1], Quotation):
            elements[-1] = Quotation((*elements[-1].lines, (), *lines))
        else:
            elements.append(Quotation(lines))

    def _table(self, tokens: Sequence[Token]) -> Table:
        rows: list[list[Line]] = []
        for token in tokens:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                joined = [run for line in self._lines(token) for run in (*line, Run(" "))]
                rows[-1].append(trimmed(settled(joined)))
        header, *body = [tuple(row[:MAX_COLUMNS]) for row in rows]
        table = Table(header, tuple((row + ((),) * len(header))[: len(header)] for row in body))
        return replace(table, wide=width_of(table) > NARROW)

    def _lines(self, token: Token, *, bold: bool = False) -> tuple[Line, ...]:
        lines: list[list[Run]] = [[]]
        style = Run("", bold=bold)
        strong, emphasis = 0, 0
        address, begun = "", 0
        for child in token.children or ():
            match child.type:
                case "strong_open" | "strong_close":
                    strong += 1 if child.nesting > 0 else -1
                    style = replace(style, bold=bold or strong > 0)
                case "em_open" | "em_close":
                    emphasis += 1 if child.nesting > 0 else -1
                    style = replace(style, italic=emphasis > 0)
                case "softbreak" | "hardbreak":
                    lines.append([])
                case "code_inline":
                    lines[-1].append(Run(one_line(child.content), code=True))
                case "link_open":
                    address, begun = str(child.attrGet("href") or ""), len(lines[-1])
                case "link_close":
                    self._link(lines[-1], min(begun, len(lines[-1])), address)
                case "image":
                    shown = [Run(child.content)]
                    self._link(shown, 0, str(child.attrGet("src") or ""))
                    lines[-1] += shown
                case _:
                    parts = child.content.split("\n")
                    for number, part in enumerate(parts):
                        if number:
                            lines.append([])
                        lines[-1] += self._with_markers(_BLANKS.sub(" ", part), style)
        return tuple(trimmed(settled(line)) for line in lines)

    def _link(self, line: list[Run], begun: int, address: str) -> None:
        """Turn the runs of a label into a link to a citation, or show the address behind them."""
        label = "".join(run.text for run in line[begun:]).strip()
        cited = self._links.numbers.get(address)
        if cited is not None:
            shown = shortened(label, MAX_LABEL) if label and label not in self._links.numbers else f"[{cited}]"
            line[begun:] = [Run(shown, url=self._links.by_number[cited])]
        elif address and one_line(address) != label:
            shown = shortened(one_line(address), MAX_ADDRESS)
            line.append(Run(f" ({shown})" if label else shown))

    def _with_markers(self, text: str, style: Run) -> list[Run]:
        runs: list[Run] = []
        place = 0
        for match in self._known.finditer(text):
            number = int(match.group(2)) if match.group(1) else self._links.numbers[match.group()]
            url = self._links.by_number.get(number)
            if not url:
                continue
            runs += [replace(style, text=text[place : match.start()]), Run(f"[{number}]", url=url)]
            place = match.end()
        return [*runs, replace(style, text=text[place:])]


def _language(info: str) -> str:
    """Return the name that a fence carries, where it can be one."""
    named = info.split(maxsplit=1)[0].lower() if info.strip() else ""
    return named if _LANGUAGE.fullmatch(named) else ""


def _is_empty(element: Element) -> bool:
    match element:
        case Paragraph(lines) | Quotation(lines):
            return not any(plain_text(line) for line in lines)
        case ItemList(items):
            return not any(plain_text(line) for item in items for line in item.lines)
        case Heading(line):
            return not plain_text(line)
        case Fence(text):
            return not text.strip()
        case _:
            return False
