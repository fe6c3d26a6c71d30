"""The web pages on a free port of this machine, as `locus run` serves them, and clients that are signed in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, tzinfo

import httpx

from bot.settings import Settings
from bot.web.opening import open_web
from bot.web.sessions import Role
from bot.web.site import PageFamily
from bot.web.templating import Templates

STEWARD_TOKEN = "token-of-the-steward"
READER_TOKEN = "token-of-the-readers"
TOKENS = {Role.STEWARD: STEWARD_TOKEN, Role.READER: READER_TOKEN}
_FORM_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')


async def fixed_secret() -> bytes:
    """What cookies are signed with where no Redis is there to keep it."""
    return b"secret of the tests, 32 bytes ok"


@dataclass(frozen=True)
class Site:
    """Pages that are served.

    Attributes:
        origin: Such as http://127.0.0.1:40123.
    """

    origin: str

    @asynccontextmanager
    async def client(self, role: Role = Role.ANYBODY, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
        """Open a client, signed in where a role is given."""
        async with httpx.AsyncClient(base_url=self.origin, headers=headers, timeout=60) as client:
            if role is not Role.ANYBODY:
                answer = await send_form(client, "/sign-in", "/sign-in", token=TOKENS[role])
                assert 303 == answer.status_code
            yield client


def form_token(page: httpx.Response) -> str:
    """Return the token of the last form on a page."""
    return str(_FORM_TOKEN.findall(page.text)[-1])


async def send_form(client: httpx.AsyncClient, page: str, action: str, **fields: str) -> httpx.Response:
    """Open the page of a form, fill the form in and send it."""
    shown = await client.get(page)
    return await client.post(action, data={"form_token": form_token(shown), **fields})


@asynccontextmanager
async def serve_pages(
    make_pages: Callable[[Templates], Sequence[PageFamily]], *, zone: tzinfo = UTC, **settings: object
) -> AsyncIterator[Site]:
    """Serve pages.

    Args:
        make_pages: Returns them.
        zone: That dates are shown in.
        settings: Fields of `Settings`, such as public_url; without tokens both roles have one.
    """
    given = {"dashboard_token": STEWARD_TOKEN, "reader_token": READER_TOKEN, "health_port": 0, **settings}
    async with open_web(Settings.model_validate(given), fixed_secret, zone, make_pages) as server:
        yield Site(f"http://127.0.0.1:{server.port}")
