"""The dashboard as its steward sees it: a real browser, the token of the settings, a screenshot to look at."""

from __future__ import annotations

import asyncio
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

from dotenv import dotenv_values

from tests.browser import CHROMIUM, MISSING, open_chromium
from tests.first_day.operator import Operator
from tests.first_day.report import FailedError, SkippedError, require

READY_S = 180.0
ASK_AGAIN_S = 0.2
SIGN_IN = "Sign in"


def look_at_dashboard(operator: Operator, picture: Path) -> None:
    """docs/dashboard.md: `locus run`, the address of the guide, the token of `.env`.

    Args:
        operator: Whose `.env` it is.
        picture: Where the screenshot goes.

    Raises:
        SkippedError: If there is no Chromium, and it need not be there.
        FailedError: If the page does not come, or the browser complains about it.
    """
    if CHROMIUM is None:
        require(not os.environ.get("CI"), MISSING)
        raise SkippedError(MISSING)
    written = dotenv_values(operator.folder / ".env")
    origin = f"http://127.0.0.1:{written['LOCUS_HEALTH_PORT']}"
    with operator.terminal("locus run") as terminal:
        terminal.until("› ", READY_S)
        for path in ("/healthz", "/readyz", "/metrics"):
            _fetch(origin + path)
        title = asyncio.run(_sign_in(origin, written["LOCUS_DASHBOARD_TOKEN"] or "", picture))
        terminal.type("/quit\n")
        code = terminal.wait(READY_S)
    require(code == 0, f"`locus run` ended with {code}")
    operator.report.note(f"{origin}/ shows {title!r}; {picture.name}: {picture.stat().st_size / 1e3:.0f} kB")


async def _sign_in(origin: str, token: str, picture: Path) -> str:
    """Return the heading of the page behind the token."""
    async with open_chromium() as chromium, chromium.tab(origin) as tab:
        await tab.open("/")
        await tab.page.get_by_label("Token").fill(token)
        await tab.page.get_by_role("button", name=SIGN_IN).click()
        heading = tab.page.get_by_role("heading", level=1).first
        await heading.filter(has_not_text=SIGN_IN).wait_for()
        title = await heading.inner_text()
        await tab.picture(picture)
        require(token not in tab.page.url, "the token stands in the address")
        require(not tab.complaints, f"the browser complains: {tab.complaints}")
        violations = await tab.violations()
        require(not violations, f"not everybody can use the page: {violations}")
        return title


def _fetch(url: str) -> None:
    """Ask until it answers with 200.

    Raises:
        FailedError: If it does not in time.
    """
    ends_at = time.monotonic() + READY_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - of this machine
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            if time.monotonic() > ends_at:
                raise FailedError(f"{url} does not answer: {error}") from error
        time.sleep(ASK_AGAIN_S)
