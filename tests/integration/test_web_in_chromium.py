"""The pages in a real browser: what it says about them, by keyboard, on a phone, and to people who cannot see them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from bot.health import Health
from bot.ports import IndexFacts
from bot.store.client import Store
from bot.store.inbox import Inbox
from bot.store.schedules import Schedules
from bot.store.tally import Tally
from bot.web.health_pages import HealthPages
from bot.web.overview import OverviewReader
from bot.web.overview_pages import OverviewPages
from bot.web.site import PageFamily
from bot.web.templating import Templates
from tests.browser import NARROW, WIDE, Chromium
from tests.integration.test_dashboard import FACTS
from tests.opinions import FakeClock
from tests.played_days import NOW, play_days, play_digests, played_health
from tests.web import READER_TOKEN, STEWARD_TOKEN, Site, serve_pages


async def _facts() -> IndexFacts:
    return FACTS


@pytest.fixture
async def site(store: Store) -> AsyncIterator[Site]:
    """The overview of thirty played days."""
    await play_days(store)
    clock, inbox = FakeClock(NOW), Inbox(store)
    await inbox.prepare()
    roster = await play_digests(store)
    tally, schedules = Tally(store, clock=clock), Schedules(store, clock=clock)
    reader = OverviewReader(tally, inbox, played_health(), schedules, _facts, roster, clock=clock)

    def pages(templates: Templates) -> Sequence[PageFamily]:
        return [OverviewPages(templates, reader), HealthPages(Health())]

    async with serve_pages(pages) as served:
        yield served


@pytest.mark.parametrize("dark", [False, True])
async def test_the_pages_can_be_used_by_everybody(site: Site, chromium: Chromium, dark: bool) -> None:
    """Axe finds nothing, in light and dark colours, wide and narrow, and nothing scrolls to the side."""
    async with chromium.tab(site.origin, dark=dark) as tab:
        assert 200 == await tab.open("/sign-in")
        found = {"sign in": await tab.violations()}
        await tab.sign_in(STEWARD_TOKEN)
        for width in (WIDE, NARROW):
            await tab.page.set_viewport_size({"width": width, "height": 800})
            for path in ("/", "/nowhere", "/sign-in"):
                await tab.open(path)
                await tab.unfold()
                found[f"{path} {width}"] = await tab.violations()
                assert 0 == await tab.sideways()

    assert {} == {name: problems for name, problems in found.items() if problems}
    assert [] == [one for one in tab.complaints if "404" not in one]


async def test_everything_is_reached_by_keyboard(site: Site, chromium: Chromium) -> None:
    """In the order of the page, with the focus to be seen; the first stop skips the navigation."""
    async with chromium.tab(site.origin) as tab:
        await tab.open("/sign-in")
        assert ["a Skip to the content", "input Token", "button Sign in"] == await tab.walk()
        await tab.sign_in(STEWARD_TOKEN)
        await tab.open("/")
        walked = await tab.walk()
        await tab.open("/")
        await tab.page.keyboard.press("Tab")
        await tab.page.keyboard.press("Enter")
        landed = await tab.page.evaluate("document.activeElement.id")

    assert ["a Skip to the content", "a Overview", "button Sign out", "summary Day by day, as a table"] == walked[:4]
    assert "a The BXD family" in walked
    assert "main" == landed


async def test_signing_in_works_by_keyboard_and_without_scripts(site: Site, chromium: Chromium) -> None:
    """A wrong token is told beside the field, the right one lets in, and out again."""
    async with chromium.tab(site.origin, scripts=False) as tab:
        await tab.open("/")
        await tab.page.get_by_label("Token").fill("not the token")
        await tab.page.keyboard.press("Enter")
        told = await tab.page.get_by_role("alert").inner_text()
        await tab.page.get_by_label("Token").fill(STEWARD_TOKEN)
        await tab.page.keyboard.press("Enter")
        await tab.page.get_by_role("heading", name="Questions").wait_for()
        await tab.page.get_by_text("Day by day, as a table").click()
        rows = await tab.page.locator("details[open] tbody tr").count()
        await tab.page.get_by_role("button", name="Sign out").click()
        await tab.page.get_by_role("heading", name="Sign in").wait_for()
        await tab.open("/")
        out = tab.page.url

    assert told.startswith("This is not the token:")
    assert (30, f"{site.origin}/sign-in?next=%2F") == (rows, out)


async def test_a_reader_is_told_where_the_answers_are(site: Site, chromium: Chromium) -> None:
    """The first page is the steward's."""
    async with chromium.tab(site.origin) as tab:
        await tab.sign_in(READER_TOKEN)
        shown = await tab.page.locator("main").inner_text()
        problems = await tab.violations()

    assert "open one of these" in shown
    assert ([], []) == (problems, tab.complaints)


async def test_the_bars_are_drawn(site: Site, chromium: Chromium) -> None:
    """Each in its own colour, with room: the styles have arrived and nothing of them was refused."""
    async with chromium.tab(site.origin) as tab:
        await tab.sign_in(STEWARD_TOKEN)
        colours = [
            await tab.page.locator(f".chart rect.{kind}").first.evaluate("one => getComputedStyle(one).fill")
            for kind in ("answered", "rated", "refused", "failed")
        ]
        room = await tab.page.locator(".chart svg").first.bounding_box()

    assert 4 == len(set(colours))
    assert room is not None
    assert room["width"] > 700
    assert room["height"] > 150
    assert [] == tab.complaints


async def test_what_a_script_would_do_is_refused(site: Site, chromium: Chromium) -> None:
    """Even if markup got into a page, the browser would not run it, send a form elsewhere, or load a picture."""
    async with chromium.tab(site.origin) as tab:
        await tab.sign_in(STEWARD_TOKEN)
        await tab.page.evaluate(
            """() => {
              for (const html of ['<img src="https://evil.example/x.png">', '<p style="color: red">x</p>'])
                document.querySelector("main").insertAdjacentHTML("beforeend", html);
              const script = document.createElement("script");
              script.textContent = "window.ran = true";
              document.body.append(script);
            }"""
        )
        ran = await tab.page.evaluate("window.ran === true")

    assert not ran
    refused = [one for one in tab.complaints if "Content Security Policy" in one]
    assert 3 <= len(refused)
