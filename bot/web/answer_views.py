"""What the pages of answers show, as plain values for their templates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.addresses import safe_url
from bot.evidence import Citation, CitedPassage
from bot.given import GivenAnswer
from bot.library import DocumentPart, DocumentView
from bot.plain_text import clean, one_line, shortened
from bot.ports import PUBLIC_SCOPE
from bot.web import answer_texts as texts
from bot.web.answer_text import Block, Stretch, answer_blocks, pieces_of, stretches
from bot.web.marking import MIN_RUN

MAX_TITLE = 200  # characters of a question in the title of the window
AROUND_CHARS = 320  # that are shown of what stands before and after a passage

PathOf = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Link:
    """A label that leads somewhere; the address is http or https, or one of this site's own."""

    label: str
    address: str


@dataclass(frozen=True, slots=True)
class PassageView:
    """A cited passage.

    Attributes:
        n: Its number in the answer.
        title: Of its document.
        source: Public page of the document; "" where it has none.
        place: Where the document stands, or "" where its title says so.
        heading: Heading path, outermost first.
        stretches: What it says; none where that was not kept.
        missing: Cited words that stand elsewhere in the document.
        before: The end of what stands before it in its document.
        after: The beginning of what stands after it.
        notice: What is to be known of it, or "".
        document: Path of the page that shows the whole document, or "".
    """

    n: int
    title: str
    source: str
    place: str
    heading: tuple[str, ...]
    stretches: tuple[Stretch, ...]
    missing: tuple[str, ...]
    before: str
    after: str
    notice: str
    document: str


@dataclass(frozen=True, slots=True)
class AnswerView:
    """An answer.

    Attributes:
        title: The question, for the title of the window.
        question: As asked.
        answered: False for a refusal.
        blocks: The text.
        mode: How it came about, in words.
        confidence: In words, or "" where none is known.
        note: What a person should know of how it came about, or "".
        given_at: Seconds since 1970, UTC.
        kept_until: The same.
        revision: Of the index; 0 where it is not known.
        requests: What was asked of GeneNetwork.
        passages: What it rests on, or the closest documents.
    """

    title: str
    question: str
    answered: bool
    blocks: tuple[Block, ...]
    mode: str
    confidence: str
    note: str
    given_at: float
    kept_until: float
    revision: int
    requests: tuple[Link, ...]
    passages: tuple[PassageView, ...]


@dataclass(frozen=True, slots=True)
class PartView:
    """A part of a document; `heading` is empty where it is that of the part before."""

    position: int
    heading: tuple[str, ...]
    stretches: tuple[Stretch, ...]
    cited: bool


@dataclass(frozen=True, slots=True)
class WholeDocument:
    """A page of a document around a passage.

    Attributes:
        n: Number of the citation.
        title: Of the document.
        source: Its public page, or "".
        notice: Where it has changed since, a sentence.
        cited: The passage as it was cited, where it does not stand in the document any more.
        parts: In order.
        shown: Which parts these are, in words.
        anchor: Position of the passage, or of what is most like it, if it is on this page.
        to_passage: The same, counted from 1, if it is on another.
        earlier: First part of the page before this one, counted from 1; None on the first.
        later: The same of the page after it.
    """

    n: int
    title: str
    source: str
    notice: str
    cited: PassageView | None
    parts: tuple[PartView, ...]
    shown: str
    anchor: int | None
    to_passage: int | None
    earlier: int | None
    later: int | None


def view_answer(
    given: GivenAnswer,
    kept_until: float,
    passages: Sequence[PassageView],
    *,
    place_of: PathOf,
) -> AnswerView:
    """Return an answer as it is shown; `place_of` says where the number of a citation leads."""
    answer = given.answer
    places = {one.n: place_of(one.n) for one in answer.citations}
    confident = answer.mode != "live"
    return AnswerView(
        shortened(one_line(given.question), MAX_TITLE),
        clean(given.question),
        answer.answered,
        tuple(answer_blocks(answer.text, answer.citations, places)),
        texts.mode_in_words(answer.mode),
        texts.confidence_in_words(answer.confidence, answered=answer.answered) if confident else "",
        one_line(answer.note),
        given.given_at,
        kept_until,
        given.revision,
        tuple(Link(_path_of(url), url) for url in map(safe_url, answer.requests) if url),
        tuple(passages),
    )


def view_passage(
    citation: Citation, passage: CitedPassage | None, document: DocumentView | None, *, path: str, looked: bool
) -> PassageView:
    """Return a citation with its passage.

    Args:
        citation: Which.
        passage: What it rests on, where that was kept.
        document: What stands around the passage now, of a public document.
        path: Of the page with the whole document.
        looked: Whether `document` was looked for.
    """
    source = safe_url(citation.url) or ""
    title = one_line(citation.title) or one_line(citation.source)
    place = one_line(citation.source)
    text = clean(passage.text) if passage is not None else ""
    is_live = passage is not None and bool(text) and not passage.passage_id and passage.text == citation.quote
    found, missing = stretches(pieces_of(text), "" if is_live else citation.quote)
    before, after = _around(document)
    return PassageView(
        citation.n,
        title,
        source,
        "" if source or place == title else place,
        _heading(passage.heading if passage is not None else ""),
        found,
        missing if text else (),
        before,
        after,
        _notice(citation, passage, document, looked=looked),
        path if document is not None else "",
    )


def view_document(citation: Citation, document: DocumentView, cited: PassageView, *, count: int) -> WholeDocument:
    """Return a page of at most `count` parts of a document; `cited` is the passage as the answer has it."""
    parts: list[PartView] = []
    # Where the passage stands no more, its words may. A few words stand anywhere.
    elsewhere = " ".join(cited.missing) if document.cited_at else citation.quote
    elsewhere = elsewhere if len(elsewhere.split()) >= MIN_RUN else ""
    heading: tuple[str, ...] = ()
    for part in document.parts:
        is_cited = part.position in document.cited_at
        own = _heading(part.heading)
        found, _ = stretches(part.pieces, citation.quote if is_cited else elsewhere)
        parts.append(PartView(part.position, own if own != heading else (), found, is_cited))
        heading = own
    first = document.parts[0].position + 1 if document.parts else 1
    last = document.parts[-1].position + 1 if document.parts else 0
    target = document.cited_at[0] if document.cited_at else document.near
    here = target is not None and first <= target + 1 <= last
    return WholeDocument(
        citation.n,
        one_line(document.title) or one_line(document.source),
        safe_url(document.url) or "",
        "" if document.cited_at else texts.document_changed(),
        None if document.cited_at else cited,
        tuple(parts),
        texts.parts_shown(first, last, document.total),
        target if here else None,
        None if here or target is None else target + 1,
        max(1, first - count) if first > 1 else None,
        last + 1 if last < document.total else None,
    )


def _notice(citation: Citation, passage: CitedPassage | None, document: DocumentView | None, *, looked: bool) -> str:
    if passage is None:
        return texts.passage_not_kept() if citation.quote.strip() else ""
    if passage.scope not in {"", PUBLIC_SCOPE}:
        return texts.passage_of_a_channel()
    if not looked:
        return ""
    if document is None:
        return texts.document_gone()
    return "" if document.cited_at else texts.document_changed()


def _around(document: DocumentView | None) -> tuple[str, str]:
    """Return the end of the part before the passage and the beginning of the one after it."""
    if document is None or not document.cited_at:
        return "", ""
    by_position = {part.position: part for part in document.parts}
    at = document.cited_at[0]
    return _end(by_position.get(at - 1)), _beginning(by_position.get(at + 1))


def _end(part: DocumentPart | None) -> str:
    text = _running(part)
    if len(text) <= AROUND_CHARS:
        return text
    return "… " + text[-AROUND_CHARS:].partition(" ")[2]


def _beginning(part: DocumentPart | None) -> str:
    return shortened(_running(part), AROUND_CHARS)


def _running(part: DocumentPart | None) -> str:
    return one_line(" ".join(piece.text for piece in part.pieces)) if part is not None else ""


def _heading(path: str) -> tuple[str, ...]:
    return tuple(step for step in map(one_line, path.split(" > ")) if step)


def _path_of(url: str) -> str:
    """Return an address without its host, as what was asked of GeneNetwork is named."""
    return urlsplit(url)._replace(scheme="", netloc="").geturl() or url
