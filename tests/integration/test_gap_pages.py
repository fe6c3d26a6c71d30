"""The steward's list of gaps: what it shows, what is left out, and what becomes of it when the documents are mended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from bot.access import own_scope
from bot.gaps import ALL_SCOPES, FloatArray
from bot.mending.board import GapBoard, GapState
from bot.messages import Audience
from bot.store.client import Store, texts
from bot.store.feedback import Feedback
from bot.store.gap_states import GapStates
from bot.store.gaps import Unanswered
from bot.web.gap_pages import NO_REASON, GapPages
from bot.web.sessions import Role
from knowledge.embeddings import MiniLmEmbedder
from knowledge.index import KnowledgeIndex
from tests.browser import NARROW, Chromium
from tests.documents import LAB
from tests.fakes import MemoryChat, message
from tests.integration.test_gaps import WordEmbeds
from tests.integration.test_telling import lab_of
from tests.opinions import AnsweredFeedback, FakeClock, answer, given, request
from tests.redis_servers import RedisServer
from tests.telling import ANSWER, MENDED, OTHER_MENDED, QUESTION, Lab, ingest
from tests.web import STEWARD_TOKEN, Site, send_form, serve_pages

BXD = "What were the BXD strains made by crossing?"


@pytest.fixture
def index(tmp_path: Path, embedder: MiniLmEmbedder) -> Iterator[KnowledgeIndex]:
    """An index with a few public documents."""
    opened = KnowledgeIndex(tmp_path / "data", embedder)
    ingest(opened, tmp_path / "source-public", LAB)
    yield opened
    opened.close()


@pytest.fixture
async def lab(redis_server: RedisServer, store: Store, index: KnowledgeIndex, tmp_path: Path) -> AsyncIterator[Lab]:
    """A running service."""
    async with lab_of(redis_server, store, index, MemoryChat(), tmp_path) as opened:
        yield opened


def board_of(lab: Lab, *scopes: str) -> GapBoard:
    """Return what the pages read."""
    service = lab.service
    unanswered, states = service.state.unanswered, service.mending.states
    return GapBoard(unanswered, service.feedback, states, lab.index.embedder, scopes=scopes)


@asynccontextmanager
async def pages_of(lab: Lab, *scopes: str) -> AsyncIterator[Site]:
    """Serve the pages of a service."""
    board, application = board_of(lab, *scopes), lab.service._application
    assert application is not None
    async with serve_pages(
        lambda templates: [GapPages(templates, board, lab.service.mending.states, application.search)]
    ) as site:
        yield site


async def test_a_gap_is_answered_when_the_documents_are_mended(lab: Lab) -> None:
    """After an ingest open questions are asked again by themselves; the new answer is there to be read."""
    await lab.say(QUESTION, audience=Audience.PUBLIC)
    await lab.looked()
    before = await board_of(lab).read()
    await lab.learn(MENDED)
    await lab.looked()
    after = await board_of(lab).read()

    assert [GapState.OPEN] == [entry.state for entry in before.entries]
    (entry,) = after.entries
    assert (GapState.ANSWERED, 1) == (entry.state, entry.answered)
    finding = entry.questions[0].finding
    assert finding is not None
    assert f"{ANSWER} [1]" == finding.text
    assert ["Perfusion"] == [citation.title for citation in finding.citations]
    assert after.looked is not None


async def test_a_document_that_goes_opens_its_gap_again(lab: Lab, tmp_path: Path) -> None:
    """What the documents no longer say is no answer."""
    await lab.say(QUESTION, audience=Audience.PUBLIC)
    await lab.learn(MENDED)
    await lab.looked()
    (tmp_path / "source-public" / "perfusion.md").unlink()
    await lab.learn(OTHER_MENDED)
    await lab.looked()

    assert [GapState.OPEN] == [entry.state for entry in (await board_of(lab).read()).entries]


async def test_a_bad_answer_is_mended_by_other_words_only(lab: Lab) -> None:
    """As long as nothing else can be quoted, it stays open."""
    told = await lab.say(BXD, audience=Audience.PUBLIC)
    asked = message("x", audience=Audience.PUBLIC)
    await lab.service.reception.vote(asked.place, asked.sender, told.handle, "down", "does not name the mother")

    async def noted() -> bool:
        return bool(await lab.service.mending.states.findings())

    await lab.until(noted)
    await lab.learn(MENDED)
    await lab.looked()
    before = await board_of(lab).read()
    await lab.learn(
        {"crosses.md": "# Crosses\n\nThe BXD strains were made by crossing C57BL/6J mothers with DBA/2J.\n"}
    )
    await lab.looked()
    after = await board_of(lab).read()

    assert ([GapState.OPEN], [1]) == (
        [entry.state for entry in before.entries],
        [entry.gap.down_votes for entry in before.entries],
    )
    assert [GapState.ANSWERED] == [entry.state for entry in after.entries]


async def test_a_forgotten_question_leaves_nothing(lab: Lab, store: Store) -> None:
    """Neither on the board nor what was found for it."""
    await lab.say(QUESTION, audience=Audience.PUBLIC)
    await lab.learn(MENDED)
    await lab.looked()
    board = board_of(lab)
    shown = await board.read()
    await lab.service.commands._people.forget(message("x").sender.person_id)  # type: ignore[union-attr]

    assert 1 == len(shown.entries)
    assert () == (await board.read()).entries
    assert [] == texts(await store.call("KEYS", store.key("finding:*")))


async def test_private_answers_are_told_where_their_scope_is_named(lab: Lab) -> None:
    """The question was public; what answers it now belongs to a channel."""
    await lab.say(QUESTION, audience=Audience.PUBLIC)
    scope = own_scope(message("x").place)
    await lab.learn(MENDED, scope=scope)
    await lab.looked()

    for scopes, private in (((), True), ((scope,), False), ((ALL_SCOPES,), False)):
        (entry,) = (await board_of(lab, *scopes).read()).entries
        assert (GapState.ANSWERED, private) == (entry.state, entry.questions[0].private)
    async with pages_of(lab) as site, site.client(Role.STEWARD) as client:
        page = await client.get(f"/gaps/{entry.reference}")
        assert "emerald" not in page.text
        assert "documents of a private channel" in page.text


class CountingEmbeds(WordEmbeds):
    """Counts what it embeds."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed_query(self, text: str) -> FloatArray:
        """Embed."""
        self.texts.append(text)
        return super().embed_query(text)


async def test_questions_are_embedded_once(store: Store) -> None:
    """The board embeds what is new, and groups again only when the questions have changed."""
    unanswered, feedback, embeds = Unanswered(store, days=1), Feedback(store, days=1, limit=10), CountingEmbeds()
    board = GapBoard(unanswered, feedback, GapStates(store, days=1), embeds)
    for number, question in enumerate(("Alpha one?", "Alpha two?", "Beta three?")):
        asked = request(str(number), question)
        refused = answer(question, answered=False)
        await store.transaction(*await unanswered.keep(asked, refused, ("public",)))
        first = await board.read()
        again = await board.read()
        assert first == again

    assert ["Alpha one?", "Alpha two?", "Beta three?"] == sorted(embeds.texts)
    assert [2, 1] == [len(entry.gap.questions) for entry in first.entries]


async def test_a_gap_can_be_put_aside_and_taken_back(store: Store) -> None:
    """With a reason; questions like it that come later are aside with it."""
    clock = FakeClock()
    unanswered = Unanswered(store, days=1, clock=clock)
    states = GapStates(store, days=1, clock=clock)
    board = GapBoard(unanswered, Feedback(store, days=1, limit=10, clock=clock), states, WordEmbeds())

    async def ask(number: int, question: str) -> None:
        clock.now += 1
        refused = answer(question, answered=False)
        await store.transaction(*await unanswered.keep(request(str(number), question), refused, ("public",)))

    await ask(1, "Alpha one?")
    (entry,) = (await board.read()).entries
    await states.put_aside(entry.references, "not for us")
    await ask(2, "Alpha two?")
    (aside,) = (await board.read()).entries
    done = await states.take_back(aside.references)
    (back,) = (await board.read()).entries

    assert (GapState.ASIDE, 2, "not for us") == (aside.state, len(aside.questions), aside.aside and aside.aside.reason)
    assert (True, GapState.OPEN, None) == (done, back.state, back.aside)
    assert await states.take_back(aside.references) is False


@asynccontextmanager
async def small_site(store: Store, *scopes: str) -> AsyncIterator[Site]:
    """Serve a board with a public gap, hostile words in it, a private one and a bad answer."""
    unanswered, feedback = Unanswered(store, days=1), AnsweredFeedback(store, days=1, limit=10)
    states = GapStates(store, days=1)
    for number, (question, scope) in enumerate(
        (
            ("Alpha <script>alert(1)</script> one?", ("public",)),
            ("Alpha two?", ("public",)),
            ("Secret three?", ("public", "channel-x")),
        )
    ):
        refused = answer(question, answered=False)
        await store.transaction(*await unanswered.keep(request(str(number), question), refused, scope))
    await feedback.vote(given("h" * 20, "Beta four?"), "judge", "down")
    board = GapBoard(unanswered, feedback, states, WordEmbeds(), scopes=scopes)
    async with serve_pages(lambda templates: [GapPages(templates, board, states)]) as site:
        yield site


async def test_the_list_shows_what_is_missing_and_what_to_write(store: Store) -> None:
    """Grouped, counted, with the closest documents; without names, markup or what was asked in private."""
    async with small_site(store) as site, site.client(Role.STEWARD) as client:
        page = (await client.get("/gaps")).text

    assert "Asked 2 times" in page
    assert "1 vote down" in page
    assert 'href="https://example.org/bxd"' in page
    assert "a new page “" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "1 question that was asked in private is left out" in page
    assert "Secret" not in page
    assert not any(name in page for name in ("Ada", "judge", request("1").message.sender.person_id))


async def test_private_gaps_are_shown_where_the_settings_say_so(store: Store) -> None:
    """Then nothing is left out."""
    async with small_site(store, "channel-x") as site, site.client(Role.STEWARD) as client:
        page = (await client.get("/gaps")).text

    assert "Secret three?" in page
    assert "left out" not in page


async def test_the_page_of_a_gap_has_a_skeleton_and_a_form(store: Store) -> None:
    """Putting aside needs a reason and the form's token; taking back undoes it."""
    async with small_site(store) as site, site.client(Role.STEWARD) as client:
        path = _first(await client.get("/gaps"))
        page = await client.get(path)
        foreign = await client.post(f"{path}/aside", data={"reason": "no token"})
        empty = await send_form(client, path, f"{path}/aside", reason="  ")
        done = await send_form(client, path, f"{path}/aside", reason="asks about <lunch>")
        aside = await client.get("/gaps", params={"state": "aside"})
        back = await send_form(client, path, f"{path}/back")
        again = await client.get("/gaps", params={"state": "aside"})

    assert (200, 403, 400, 303, 303) == tuple(one.status_code for one in (page, foreign, empty, done, back))
    assert "- Alpha two?" in page.text
    assert NO_REASON in empty.text
    assert "asks about &lt;lunch&gt;" in aside.text
    assert "Nothing was put aside" in again.text


async def test_readers_do_not_see_gaps(store: Store) -> None:
    """They are the steward's; a page that is not there says so."""
    async with small_site(store) as site:
        async with site.client(Role.READER) as client:
            assert 403 == (await client.get("/gaps")).status_code
        async with site.client(Role.STEWARD) as client:
            assert 404 == (await client.get("/gaps/nothing-like-it")).status_code
            assert 200 == (await client.get("/gaps?state=nonsense&page=x")).status_code


async def test_a_process_without_an_index_says_so(store: Store) -> None:
    """In one sentence that says where the list is."""
    states = GapStates(store, days=1)
    async with (
        serve_pages(lambda templates: [GapPages(templates, None, states)]) as site,
        site.client(Role.STEWARD) as client,
    ):
        page = await client.get("/gaps")

    assert 503 == page.status_code
    assert "has no index" in page.text


async def test_nothing_missing_says_what_will_come(store: Store) -> None:
    """Each state has a sentence of its own."""
    states = GapStates(store, days=1)
    board = GapBoard(Unanswered(store, days=1), Feedback(store, days=1, limit=10), states, WordEmbeds())
    async with (
        serve_pages(lambda templates: [GapPages(templates, board, states)]) as site,
        site.client(Role.STEWARD) as client,
    ):
        pages = [(await client.get("/gaps", params={"state": state})).text for state in GapState]

    assert "No question is without a good answer" in pages[0]
    assert "Nothing here yet" in pages[1]
    assert "Nothing was put aside" in pages[2]


async def test_the_pages_in_a_browser(store: Store, chromium: Chromium) -> None:
    """No complaints, no hurdles, by keyboard and on a phone; a gap is put aside by hand."""
    async with small_site(store) as site, chromium.tab(site.origin, width=NARROW) as tab:
        await tab.open("/gaps")
        await tab.page.fill("input[name=token]", STEWARD_TOKEN)
        await tab.page.press("input[name=token]", "Enter")
        await tab.page.wait_for_url("**/gaps")
        assert [] == await tab.violations()
        assert 0 == await tab.sideways()
        await tab.page.click("article.gap h2 a >> nth=0")
        await tab.page.wait_for_selector("#skeleton")
        assert [] == await tab.violations()
        assert 0 == await tab.sideways()
        assert "input Why" in await tab.walk()
        await tab.page.fill("#reason", "not for us")
        await tab.page.press("#reason", "Enter")
        await tab.page.wait_for_selector("text=Take it back")
        assert [] == await tab.violations()
        assert [] == tab.complaints


def _first(page: httpx.Response) -> str:
    """Return the path of the first gap of a list."""
    return page.text.split('<h2 id="gap-')[1].split('href="')[1].split('"')[0]
