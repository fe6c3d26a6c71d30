"""Texts of GeneNetwork made plain: no HTML, no control characters, one line, a bounded length."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

from bot.addresses import safe_url
from bot.digest.datasets import Dataset
from bot.digest.interests import KINDS
from bot.plain_text import one_line, shortened

MAX_NAME = 120  # characters
MAX_TITLE = 200
MAX_SUMMARY = 600
MAX_READ = 20_000  # of a summary; what it is about stands at its beginning
MAX_SENTENCE = 240
MAX_SAMPLES = 10_000_000

_HIDDEN = frozenset({"script", "style", "head", "title", "template", "iframe", "object", "noscript", "svg", "math"})
_BLOCKS = frozenset({"p", "div", "br", "li", "ul", "ol", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "table"})
_MARKUP = re.compile(r"<[a-zA-Z!/?]|&[#\w]{2,10};")
_ADDRESS = re.compile(r"\b(?:https?|ftp)://\S+|\bwww\.\S+", re.IGNORECASE)
_END = re.compile(r"[.!?](?=[\"')\]]*\s+[\"'(\[]*[A-Z0-9])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|et al|approx|ca|cf|vs|dr|mr|mrs|prof|fig|figs|no|nos|vol|dept|univ|st|jr|inc|"
    r"jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|spp?|var|ver|u\.s|ph\.d)|\b[A-Z])\Z",
    re.IGNORECASE,
)


class _Text(HTMLParser):
    """Collects what a person would read."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag in _BLOCKS:
            self.pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _BLOCKS:
            self.pieces.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)


def plain(text: str, limit: int) -> str:
    """Return a text as one line without HTML, at most `limit` characters; also where its HTML is broken."""
    text = text[:MAX_READ]
    if _MARKUP.search(text):
        reader = _Text()
        try:
            reader.feed(text)
            reader.close()
            text = "".join(reader.pieces)
        except (AssertionError, ValueError):  # of html.parser, for declarations it does not know
            text = re.sub(r"<[^>]*>", " ", text)
    return shortened(one_line(text), limit)


def plain_dataset(dataset: Dataset) -> Dataset:
    """Return a dataset whose texts are plain and bounded; a date, number or address that is none is left out."""
    return replace(
        dataset,
        species=plain(dataset.species, MAX_NAME),
        group=plain(dataset.group, MAX_NAME),
        kind=dataset.kind if dataset.kind in KINDS else "other",
        type_name=plain(dataset.type_name, MAX_NAME),
        dataset_id=plain(dataset.dataset_id, MAX_NAME),
        name=plain(dataset.name, MAX_NAME),
        full_name=plain(dataset.full_name, MAX_TITLE),
        tissue=plain(dataset.tissue, MAX_NAME),
        platform=plain(dataset.platform, MAX_NAME),
        samples=dataset.samples if dataset.samples is not None and 0 < dataset.samples <= MAX_SAMPLES else None,
        dated=_iso_date(dataset.dated),
        url=safe_url(dataset.url) or "",
        summary=plain(dataset.summary, MAX_SUMMARY),
        accession=plain(dataset.accession, MAX_NAME),
    )


def first_sentence(text: str) -> str:
    """Return the first sentence of a plain text, without addresses; "" where there is none worth reading."""
    text = one_line(_ADDRESS.sub(" ", text))
    for match in _END.finditer(text):
        if not _ABBREVIATION.search(text[: match.start()]):
            text = text[: match.end()]
            break
    sentence = shortened(text, MAX_SENTENCE).strip()
    return sentence if sum(letter.isalpha() for letter in sentence) >= 10 else ""


def _iso_date(text: str) -> str:
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError:
        return ""
