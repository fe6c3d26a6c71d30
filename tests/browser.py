"""A real Chromium without a window, for the tests of the web pages: what it complains about is a failure."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from axe_core_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page, Response, async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = "Chromium is not installed: run `make setup-chromium` as root, or install Debian's package chromium."
ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
PATIENCE_MS = 60_000  # other tests may run on the same machine
WIDE = 1200
NARROW = 360  # pixels of a small phone


class Tab:
    """A page in the browser.

    Attributes:
        page: Playwright's.
        complaints: What the browser said about the pages: errors of the console, among them what the content security
            policy refuses and missing files, and requests to other hosts.
    """

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self._origin = origin
        page.on("console", lambda said: self._hear(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._see(request.url))

    async def open(self, path: str) -> int:
        """Open a page of the site and return its status."""
        answer = await self.page.goto(self._origin + path)
        return _status(answer)

    async def sign_in(self, token: str) -> None:
        """Sign in as people do."""
        await self.open("/sign-in")
        await self.page.get_by_label("Token").fill(token)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.get_by_role("button", name="Sign out").wait_for()

    async def unfold(self) -> None:
        """Open everything on the page that is folded."""
        for fold in await self.page.locator("details:not([open]) > summary").element_handles():
            await fold.click()

    async def violations(self) -> list[str]:
        """Return what axe finds against accessibility on the page, as "rule: where"."""
        found = await Axe().run(self.page)
        return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found["violations"]]

    async def sideways(self) -> int:
        """Return by how many pixels the page is wider than the window; 0 needs no scrolling to the side."""
        return int(
            await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )

    async def walk(self, limit: int = 200) -> list[str]:
        """Press Tab through the whole page and return what had the focus, as "a Gaps"; each had a visible outline.

        Raises:
            AssertionError: If something has the focus and does not show it.
        """
        seen: list[str] = []
        for _ in range(limit):
            await self.page.keyboard.press("Tab")
            name, outline = await self.page.evaluate(_FOCUSED)
            if name == "body" or (seen and name == seen[0]):
                return seen
            assert outline, f"{name} has the focus and does not show it"
            seen.append(name)
        raise AssertionError("the keyboard does not come to an end")

    async def picture(self, path: Path, *, full: bool = True) -> None:
        """Save what the page looks like as PNG."""
        await self.page.screenshot(path=path, full_page=full)

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def _see(self, url: str) -> None:
        if urlsplit(url).scheme in ("http", "https") and not url.startswith(self._origin + "/"):
            self.complaints.append(f"asked for {url}")


_FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return ["body", true];
  const style = getComputedStyle(one);
  const name = one.tagName.toLowerCase() + " " + (one.labels?.[0]?.innerText || one.innerText || one.name || "").trim();
  return [name, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0];
}"""


def _status(answer: Response | None) -> int:
    return answer.status if answer is not None else 0


class Chromium:
    """The browser; `tab` opens a window of its own, with its own cookies."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    @asynccontextmanager
    async def tab(
        self,
        origin: str,
        *,
        width: int = WIDE,
        dark: bool = False,
        scripts: bool = True,
        headers: Mapping[str, str] | None = None,
        cookies: Sequence[tuple[str, str]] = (),
    ) -> AsyncIterator[Tab]:
        """Open an empty tab.

        Args:
            origin: Of the site, such as http://127.0.0.1:8080, without a slash at the end.
            width: Of the window, in pixels.
            dark: Whether the person prefers dark colours.
            scripts: Whether JavaScript is on; axe needs it.
            headers: Sent with every request, as the lab's proxy would.
            cookies: Names and values to begin with.
        """
        context = await self._browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            extra_http_headers=dict(headers or {}),
            locale="en-GB",
            timezone_id="UTC",
        )
        try:
            context.set_default_timeout(PATIENCE_MS)
            await context.add_cookies([{"name": name, "value": value, "url": origin} for name, value in cookies])
            yield Tab(await context.new_page(), origin)
        finally:
            await context.close()


@asynccontextmanager
async def open_chromium() -> AsyncIterator[Chromium]:
    """Start the browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, timeout=PATIENCE_MS, env={**os.environ}
        )
        try:
            yield Chromium(browser)
        finally:
            await browser.close()
