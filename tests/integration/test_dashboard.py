"""The steward's overview over a real Redis and a real index: what it shows, and what it never does."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser

from bot.bootstrap import ingest_sources, open_application
from bot.errors import StorageError, UnavailableError
from bot.health import Health
from bot.ports import PUBLIC_SCOPE, IndexFacts, SourceSync
from bot.service import Role as ServiceRole
from bot.service import Service
from bot.settings import Settings
from bot.store.client import Command, Reply, Store, number
from bot.store.inbox import Inbox
from bot.store.schedules import Schedules
from bot.store.tally import Tally
from bot.web.overview import OverviewReader
from bot.web.overview_pages import OverviewPages
from bot.web.sessions import Role
from bot.web.site import PageFamily
from bot.web.templating import Templates
from tests.dashboard import Silent, make_documents
from tests.fakes import HeldAnswerer, MemoryChat, held_application, message
from tests.opinions import FakeClock
from tests.played_days import NOW, PRIVATE, play_days, play_digests, played_health
from tests.redis_servers import free_port
from tests.web import STEWARD_TOKEN, serve_pages

DEADLINE_S = 20.0
ROLES = frozenset({ServiceRole.ADAPTER, ServiceRole.WORKER})
FACTS = IndexFacts(
    7,
    "2026-11-19T09:00:00+00:00",
    64,
    (),
    (
        SourceSync("starter", PUBLIC_SCOPE, 51, "2026-11-19T09:00:00+00:00"),
        SourceSync(
            "https://ada:key@wiki.lab.example/pages?token=1",
            PUBLIC_SCOPE,
            12,
            "2026-11-01T09:00:00+00:00",
            "2026-11-19T09:00:00+00:00",
            "",
            7,
            ("old.pdf is no PDF; it was left out.",),
        ),
        SourceSync("/srv/minutes", PUBLIC_SCOPE, 0, "", "2026-11-19T09:00:00+00:00", "There is no folder <minutes>."),
        SourceSync(f"upload:{PRIVATE}.pdf", "channel-x", 1, "2026-11-19T09:00:00+00:00"),
    ),
)


def plain(page: httpx.Response) -> str:
    """What people read on a page, blanks made one."""
    body = LexborHTMLParser(page.text).body
    return " ".join((body.text(separator=" ") if body is not None else "").split())


@asynccontextmanager
async def overview(
    store: Store, *, health: Health | None = None, facts: object = FACTS
) -> AsyncIterator[httpx.AsyncClient]:
    """A steward who looks at a store's overview, on the last of the played days."""
    clock, inbox = FakeClock(NOW), Inbox(store)
    await inbox.prepare()

    async def index() -> IndexFacts:
        if isinstance(facts, Exception):
            raise facts
        assert isinstance(facts, IndexFacts)
        return facts

    roster = await play_digests(store) if facts is FACTS else None
    reader = OverviewReader(
        Tally(store, clock=clock),
        inbox,
        health or Health(),
        Schedules(store, clock=clock),
        None if facts is None else index,
        roster,
        clock=clock,
    )

    def pages(templates: Templates) -> Sequence[PageFamily]:
        return [OverviewPages(templates, reader)]

    async with serve_pages(pages) as site, site.client(Role.STEWARD) as client:
        yield client


async def test_the_overview_shows_thirty_days(store: Store) -> None:
    """Questions by how they ended, in bars that stand for what the table says; documents, digests and parts."""
    await play_days(store)
    async with overview(store, health=played_health()) as client:
        page = await client.get("/")
    read = plain(page)
    table = LexborHTMLParser(page.text).css("details table tbody tr")
    days = await Tally(store, clock=FakeClock(NOW)).days(30)

    assert 200 == page.status_code
    assert [str(day.questions) for day in reversed(days)] == [row.css("td")[0].text() for row in table]
    assert sum(day.questions for day in days) == int(re.findall(r"([\d,]+) questions", read)[0].replace(",", ""))
    assert len(LexborHTMLParser(page.text).css("svg rect.answered")) >= 15
    assert "The BXD family" in read
    assert "digests not as it should be" in read


async def test_nothing_private_is_on_it(store: Store) -> None:
    """No title of a private channel's document, no secret of a source's address, no path of the machine."""
    await play_days(store)
    async with overview(store) as client:
        page = await client.get("/")

    assert [] == [word for word in (PRIVATE, "ada:key", "token=1", "/srv/", "asker") if word in page.text]
    assert "documents of private channels" in page.text
    assert "1 document belongs to single channels and is not listed" in plain(page)


async def test_sources_tell_what_went_wrong(store: Store) -> None:
    """The failed first, with the reason as text and never as markup."""
    async with overview(store) as client:
        page = await client.get("/")
    rows = [
        " ".join(row.text(separator=" ").split())
        for row in LexborHTMLParser(page.text).css("section[aria-labelledby=documents] tbody tr")
    ]

    assert ["minutes", "starter", "wiki.lab.example/pages"] == [row.split()[0] for row in rows]
    assert "failed: There is no folder <minutes>." in rows[0]
    assert "well" in rows[1]
    assert "7 files left out Which old.pdf is no PDF; it was left out. and 6 more" in rows[2]
    assert "There is no folder <minutes>" not in page.text


async def test_digests_tell_when_they_come_and_why_not(store: Store) -> None:
    """The next date, what came of the last, and what a pause is for."""
    async with overview(store) as client:
        page = await client.get("/")
    rows = [
        " ".join(row.text(separator=" ").split())
        for row in LexborHTMLParser(page.text).css("section[aria-labelledby=digests] tbody tr")
    ]
    by_channel = {row.split()[1]: row for row in rows}

    assert "23 Nov 2026, 15:00 16 Nov 2026, 15:12" in by_channel["C024BE91L"]
    assert "21 Nov 2026, 14:30" in by_channel["C0NEWDATA"]
    assert "paused: Locus may not post in this channel" in by_channel["C0QUIET"]


async def test_an_empty_overview_says_what_to_do(store: Store) -> None:
    """For questions, documents and digests."""
    async with overview(store, facts=IndexFacts(0, "", 0)) as client:
        read = plain(await client.get("/"))

    assert "Nobody has asked anything yet." in read
    assert "locus ingest" in read
    assert "digest subscribe weekly" in read


async def test_a_damaged_index_does_not_take_the_rest_with_it(store: Store) -> None:
    """Its sentence stands where its sources would."""
    await play_days(store)
    async with overview(store, facts=StorageError("The index is damaged: ingest again.")) as client:
        damaged = await client.get("/")
    async with overview(store, facts=None) as client:
        unknown = await client.get("/")

    assert (200, 200) == (damaged.status_code, unknown.status_code)
    assert "The index is damaged: ingest again." in plain(damaged)
    assert "This process answers no questions" in plain(unknown)


async def test_while_redis_is_away_it_is_one_sentence(store: Store) -> None:
    """With the status that proxies understand."""
    async with overview(store, facts=UnavailableError("Redis does not answer: start it.")) as client:
        page = await client.get("/")

    assert 503 == page.status_code
    assert "Redis does not answer: start it." in plain(page)


async def test_open_and_given_up_requests_are_counted(store: Store) -> None:
    """With how long the first has waited."""
    inbox = Inbox(store, clock=FakeClock(NOW - 90))
    await inbox.prepare()
    await inbox.accept([message("What is a QTL?", number=1), message("What is a LOD?", number=2)])
    async with overview(store) as client:
        read = plain(await client.get("/"))

    assert "Open questions 2, the first for 90 s" in read


class Running:
    """A service with its pages."""

    def __init__(self, store: Store, answerer: HeldAnswerer) -> None:
        self.port = free_port()
        self.store, self.chat, self.answerer = store, MemoryChat(), answerer
        given = {
            "lease_s": 1.0,
            "rate_person": 0,
            "rate_channel": 0,
            "answer_cache_h": 1,
            "max_failures": 1,
            "health_port": self.port,
            "dashboard_token": STEWARD_TOKEN,
        }
        self.service = Service(Settings.model_validate(given), held_application(answerer), store, [self.chat], ROLES)

    async def ask(self, text: str, number_: int) -> None:
        """Ask and wait for the end."""
        await self.service.reception.message(message(text, number=number_))
        async with asyncio.timeout(DEADLINE_S):
            while number(await self.store.call("XLEN", self.service.inbox.keys.inbox)):  # noqa: ASYNC110 - a deadline
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run it."""
        stop = asyncio.Event()
        task = asyncio.create_task(self.service.run(stop))
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self.service.started.wait()
            yield
        finally:
            stop.set()
            await task


async def test_the_service_counts_how_questions_end_and_keeps_it_over_a_restart(store: Store) -> None:
    """Answered, answered from before, not in the documents, failed; commands are no questions."""
    answerer = HeldAnswerer()
    answerer.release.set()
    first = Running(store, answerer)
    async with first.running():
        await first.ask("What is a QTL?", 1)
        await first.ask("What is a QTL?", 2)
        await first.ask("An unknown thing?", 3)
        await first.ask("help", 4)
        answerer.failures.append(StorageError("The index is damaged."))
        await first.ask("What is a LOD?", 5)
    second = Running(store, answerer)
    async with second.running(), httpx.AsyncClient(base_url=f"http://127.0.0.1:{second.port}") as client:
        await second.ask("What is an RI strain?", 6)
        (day,) = await second.service.state.tally.days(1)
        closed = await client.get("/")
        ready = await client.get("/readyz")

    assert (3, 1, 1, 1) == (day.answered, day.unanswered, day.failed, day.cached)
    assert 4 == sum(day.waits)
    assert (303, "/sign-in?next=%2F") == (closed.status_code, closed.headers["location"])
    assert 200 == ready.status_code


async def test_how_a_sync_went_is_kept_in_the_index(tmp_path: Path) -> None:
    """The broken file of one source, the missing folder of another, and the good one; again after it is mended."""
    settings = Settings(data_dir=tmp_path / "data", genenetwork="off")
    (tmp_path / "work").mkdir()
    away = str(tmp_path / "work" / "minutes")
    await make_documents(settings, tmp_path / "work", away=away, ships=False)
    async with open_application(settings) as application:
        before = {one.name.rpartition("/")[2]: one for one in (await application.facts()).syncs}
        (tmp_path / "work" / "minutes").mkdir()
        (tmp_path / "work" / "minutes" / "one.md").write_text("# Minutes\n\nThe freezer was moved.\n")
        await ingest_sources(settings, [away], scope=PUBLIC_SCOPE, progress=lambda _: Silent(), report=lambda *_: None)
        after = {one.name.rpartition("/")[2]: one for one in (await application.facts()).syncs}

    assert (1, 1) == (before["protocols"].documents, before["protocols"].problems)
    assert "scan.pdf" in before["protocols"].first[0]
    assert (0, "") == (before["minutes"].documents, before["minutes"].synced_at)
    assert before["minutes"].failed.startswith("There is no folder or file")
    assert (1, "") == (after["minutes"].documents, after["minutes"].failed)
    assert set(before) == set(after)


async def test_the_days_are_read_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One exchange with Redis for all days, and one for what they cite."""
    sent: list[int] = []
    batch = store.batch

    async def counted(*commands: Command) -> list[Reply]:
        sent.append(len(commands))
        return await batch(*commands)

    monkeypatch.setattr(store, "batch", counted)
    tally = Tally(store, clock=FakeClock(NOW))
    await tally.days(30)
    await tally.cited_most(30, 12)

    assert [30, 30] == sent
