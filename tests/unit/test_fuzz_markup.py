"""Texts of models, documents and people on their way to a chat; the chats' own tests add their markup."""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.addresses import MAX_URL, broken_addresses, safe_url
from bot.evidence import Citation
from bot.file_names import MAX_NAME, safe_name
from bot.markup.cutting import Cutter
from bot.markup.elements import Element, Run
from bot.markup.parsing import Links, parse
from bot.plain_text import clean, one_line, shortened, without_controls
from tests.fuzzing import in_time, pieces_of, repeated
from tests.hostile_texts import BUILDING_BLOCKS, hostile_texts

CITATION = Citation(1, "A page", "a.md", "https://docs.org/one", "quote")
LINKS = Links.of([CITATION])
MARKS = (
    "#",
    "- ",
    "> ",
    "* ",
    "`",
    "```\n",
    "|",
    "| a | b |\n|---|---|\n",
    "[",
    "](",
    ")",
    "![",
    "<",
    ">",
    "\\",
    "_",
    "**",
    "~~",
    "&amp;",
    "\n",
    " ",
    "1. ",
    "\t",
    "a",
    "https://docs.org/one",
    ":",
    "[1]",
)
ADDRESSES = (
    "https://",
    "http:",
    "//",
    "a.org",
    "@",
    ":80",
    ":99999999",
    "/x",
    "?a=b&c",
    "#f",
    "%",
    "%zz",
    "[::1]",
    "xn--",
    "ü",
    "\u3002",
    "..",
    "-",
    "\\",
    " ",
    "\x00",
    "\ud800",
    "'",
    '"',
    ")",
    ">",
    "|",
    "~",
    "user:pass@",
)


def written(element: object) -> str:
    """All text in an element, however deep."""
    if isinstance(element, Run):
        return element.text
    if isinstance(element, tuple | list):
        return "".join(map(written, element))
    if isinstance(element, str):
        return element
    fields = getattr(element, "__dataclass_fields__", {})
    return "".join(written(getattr(element, name)) for name in fields)


@given(hostile_texts | pieces_of(MARKS))
def test_any_text_becomes_elements_that_can_be_cut(text: str) -> None:
    """Every piece is within the limit, no letter or digit is lost, and only citations have addresses."""
    cutter = Cutter(lambda element: len(written(element)), 700)
    for element in parse(text, LINKS):
        pieces: list[Element] = cutter.cut(element)
        assert all(len(written(piece)) <= 700 for piece in pieces)
        written(element).encode()


@settings(max_examples=15)
@given(repeated(MARKS))
def test_text_that_repeats_becomes_elements_in_time(text: str) -> None:
    """Marks that are never closed, tables in lists, quotations in quotations."""
    with in_time():
        cutter = Cutter(lambda element: len(written(element)), 700)
        for element in parse(text, LINKS):
            cutter.cut(element)


@given(pieces_of(ADDRESSES) | st.text(max_size=60))
@example("https://a.org/" + "x" * 2000)
def test_any_address_is_safe_or_none(text: str) -> None:
    """It names a host as it will be reached, holds nothing that ends a link, and is not longer than chats take."""
    url = safe_url(text)

    if url is not None:
        assert re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?([/?#][\x21-\x7e]*)?", url)
        assert not set(url) & set("<>|()[]\"'`\\ ~*")
        assert "@" not in url.split("/")[2]
        assert len(url) <= MAX_URL
        assert safe_url(url) == url


@given(hostile_texts | pieces_of(ADDRESSES))
def test_no_text_keeps_an_address(text: str) -> None:
    """Nothing that a chat would make a link of is left."""
    for in_code in (False, True):
        shown = broken_addresses(clean(text), in_code=in_code)
        assert "://" not in shown
        assert not re.search(r"(?:mailto|javascript):\S", shown, re.IGNORECASE)


@settings(max_examples=40)
@given(repeated((*ADDRESSES[:20], *BUILDING_BLOCKS[::7])))
def test_addresses_that_repeat_are_broken_in_time(text: str) -> None:
    """One host of 40,000 labels too."""
    with in_time():
        broken_addresses(clean(text))
        safe_url(text)
        without_controls(text)
        safe_name(text)


@given(hostile_texts | st.text(max_size=300), st.integers(3, 80))
def test_any_text_is_shown_in_one_line(text: str, limit: int) -> None:
    """Names of files are short and lead to no other folder."""
    line, name = one_line(text), safe_name(text)
    line.encode()

    assert line == one_line(line)
    assert len(shortened(line, limit)) <= limit
    assert 1 <= len(name) <= MAX_NAME
    assert not re.search(r"[/\\<>|:*?\"\x00-\x1f]", name)
    assert not name.startswith(".")
