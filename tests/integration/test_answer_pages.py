"""The page of an answer, over HTTP, a real Redis and a real index."""

from __future__ import annotations

import dataclasses
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from selectolax.lexbor import LexborHTMLParser

from bot.access import own_scope
from bot.evidence import Answer, Citation, CitedPassage
from bot.messages import Audience
from bot.store.client import Store
from bot.web.answer_texts import document_changed, document_gone, not_kept, passage_not_there, passage_of_a_channel
from bot.web.sessions import Role
from knowledge.embeddings import MiniLmEmbedder
from knowledge.index import KnowledgeIndex
from tests.answer_pages import ASKER, PLACE, AnswerLab, application_of, ingest
from tests.documents import write_documents
from tests.fakes import message
from tests.integration.test_service import running, settled
from tests.web import READER_TOKEN, STEWARD_TOKEN, send_form, serve_pages

OWN = own_scope(PLACE)
ACCESS_PAGE = Path(__file__).parents[2] / "docs" / "access.md"
STRAINS = "# Strains\n\n" + "\n\n".join(
    f"## Strain {n}\n\nThe strain BXD{n} was made in year {1900 + n} and has coat colour number {n} of the list."
    for n in range(60)
)
QUESTION = "In which year was the strain BXD40 made?"
CITED = "The strain BXD40 was made in year 1940 and has coat colour number 40 of the list."
LIVE = Answer(
    "values of HC_M2_0606_P",
    "The trait has **70** values [1].",
    "live",
    True,
    (Citation(1, "Trait HC_M2_0606_P", "gn2", "https://genenetwork.org/show_trait?x=1", "70 values"),),
    1.0,
    note="Fetched from GeneNetwork just now.",
    requests=("https://genenetwork.org/api/v_pre1/sample_data/HC_M2_0606_P", "javascript:alert(1)"),
)


@pytest.fixture
def index(tmp_path: Path, embedder: MiniLmEmbedder) -> Iterator[KnowledgeIndex]:
    """An index with a long document."""
    opened = KnowledgeIndex(tmp_path / "data", embedder)
    ingest(opened, write_documents(tmp_path / "lab", {"strains.md": STRAINS}))
    yield opened
    opened.close()


@pytest.fixture
def lab(store: Store, index: KnowledgeIndex, tmp_path: Path) -> AnswerLab:
    """A lab that asks it."""
    return AnswerLab(store, application_of(index, tmp_path))


def read(page: httpx.Response) -> str:
    """Return what people read on a page, white space folded."""
    main = LexborHTMLParser(page.text).css_first("main")
    assert main is not None
    return " ".join(main.text(separator=" ").split())


def passage_in(page: httpx.Response) -> str:
    """Return the part of a document that a link to the passage leads to."""
    found = LexborHTMLParser(page.text).css_first("#passage")
    assert found is not None
    return found.text()


def marked(page: httpx.Response) -> list[str]:
    return [" ".join(node.text().split()) for node in LexborHTMLParser(page.text).css("mark")]


def links(page: httpx.Response) -> dict[str, str]:
    """Return the addresses of a page's links by their labels."""
    return {
        " ".join(node.text().split()): node.attributes["href"] or ""
        for node in LexborHTMLParser(page.text).css("main a")
    }


async def test_an_answer_stands_beside_its_marked_passages(lab: AnswerLab) -> None:
    """With its question, how it came about, when, from which revision, how sure it is and how long it is kept."""
    given = await lab.ask(QUESTION)
    async with serve_pages(lab.pages) as site, site.client(Role.READER) as browser:
        page = await browser.get(f"/answers/{given.handle}")
        seen = read(page)

    assert 200 == page.status_code
    assert "text/html; charset=utf-8" == page.headers["content-type"]
    for sentence in (QUESTION, f"{CITED} [1]", "Quoted from the documents", "15 Jan 2027, 08:00", "revision 1 of"):
        assert sentence in seen
    assert re.search(r"The passages (very )?probably hold the answer \(\d+%\)", seen)
    assert re.search(r"Kept until \d+ \w+ \d{4}", seen)
    assert [CITED] == marked(page)
    assert "#passage-1" == links(page)["[1]"]


async def test_a_passage_stands_between_what_is_before_and_after_it(lab: AnswerLab) -> None:
    """And the whole document is one click away."""
    given = await lab.ask(QUESTION)
    async with serve_pages(lab.pages) as site, site.client(Role.READER) as browser:
        page = await browser.get(f"/answers/{given.handle}")
        seen = read(page)

    assert "The strain BXD39 was made in year 1939" in seen
    assert "The strain BXD41 was made in year 1941" in seen
    assert "BXD38" not in seen
    assert f"/answers/{given.handle}/documents/1#passage" == links(page)["Read it in the whole document of [1]"]


async def test_the_whole_document_is_read_page_by_page(lab: AnswerLab) -> None:
    """It opens at the passage, with the answer beside it; every part is on some page."""
    given = await lab.ask(QUESTION)
    path = f"/answers/{given.handle}/documents/1"
    async with serve_pages(lab.pages) as site, site.client(Role.READER) as browser:
        page = await browser.get(path)
        earlier = await browser.get(links(page)["Earlier parts"])
        first = await browser.get(links(earlier)["Earlier parts"])
        strange = await browser.get(path, params={"from": "²"})
    seen = " ".join(map(read, (first, earlier, page)))

    assert [CITED] == marked(page)
    assert "BXD40" in passage_in(page)
    assert f"{CITED} [1]" in read(page)
    assert "Parts 37 to 60 of 60" in read(page)
    assert "Parts 13 to 36 of 60" in read(earlier)
    assert ([], f"{path}#passage") == (marked(earlier), links(earlier)["To the cited passage"])
    assert [] == [n for n in range(60) if f"The strain BXD{n} was made" not in seen]
    assert read(page) == read(strange)
    assert f"/answers/{given.handle}#passage-1" == links(page)["Back to the answer and its passages"]


async def test_a_document_that_has_changed_is_told(lab: AnswerLab, index: KnowledgeIndex, tmp_path: Path) -> None:
    """The passage is shown as it was; the document opens at what took its place, with what is left marked."""
    given = await lab.ask(QUESTION)
    changed = STRAINS.replace("BXD40 was made in year 1940", "BXD40 was made much later")
    write_documents(tmp_path / "lab", {"strains.md": changed})
    ingest(index, tmp_path / "lab")
    async with serve_pages(lab.pages) as site, site.client(Role.READER) as browser:
        page = await browser.get(f"/answers/{given.handle}")
        document = await browser.get(links(page)["Read it in the whole document of [1]"])

    assert document_changed() in read(page)
    assert CITED in marked(page)
    assert "BXD39" not in read(page)
    assert document_changed() in read(document)
    assert CITED in marked(document)
    assert "BXD40 was made much later" in passage_in(document)


async def test_a_document_that_is_gone_is_told(lab: AnswerLab, index: KnowledgeIndex, tmp_path: Path) -> None:
    """The passage is kept with the answer; there is no whole document."""
    given = await lab.ask(QUESTION)
    (tmp_path / "lab" / "strains.md").unlink()
    ingest(index, tmp_path / "lab")
    async with serve_pages(lab.pages) as site, site.client(Role.READER) as browser:
        page = await browser.get(f"/answers/{given.handle}")
        document = await browser.get(f"/answers/{given.handle}/documents/1")

    assert document_gone() in read(page)
    assert [CITED] == marked(page)
    assert "Read it in the whole document of [1]" not in links(page)
    assert (404, True) == (document.status_code, passage_not_there() in read(document))


async def test_of_a_channels_documents_only_the_cited_passage_is_shown(
    lab: AnswerLab, index: KnowledgeIndex, tmp_path: Path
) -> None:
    """Not what stands around it, and not the whole document, for nobody."""
    own = "# Perfusion\n\nThe pump runs at 4 ml per minute.\n\n## Secrets\n\nThe freezer's code is 4711.\n"
    ingest(index, write_documents(tmp_path / "own", {"own.md": own}), OWN)
    given = await lab.ask("How fast does the pump run?", scopes=("public", OWN))
    async with serve_pages(lab.pages) as site, site.client(Role.STEWARD) as browser:
        page = await browser.get(f"/answers/{given.handle}")
        document = await browser.get(f"/answers/{given.handle}/documents/1")

    assert (OWN, 200) == (given.passages[0].scope, page.status_code)
    assert ["The pump runs at 4 ml per minute."] == marked(page)
    assert passage_of_a_channel() in read(page)
    assert "4711" not in page.text + document.text
    assert 404 == document.status_code


async def test_a_live_answer_says_how_to_run_it_again(lab: AnswerLab) -> None:
    """Its requests are linked, what is no address of the web is not; its data are no document."""
    passage = CitedPassage(LIVE.citations[0], "", "70 values", "public")
    given = await lab.keep(LIVE, [passage])
    async with serve_pages(lab.pages) as site, site.client(Role.READER) as browser:
        page = await browser.get(f"/answers/{given.handle}")
        seen = read(page)

    assert LIVE.requests[0] == links(page)["/api/v_pre1/sample_data/HC_M2_0606_P"]
    assert "https://genenetwork.org/show_trait?x=1" == links(page)["Trait HC_M2_0606_P"]
    assert "javascript" not in page.text
    assert "Looked up in GeneNetwork" in seen
    assert LIVE.note in seen
    assert "How sure" not in seen
    assert document_gone() not in seen
    assert "70" in [node.text() for node in LexborHTMLParser(page.text).css("strong")]


async def test_a_refusal_shows_the_closest_documents(lab: AnswerLab) -> None:
    """And that no answer was given."""
    given = await lab.ask("Who won the football match on the moon?")
    async with serve_pages(lab.pages) as site, site.client(Role.READER) as browser:
        page = await browser.get(f"/answers/{given.handle}")

    assert not given.answer.answered
    for words in ("No answer", "Closest documents", "so none was given", "Strains"):
        assert words in read(page)


async def test_who_asked_and_where_stands_on_no_page(lab: AnswerLab) -> None:
    """Nor can it be found in their source."""
    given = await lab.ask(QUESTION)
    async with serve_pages(lab.pages) as site, site.client(Role.READER) as browser:
        pages = [await browser.get(f"/answers/{given.handle}{rest}") for rest in ("", "/documents/1")]

    assert [200, 200] == [page.status_code for page in pages]
    for secret in (ASKER, PLACE.channel_id, PLACE.conversation_id, given.request_id + '"'):
        assert all(secret not in page.text for page in pages)


async def test_who_is_not_signed_in_sees_nothing(lab: AnswerLab) -> None:
    """Whether the answer exists or not, they are asked to sign in, and then led to it."""
    given = await lab.ask(QUESTION)
    async with serve_pages(lab.pages) as site, site.client() as browser:
        asked = [await browser.get(f"/answers/{handle}") for handle in (given.handle, "x" * 22)]
        document = await browser.get(f"/answers/{given.handle}/documents/1")
        posted = await browser.post(f"/answers/{given.handle}")
        await send_form(browser, "/sign-in", "/sign-in", token=READER_TOKEN)
        page = await browser.get(f"/answers/{given.handle}")

    assert [303, 303, 303, 200] == [one.status_code for one in (*asked, document, page)]
    assert asked[0].headers["location"].endswith(f"?next=%2Fanswers%2F{given.handle}")
    assert not any(QUESTION in one.text for one in (*asked, document))
    assert 405 == posted.status_code


async def test_what_was_deleted_what_expired_and_what_never_was_look_alike(lab: AnswerLab) -> None:
    """One sentence, and nothing that tells them apart."""
    gone = await lab.ask(QUESTION)
    expired = await lab.ask(QUESTION)
    await lab.given.forget(ASKER, gone.handle)
    await lab.store.call("PEXPIRE", lab.store.key("given", expired.handle), 1)
    async with serve_pages(lab.pages) as site, site.client(Role.READER) as browser:
        handles = (gone.handle, expired.handle, "A" * 22, "a", "x" * 500, "..%2F..%2Fetc", "%00", "é" * 20)
        while (await lab.given.find(expired.handle)) is not None:
            pass
        pages = [await browser.get(f"/answers/{handle}") for handle in handles]
        documents = [await browser.get(f"/answers/{handle}/documents/1") for handle in handles[:3]]

    assert {404} == {page.status_code for page in (*pages, *documents)}
    assert 1 == len({page.text for page in (*pages[:5], *documents)})
    assert not_kept() in read(pages[0])
    assert all(not_kept() in read(page) for page in pages[6:])


async def test_there_is_no_document_for_a_number_that_is_not_cited(lab: AnswerLab) -> None:
    """Nor for one that is no number."""
    given = await lab.ask(QUESTION)
    async with serve_pages(lab.pages) as site, site.client(Role.READER) as browser:
        paths = [f"/answers/{given.handle}/documents/{n}" for n in ("2", "0", "99999999999", "-1", "x")]
        statuses = {(await browser.get(path)).status_code for path in paths}

    assert {404} == statuses


async def test_a_process_without_an_index_shows_the_passages_alone(store: Store, lab: AnswerLab) -> None:
    """It does not say that documents are gone, as it cannot know."""
    given = await lab.ask(QUESTION)
    apart = AnswerLab(store)
    async with serve_pages(apart.pages) as site, site.client(Role.READER) as browser:
        page = await browser.get(f"/answers/{given.handle}")

    assert [CITED] == marked(page)
    assert "any more" not in read(page)
    assert "Read it in the whole document of [1]" not in links(page)


def access_rows() -> list[tuple[str, str, str, str]]:
    """Return the table of docs/access.md on pages of answers."""
    text = ACCESS_PAGE.read_text().partition("## The page of an answer")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")][2:]
    return [(one[0], one[1], one[2], one[3]) for one in rows]


@pytest.mark.parametrize(("rests_on", "seen", "page", "document"), access_rows())
async def test_a_page_shows_what_the_table_allows(
    lab: AnswerLab, index: KnowledgeIndex, tmp_path: Path, rests_on: str, seen: str, page: str, document: str
) -> None:
    """Every row of docs/access.md; own documents are no longer seen in a channel that has become public since."""
    ingest(
        index, write_documents(tmp_path / "own", {"own.md": "# Perfusion\n\nThe pump runs at 4 ml per minute."}), OWN
    )
    question = QUESTION if rests_on == "public documents" else "How fast does the pump run?"
    given = await lab.ask(question, scopes=("public", OWN))
    if seen == "no":
        await lab.access.saw(dataclasses.replace(PLACE, audience=Audience.PUBLIC))
    async with serve_pages(lab.pages) as site, site.client(Role.READER) as browser:
        statuses = [(await browser.get(f"/answers/{given.handle}{rest}")).status_code for rest in ("", "/documents/1")]

    assert [200 if allowed == "yes" else 404 for allowed in (page, document)] == statuses


async def test_the_link_in_a_chat_leads_to_the_page_of_that_answer(store: Store) -> None:
    """Of a running service; the same answer given again has a page of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    address = f"http://127.0.0.1:{port}"
    token = SecretStr(STEWARD_TOKEN)
    async with running(store, health_port=port, public_url=address, dashboard_token=token) as one:
        pages = []
        for number in (1, 2):
            asked = message("What is BXD?", number=number, thread=f"t{number}", user=f"u{number}")
            await one.service.reception.message(asked)
            await one.chat.until(asked)
            await settled(one)
            pages.append(one.chat.of(asked)[0].now.page)
        async with httpx.AsyncClient(base_url=address) as browser:
            await send_form(browser, "/sign-in", "/sign-in", token=STEWARD_TOKEN)
            read_pages = [read(await browser.get(page)) for page in pages]

        assert 1 == len(one.answerer.asked)
    assert 2 == len(set(pages))
    assert all(page.startswith(f"{address}/answers/") for page in pages)
    assert all("What is BXD?" in page for page in read_pages)
    assert ["given again" in page or "ago" in page for page in read_pages] == [False, True]


@pytest.mark.parametrize(("url", "token"), [("", None), ("https://locus.example", None), ("", STEWARD_TOKEN)])
async def test_no_chat_leads_where_nobody_gets(store: Store, url: str, token: str | None) -> None:
    """Without a public address, or where the dashboard is off, answers have no link."""
    asked = message("What is BXD?")
    async with running(store, public_url=url, dashboard_token=SecretStr(token) if token else None) as one:
        await one.service.reception.message(asked)
        await one.chat.until(asked)

        assert "" == one.chat.of(asked)[0].now.page
