"""Signing in with a token, and out."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bot.web.access import Access, needs
from bot.web.forms import read_fields
from bot.web.sessions import Role, same_token
from bot.web.templating import NavLink, Templates
from bot.web.visitor import visitor_of

ATTEMPTS = 5  # wrong tokens of one address within the window, then it waits
WINDOW_S = 300.0
MAX_ADDRESSES = 10_000
WRONG = "This is not the token: copy it again, without blanks, from whoever runs Locus here."


class Attempts:
    """Counts wrong tokens by address, in this process.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Return the seconds until this address may try again; 0 if it may now."""
        times = self._failed.get(_network(address))
        now = self._clock()
        while times and now - times[0] >= WINDOW_S:
            times.popleft()
        return WINDOW_S - (now - times[0]) if times and len(times) >= ATTEMPTS else 0.0

    def failed(self, address: str) -> None:
        """Count a wrong token."""
        network = _network(address)
        self._failed.setdefault(network, deque(maxlen=ATTEMPTS)).append(self._clock())
        self._failed.move_to_end(network)
        while len(self._failed) > MAX_ADDRESSES:
            self._failed.popitem(last=False)


class SignInPages:
    """The page that asks for the token.

    Args:
        access: Knows the tokens.
        templates: Render it.
        attempts: Counts wrong tokens.
    """

    def __init__(self, access: Access, templates: Templates, attempts: Attempts | None = None) -> None:
        self._access = access
        self._templates = templates
        self._attempts = attempts or Attempts()

    def routes(self) -> Sequence[Route]:
        """In and out."""
        return [
            Route("/sign-in", self._ask),
            Route("/sign-in", self._check, methods=["POST"]),
            Route("/sign-out", self._leave, methods=["POST"]),
        ]

    def links(self) -> Sequence[NavLink]:
        """Nowhere in the navigation: who is not signed in gets here by any page."""
        return ()

    @needs(Role.ANYBODY)
    async def _ask(self, request: Request) -> Response:
        self._refuse_without_tokens()
        return self._form(request, request.query_params.get("next", "/"))

    @needs(Role.ANYBODY)
    async def _check(self, request: Request) -> Response:
        self._refuse_without_tokens()
        fields = await read_fields(request)
        wanted = fields.get("next", "/")
        client = self._access.client(request)
        wait_s = math.ceil(self._attempts.wait_s(client))
        if wait_s:
            sentence = f"Too many wrong tokens came from your address: try again in {math.ceil(wait_s / 60)} min."
            page = self._form(request, wanted, sentence, 429)
            page.headers["retry-after"] = str(wait_s)
            return page
        given = fields.get("token", "").strip()
        # Every token is compared, so that the time tells nothing.
        fitting = [role for role, token in self._access.tokens.items() if same_token(given, token)]
        if not fitting:
            self._attempts.failed(client)
            return self._form(request, wanted, WRONG, 403)
        visitor_of(request).sign_in(max(fitting), self._access.clock())
        return RedirectResponse(self._access.address.prefix + _inside(wanted), 303)

    @needs(Role.ANYBODY)
    async def _leave(self, request: Request) -> Response:
        visitor_of(request).cookie = ""
        return RedirectResponse(self._access.address.path("/sign-in" if self._access.tokens else "/"), 303)

    def _form(self, request: Request, wanted: str, problem: str = "", status: int = 200) -> Response:
        return self._templates.render(request, "sign_in.html", status, wanted=_inside(wanted), problem=problem)

    def _refuse_without_tokens(self) -> None:
        if not self._access.tokens:
            raise HTTPException(404)


def _inside(wanted: str) -> str:
    """Return a path of these pages; a browser would read "//host", or a backslash in it, as an address elsewhere."""
    plain = wanted.startswith("/") and not wanted.startswith("//") and wanted.isprintable() and wanted.isascii()
    return wanted if plain and "\\" not in wanted and " " not in wanted else "/"


def _network(address: str) -> str:
    """Return what counts as one address: of IPv6 the first 64 bits, as one machine has all the rest."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
