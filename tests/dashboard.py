"""`python -m tests.dashboard`: the web pages with thirty played days, to be looked at, or saved as pictures."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC
from pathlib import Path

from PIL import Image

from bot.access import Access
from bot.bootstrap import ingest_sources, open_application
from bot.ingestion import IngestReport
from bot.metrics import UNMEASURED
from bot.metrics_page import MetricsPage
from bot.ports import PUBLIC_SCOPE
from bot.settings import Settings, load_settings
from bot.store.given_answers import GivenAnswers
from bot.store.inbox import Inbox
from bot.store.opening import open_store
from bot.store.tally import Tally
from bot.web.dashboard import DashboardParts, open_dashboard
from bot.web.server import WebServer
from tests.answer_pages import AnswerLab
from tests.browser import NARROW, WIDE, open_chromium
from tests.played_days import play_days, play_digests, played_health
from tests.played_gaps import GAP, play_gaps
from tests.web import READER_TOKEN, STEWARD_TOKEN

AWAY = "https://minutes.lab.example/2026.html"
BROKEN = b"%PDF-1.7\nnot much of a document"
ANSWER = "how-the-bxd-strains-were-made"
PAGES = (("dashboard", "/"), ("answer", f"/answers/{ANSWER}"), ("gaps", "/gaps"), ("gap", f"/gaps/{GAP}"))


class Silent:
    """Is told of an ingest."""

    def found(self, files: int, size_bytes: int) -> None: ...

    def read(self, source: str, size_bytes: int) -> None: ...

    def embedded(self, chunks: int) -> None: ...

    def publishing(self) -> None: ...


async def make_documents(settings: Settings, folder: Path, *, away: str = AWAY, ships: bool = True) -> None:
    """Bring in the documents that ship with Locus, a folder with a broken file, and a source that is away."""
    (folder / "protocols").mkdir()
    (folder / "protocols" / "tissue.md").write_text("# Tissue collection\n\nTissue is kept at 193 K until use.\n")
    (folder / "protocols" / "scan.pdf").write_bytes(BROKEN)
    specs = (*(["starter"] if ships else []), str(folder / "protocols"), away)

    def report(outcome: IngestReport | Exception, spec: str) -> None:
        """Told of each source; what the dashboard says about it is what this is for."""

    await ingest_sources(settings, specs, scope=PUBLIC_SCOPE, progress=lambda _: Silent(), report=report)


@asynccontextmanager
async def open_played(folder: Path, port: int) -> AsyncIterator[WebServer]:
    """Serve the pages over a real index and a real Redis in which thirty days were played."""
    settings = load_settings(
        folder / "none.env",
        data_dir=folder / "data",
        health_port=port,
        dashboard_token=STEWARD_TOKEN,
        reader_token=READER_TOKEN,
        genenetwork="off",
    )
    async with AsyncExitStack() as stack:
        await make_documents(settings, folder)
        store = await stack.enter_async_context(open_store(settings))
        application = await stack.enter_async_context(open_application(settings))
        now = time.time()
        await play_days(store, now=now)
        await AnswerLab(store, application, now=now).ask("How were the BXD strains made?", handle=ANSWER)
        health, inbox = played_health(), Inbox(store)
        await inbox.prepare()
        await play_gaps(store, application, now=now)
        parts = DashboardParts(
            health,
            MetricsPage(UNMEASURED, health, inbox, application),
            inbox,
            Access(store, administrators=(), answer_external=False),
            GivenAnswers(store, days=90),
            Tally(store),
            application,
            await play_digests(store, now=now),
            UTC,
        )
        yield await stack.enter_async_context(open_dashboard(settings, parts))


async def take_pictures(origin: str, folder: Path) -> None:
    """Save every page light, dark and narrow."""
    async with open_chromium() as chromium:
        for name, width, dark in (("", WIDE, False), ("-dark", WIDE, True), ("-narrow", NARROW, False)):
            async with chromium.tab(origin, width=width, dark=dark) as tab:
                await tab.open("/sign-in")
                await tab.picture(folder / f"sign-in{name}.png")
                await tab.sign_in(STEWARD_TOKEN)
                for page, path in PAGES:
                    await tab.open(path)
                    await tab.picture(folder / f"{page}{name}.png")
                    await asyncio.to_thread(_shrink, folder / f"{page}{name}.png")
                for complaint in tab.complaints:
                    sys.stderr.write(complaint + "\n")


def _shrink(path: Path) -> None:
    """A page has few colours: with a palette its picture is a third as large."""
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(96)
    few.save(path, optimize=True)


async def main(port: int, screenshots: Path | None) -> None:
    """Serve until interrupted, or take pictures and end."""
    with tempfile.TemporaryDirectory(prefix="locus-dashboard-") as folder:
        async with open_played(Path(folder), port) as server:
            origin = f"http://127.0.0.1:{server.port}"
            if screenshots is not None:
                await asyncio.to_thread(screenshots.mkdir, parents=True, exist_ok=True)
                await take_pictures(origin, screenshots)
                return
            sys.stdout.write(f"{origin} for the steward: {STEWARD_TOKEN}, for readers: {READER_TOKEN}\n")
            sys.stdout.flush()
            await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.dashboard", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="where to listen")
    parser.add_argument("--screenshots", type=Path, help="save pictures of all pages into this folder, and end")
    given = parser.parse_args()
    try:
        asyncio.run(main(given.port if given.screenshots is None else 0, given.screenshots))
    except KeyboardInterrupt:
        sys.stdout.write("\n")
