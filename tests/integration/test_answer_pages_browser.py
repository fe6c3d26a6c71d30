"""The page of an answer in a real browser: by keyboard, on a phone, on paper, and for who cannot see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.given import GivenAnswer
from bot.store.client import Store
from knowledge.embeddings import MiniLmEmbedder
from knowledge.index import KnowledgeIndex
from tests.answer_pages import AnswerLab, application_of, ingest
from tests.browser import NARROW, WIDE, Chromium, Tab
from tests.web import READER_TOKEN, serve_pages

STARTER = Path(__file__).parents[2] / "knowledge" / "starter"
QUESTION = "How were the BXD strains made and how many are there?"


@asynccontextmanager
async def signed_in(
    chromium: Chromium, origin: str, path: str, *, width: int = WIDE, dark: bool = False, scripts: bool = True
) -> AsyncIterator[Tab]:
    """Follow a link of a chat: sign in, and see the page it leads to."""
    async with chromium.tab(origin, width=width, dark=dark, scripts=scripts) as tab:
        await tab.open(path)
        await tab.page.fill("#token", READER_TOKEN)
        await tab.page.click("form.sign-in button")
        yield tab


@pytest.fixture
async def answered(store: Store, tmp_path: Path, embedder: MiniLmEmbedder) -> AsyncIterator[tuple[str, GivenAnswer]]:
    """Where the pages are, and an answer from the documents that Locus brings along."""
    index = KnowledgeIndex(tmp_path / "data", embedder)
    try:
        ingest(index, STARTER)
        lab = AnswerLab(store, application_of(index, tmp_path))
        given = await lab.ask(QUESTION)
        async with serve_pages(lab.pages) as site:
            yield site.origin, given
    finally:
        index.close()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [WIDE, NARROW])
async def test_everybody_can_read_it(
    chromium: Chromium, answered: tuple[str, GivenAnswer], width: int, dark: bool
) -> None:
    """Axe finds nothing, nothing is wider than the window, and the browser does not complain."""
    origin, given = answered
    path = f"/answers/{given.handle}"
    async with signed_in(chromium, origin, path, width=width, dark=dark) as tab:
        assert f"{origin}{path}" == tab.page.url
        for one in (path, f"{path}/documents/1#passage"):
            await tab.open(one)

            assert [] == await tab.violations()
            assert 0 == await tab.sideways()
        assert [] == tab.complaints


async def test_a_number_leads_to_its_passage_and_on_into_the_document(
    chromium: Chromium, answered: tuple[str, GivenAnswer]
) -> None:
    """By keyboard and without JavaScript; the passage is in view, marked, and the answer stands beside it."""
    origin, given = answered
    async with signed_in(chromium, origin, f"/answers/{given.handle}", scripts=False) as tab:
        page = tab.page
        await page.locator(".answer a.number").first.press("Enter")
        await page.wait_for_url("**#passage-1")
        await page.get_by_role("link", name="Read it in the whole document").first.press("Enter")
        await page.wait_for_url("**/documents/1#passage")
        passage, answer = page.locator("#passage"), page.locator(".answer")
        in_view, beside = await passage.bounding_box(), await answer.bounding_box()

        assert in_view is not None
        assert beside is not None
        assert 0 <= in_view["y"] < 600
        assert beside["x"] + beside["width"] <= in_view["x"]
        assert await passage.locator("mark").count()
        assert given.answer.citations[0].quote.startswith((await passage.locator("mark").first.inner_text())[:20])


async def test_all_links_are_reached_by_keyboard(chromium: Chromium, answered: tuple[str, GivenAnswer]) -> None:
    """And each shows that it has the focus."""
    origin, given = answered
    async with signed_in(chromium, origin, f"/answers/{given.handle}") as tab:
        await tab.open(f"/answers/{given.handle}")
        seen = await tab.walk()

    assert "a Skip to the content" == seen[0]
    assert [] == [name for name in ("a [1]", "a The BXD family") if name not in seen]


async def test_on_paper_nothing_is_cut_off(chromium: Chromium, answered: tuple[str, GivenAnswer]) -> None:
    """The passages follow the answer, with the addresses of their documents; what can only be pressed is left out."""
    origin, given = answered
    async with signed_in(chromium, origin, f"/answers/{given.handle}") as tab:
        await tab.page.emulate_media(media="print")
        answer = await tab.page.locator(".answer").bounding_box()
        passages = await tab.page.locator(".passages").bounding_box()
        shown = await tab.page.locator(".whole").first.is_visible()
        address = await tab.page.evaluate(
            "getComputedStyle(document.querySelector('.passage h3 a'), '::after').content"
        )

    assert answer is not None
    assert passages is not None
    assert answer["y"] + answer["height"] <= passages["y"]
    assert not shown
    assert given.answer.citations[0].url in address
