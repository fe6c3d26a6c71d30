"""All pages as one application: which there are, what guards every request, and what a page says when it fails."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from typing import Protocol

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.errors import BotError, InvalidRequestError, NotFoundError, RefusedError
from bot.web.access import Access, put_access, role_of
from bot.web.address import Hosts
from bot.web.templating import NavLink, Templates

logger = logging.getLogger(__name__)

MAX_BODY = 65_536  # bytes
PATIENCE_S = 30.0  # for one page, the time to send its form included
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
SENTENCES = {
    400: "Locus could not read this request: go back and try once more.",
    404: "There is no such page: it may have been deleted, or its address is not complete.",
    405: "This page cannot be asked for in this way: open it from the navigation.",
    413: "What was sent is too large for this page.",
    503: "Locus took too long for this page: try it again in a minute.",
}


class PageFamily(Protocol):
    """Pages that belong together."""

    def routes(self) -> Sequence[Route]:
        """Return where they are; every endpoint says whom it is for (`bot.web.access.needs`)."""
        ...

    def links(self) -> Sequence[NavLink]:
        """Return their entries of the navigation."""
        ...


def make_site(pages: Sequence[PageFamily], *, access: Access, templates: Templates, hosts: Hosts) -> Starlette:
    """Return the application.

    Args:
        pages: In the order of the navigation.
        access: Tells who a visitor is.
        templates: Render what the site itself says, and the navigation.
        hosts: Under which names it may be asked for.

    Raises:
        ValueError: If an endpoint does not say whom it is for.
    """
    routes = [route for family in pages for route in family.routes()]
    for route in routes:
        if role_of(route.endpoint) is None:
            raise ValueError(f"the page {route.path} does not say whom it is for")
    templates.links = [link for family in pages for link in family.links()]

    async def failed(request: Request, error: Exception) -> Response:
        if isinstance(error, BotError):
            status, sentence, headers = _status(error), str(error), None
        else:
            assert isinstance(error, HTTPException)  # noqa: S101 - registered for these two
            status, headers = error.status_code, error.headers
            said = error.detail if error.detail.endswith(".") else ""  # the library's own phrases are no sentences
            sentence = said or SENTENCES.get(status, "Locus cannot answer this request.")
        page = templates.render(request, "error.html", status, sentence=sentence)
        page.headers.update(headers or {})
        return page

    return Starlette(
        routes=routes,
        middleware=[Middleware(_Guard, access=access, templates=templates, hosts=hosts)],
        exception_handlers={HTTPException: failed, BotError: failed},
        max_body_size=MAX_BODY,
    )


class _Guard:
    """Around every request: names of hosts, the path's prefix, headers, time, and errors that nobody expected."""

    def __init__(self, app: ASGIApp, access: Access, templates: Templates, hosts: Hosts) -> None:
        self._app = app
        self._access = access
        self._templates = templates
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        if not self._hosts.allow(host):
            await PlainTextResponse("Not a name of this page.\n", 421)(scope, receive, send_with_headers)
            return
        scope["path"] = self._access.address.inside(scope["path"])
        put_access(scope, self._access)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._app(scope, receive, send_with_headers)
        except TimeoutError:
            sentence, status = SENTENCES[503], 503
        except Exception:
            reference = secrets.token_hex(4)
            logger.exception("a page failed", extra={"reference": reference})
            sentence, status = f"Something went wrong in Locus: its log has the reason under {reference}.", 500
        else:
            return
        if not begun:
            page = self._templates.render(Request(scope), "error.html", status, sentence=sentence)
            await page(scope, receive, send_with_headers)


def _status(error: BotError) -> int:
    if isinstance(error, NotFoundError):
        return 404
    if isinstance(error, InvalidRequestError):
        return 400
    return 403 if isinstance(error, RefusedError) else 503
