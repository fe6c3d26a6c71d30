"""Whatever stands in an answer, in documents and in what they are called: on its page it is text."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser
from starlette.requests import Request

from bot.evidence import Answer, Citation, CitedPassage, SentenceKind
from bot.given import GivenAnswer
from bot.library import DocumentPart, DocumentView, Piece
from bot.messages import Place
from bot.plain_text import one_line
from bot.web.address import PublicAddress
from bot.web.answer_views import view_answer, view_document, view_passage
from bot.web.templating import Templates
from tests.hostile_texts import hostile_texts

MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</mark></p></article><iframe src=//evil.com>",
    "<a href=javascript:alert(1)>x</a>",
    "[x](javascript:alert(1))",
    "![x](https://evil.com/x.png)",
    "{{ 7 * 7 }}{% raw %}",
    "<!--",
    "]]>",
    "&lt;b&gt;",
    "| a | b |\n|---|---|\n| <b> | c |",
    "1. one\n   - <i>two\n\n```\n</code></pre><b>\n```\n",
)
texts = st.one_of(
    st.sampled_from(MARKUP), hostile_texts, st.tuples(st.sampled_from(MARKUP), hostile_texts).map("".join)
)
urls = st.one_of(
    st.none(),
    st.sampled_from(
        [
            "https://docs.org/one?a=1&b=2#x",
            "http://docs.org/",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "data:text/html,<script>",
            "https://docs.org/\"onmouseover='x",
            "//evil.com",
            "https://gn@evil.com/",
        ]
    ),
)
TAGS = set(
    "html head meta title link body a header p img nav main footer h1 h2 h3 div section article span strong em code "
    "pre ul ol li br hr blockquote mark table thead tbody tr th td dl dt dd time".split()
)
ATTRIBUTES = set(
    "lang charset name content rel href type class src alt width height id tabindex aria-label aria-labelledby role "
    "start scope datetime".split()
)
HANDLE = "h4ndl3-h4ndl3-h4ndl3"


@pytest.fixture(scope="module")
def templates() -> Templates:
    """The real templates."""
    return Templates(PublicAddress(), files=dict.fromkeys(("icon.svg", "locus.css", "answer.css"), "1"))


@st.composite
def pages(draw: st.DrawFn) -> tuple[GivenAnswer, DocumentView]:
    """An answer and a document whose every part is hostile; the first citation's passage stands in the document."""
    citations = tuple(
        Citation(n + 1, draw(texts), draw(texts), draw(urls), draw(texts)) for n in range(draw(st.integers(1, 3)))
    )
    answer = Answer(
        draw(texts),
        draw(texts) + " [1] [2]",
        draw(st.sampled_from(["quotes", "model", "live"])),
        draw(st.booleans()),
        citations,
        draw(st.floats(0, 1)),
        note=draw(texts),
        requests=tuple(draw(st.lists(urls.filter(bool), max_size=2))),  # type: ignore[arg-type]
    )
    passages = tuple(
        CitedPassage(
            one, draw(texts), draw(texts) + one.quote, draw(st.sampled_from(["public", "channel-x", ""])), "id"
        )
        for one in citations[: draw(st.integers(1, 3))]
    )
    given = GivenAnswer(HANDLE, "r1", Place("memory", "w1", "c1"), "p1", answer.question, answer, passages, (), 1.8e9)
    kinds: st.SearchStrategy[SentenceKind] = st.sampled_from(["prose", "item", "row", "code"])
    parts = tuple(
        DocumentPart(
            position, draw(texts), tuple(Piece(draw(texts), draw(kinds)) for _ in range(draw(st.integers(1, 3))))
        )
        for position in range(3)
    )
    cited_at = draw(st.sampled_from([(), (1,)]))
    return given, DocumentView(draw(texts), draw(texts), draw(urls), parts, 9, cited_at, 1)


def faults(page: str) -> list[str]:
    """Return what stands in a page that the templates have not written, and links that lead elsewhere."""
    found: list[str] = []
    for node in LexborHTMLParser(page).css("*"):
        if node.tag not in TAGS:
            found.append(f"<{node.tag}>")
        for name, value in node.attributes.items():
            if name not in ATTRIBUTES:
                found.append(f"{node.tag} {name}")
            if name in ("href", "src") and not _is_plain(value or ""):
                found.append(f"{name}={value}")
    return found


def _is_plain(url: str) -> bool:
    own = url.startswith(("#passage", "#main", "/static/", f"/answers/{HANDLE}", "?from="))
    parts = urlsplit(url)
    return own or (parts.scheme in ("http", "https") and parts.hostname == "docs.org")


@given(pages())
def test_no_markup_of_a_text_reaches_a_page(templates: Templates, shown: tuple[GivenAnswer, DocumentView]) -> None:
    """Only the templates' own tags and attributes are there, and links lead to sources, or within these pages."""
    given, document = shown
    request = Request({"type": "http", "path": "/answers/x", "headers": []})
    path = f"/answers/{HANDLE}"
    by_number = {one.citation.n: one for one in given.passages}
    passages = [
        view_passage(one, by_number.get(one.n), document, path=f"{path}/documents/{one.n}", looked=True)
        for one in given.answer.citations
    ]
    view = view_answer(given, 1.9e9, passages, place_of=lambda n: f"#passage-{n}")
    whole = view_document(given.answer.citations[0], document, passages[0], count=3)
    answer_page = bytes(templates.render(request, "answer.html", answer=view).body).decode()
    document_page = bytes(
        templates.render(
            request,
            "answer_document.html",
            answer=view,
            document=whole,
            page=path,
            path=f"{path}/documents/1",
        ).body
    ).decode()

    assert [] == faults(answer_page)
    assert [] == faults(document_page)
    titles = [one_line(node.text()) for node in LexborHTMLParser(answer_page).css("h1")]
    assert [one_line(given.question)] == titles
