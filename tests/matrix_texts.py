"""Texts that try to call people and rooms in Matrix, and a strict look at what clients make of content."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import strategies as st

from tests.hostile_texts import BUILDING_BLOCKS, faults_of_text

OWN_BLOCKS = (
    *("@room", "@bob:localhost", "@bob", ":localhost", "#lab:localhost", "#", "!abc:localhost", "!room", "＠room"),
    *("https://matrix.to/#/@bob:localhost", "matrix:u/bob:localhost", "[x](https://matrix.to/#/%40bob%3Alocalhost)"),
    *("<a href='https://matrix.to/#/@bob:localhost'>bob</a>", "</p><h1>", "<mx-reply>", "<script>", "&#64;room"),
    *("<span data-mx-maths='x'>", "<img src='mxc://evil/a'>", "mxc://evil.com/a", "</code></pre>", "<!--", "]]>"),
    *(
        "\n!ban ",
        "!ban bob",
        "> <@bob:localhost> hi\n\n",
        "/me ",
        "\n```r\n",
        "\n```<x>\n",
        "\n10. ",
        "\n  - ",
        '"',
        "'",
    ),
)

matrix_texts = st.lists(
    st.sampled_from(BUILDING_BLOCKS) | st.sampled_from(OWN_BLOCKS) | st.text(max_size=6), max_size=14
).map("".join)

TAGS = frozenset("""p br strong em code pre ul ol li blockquote h3 h4 table thead tbody tr th td a""".split())
_ATTRIBUTES = {"a": {"href"}, "code": {"class"}, "ol": {"start"}}
_LANGUAGE = re.compile(r"language-[a-z][a-z0-9_+-]*")
_NAMED = re.compile(
    r"[@＠](?:room|[^\s:@\u2060]{1,255}:[\w\[])|[#!][\w.=/+-]{1,255}:[\w\[]|matrix\.to|mxc://", re.IGNORECASE
)
PERMALINKS = ("https://matrix.to/", "https://app.element.io/")
_BLOCKS = ("p", "br", "pre", "ul", "ol", "li", "blockquote", "h3", "h4", "table", "tr", "th", "td")


class Look(HTMLParser):
    """What a client sees of `formatted_body`; `faults` holds what it should not.

    Attributes:
        faults: Unknown tags and attributes, tags that are not closed in order.
        links: Addresses of links.
        text: What is visible.
        prose: The same without what is linked.
    """

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.prose = ""
        self._open: list[str] = []
        self.feed(source)
        self.close()
        if self._open:
            self.faults.append(f"not closed: {self._open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.faults.append(f"tag {tag}")
        for name, value in attrs:
            if name not in _ATTRIBUTES.get(tag, set()):
                self.faults.append(f"attribute {name} of {tag}")
            if name == "href":
                self.links.append(value or "")
            if name == "class" and not _LANGUAGE.fullmatch(value or ""):
                self.faults.append(f"class {value!r}")
            if name == "start" and not (value or "").isdecimal():
                self.faults.append(f"start {value!r}")
        if tag == "a" and "a" in self._open:
            self.faults.append("a link in a link")
        self._blank(tag)
        if tag != "br":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"end of {tag}")
        self._blank(tag)

    def handle_data(self, data: str) -> None:
        self.text += data
        self.prose += "\ufffc" if "a" in self._open else data

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"comment {data!r}")

    def handle_decl(self, decl: str) -> None:
        self.faults.append(f"declaration {decl!r}")

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"declaration {data!r}")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"instruction {data!r}")

    def _blank(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.text += "\n"
            self.prose += "\n"


def faults_of_body(body: str, addresses: set[str]) -> list[str]:
    """Return what is wrong with plain text that may show these addresses only."""
    for address in sorted(addresses, key=len, reverse=True):
        body = body.replace(address, "\ufffc")
    faults = [fault for fault in faults_of_text(body) if not fault.startswith("mention '<")]
    if found := _NAMED.search(body):
        faults.append(f"named {found.group()!r}")
    return faults


def faults_of_html(source: str, addresses: set[str]) -> list[str]:
    """Return what is wrong with HTML that may link to, or show, these addresses only."""
    look = Look(source)
    strange = [
        link
        for link in look.links
        if link not in addresses or not link.startswith("https://") or link.startswith(PERMALINKS)
    ]
    shown = [fault for fault in faults_of_body(look.text, addresses) if "invisible" not in fault]
    return [*look.faults, *(f"link to {link!r}" for link in strange), *shown]


def words_of(text: str, addresses: set[str]) -> list[str]:
    """Return the words of visible text, without addresses, marks of lists and lines, and what is invisible."""
    for address in sorted(addresses, key=len, reverse=True):
        text = text.replace(f"({address})", " ")
    return re.findall(r"\w+", text.replace("\N{WORD JOINER}", ""))
