"""Who may see which page: signed in with a token, or named by the lab's own proxy."""

from __future__ import annotations

import functools
import ipaddress
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ParamSpec

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from bot.web.address import PublicAddress
from bot.web.forms import check_form
from bot.web.sessions import SESSION_S, Role, Sessions
from bot.web.visitor import Visitor, put_visitor

COOKIE = "locus_session"
SAFE_METHODS = ("GET", "HEAD")
OFF = "The dashboard is off: set LOCUS_DASHBOARD_TOKEN to use it (docs/dashboard.md)."
NOT_ALLOWED = "This page is for the data steward: sign in with the dashboard's token."
NOT_NAMED = "The lab's proxy did not say who you are: sign in there, or ask who runs it."
_ACCESS = "locus.access"
_ROLE = "locus_role"

P = ParamSpec("P")


class Access:
    """Tells who a visitor is.

    Args:
        address: Where people reach the pages.
        secret: Returns the secret of this Locus; asked for when somebody first needs it.
        tokens: What one signs in with, by role; none where only the proxy decides.
        header: Of the lab's proxy, with the name of who is signed in; "" for none.
        proxies: Addresses or networks whose header is believed.
        stewards: Names that are stewards.
        clock: Seconds since 1970, UTC.
    """

    def __init__(
        self,
        address: PublicAddress,
        secret: Callable[[], Awaitable[bytes]],
        tokens: Mapping[Role, str],
        *,
        header: str = "",
        proxies: Sequence[str] = (),
        stewards: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.address = address
        self.tokens = dict(tokens)
        self.clock = clock
        self._secret = secret
        self._header = header
        self._proxies = [ipaddress.ip_network(one) for one in proxies]
        self._stewards = frozenset(stewards)
        self._sessions: Sessions | None = None

    @property
    def on(self) -> bool:
        """False where nobody can be told from anybody else: then there is no dashboard."""
        return bool(self.tokens or self._header)

    async def visitor(self, request: Request) -> Visitor:
        """Return who asks.

        Raises:
            UnavailableError: If the secret cannot be had.
        """
        if self._sessions is None:
            self._sessions = Sessions(await self._secret(), self.tokens)
        sessions, now = self._sessions, self.clock()
        kept = sessions.load(request.cookies.get(COOKIE, ""), now)
        session = kept or sessions.begin(Role.ANYBODY, now)
        name = self._named(request)
        role = Role.STEWARD if name in self._stewards else Role.READER if name else Role.ANYBODY
        return Visitor(session, sessions, max(role, session.role), name, kept is not None)

    def finish(self, response: Response, visitor: Visitor) -> None:
        """Set or delete the cookie, where the visit asks for it."""
        path = self.address.path("/")
        if visitor.cookie:
            response.set_cookie(
                COOKIE,
                visitor.cookie,
                max_age=SESSION_S,
                path=path,
                secure=self.address.secure,
                httponly=True,
                samesite="lax",
            )
        elif visitor.cookie is not None:
            response.delete_cookie(COOKIE, path=path, secure=self.address.secure, httponly=True, samesite="lax")

    def client(self, request: Request) -> str:
        """Return the address of the browser: what a believed proxy forwards, else who is connected."""
        peer = request.client.host if request.client is not None else ""
        for hop in reversed(",".join(request.headers.getlist("x-forwarded-for")).split(",")):
            if not self._is_proxy(peer) or not _is_address(hop.strip()):
                break
            peer = hop.strip()
        return peer

    def _named(self, request: Request) -> str:
        """Return the name in the proxy's header, or "" where there is none, or more than one, or nobody to believe."""
        if not self._header or request.client is None or not self._is_proxy(request.client.host):
            return ""
        names = request.headers.getlist(self._header)
        return names[0].strip() if len(names) == 1 else ""

    def _is_proxy(self, host: str) -> bool:
        if not _is_address(host):
            return False
        address = ipaddress.ip_address(host)
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self._proxies)


def needs(role: Role) -> Callable[[Callable[P, Awaitable[Response]]], Callable[P, Awaitable[Response]]]:
    """Decorate the endpoint of a page, a function or a method whose last argument is the request.

    Who is not signed in is sent to sign in; who may not see it is told so. A request that changes something (POST) is
    refused before the endpoint runs unless it comes from a form of this very session (bot/web/forms.py).
    """

    def decorate(endpoint: Callable[P, Awaitable[Response]]) -> Callable[P, Awaitable[Response]]:
        @functools.wraps(endpoint)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
            request = args[-1]
            assert isinstance(request, Request)  # noqa: S101 - an endpoint's last argument
            access = _access(request)
            if not access.on:
                raise HTTPException(404, OFF)
            visitor = await access.visitor(request)
            put_visitor(request, visitor)
            if visitor.role < role:
                if visitor.role is Role.ANYBODY and access.tokens and request.method in SAFE_METHODS:
                    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                    return RedirectResponse(access.address.path("/sign-in", next=wanted), 303)
                raise HTTPException(403, NOT_ALLOWED if access.tokens else NOT_NAMED)
            if request.method not in SAFE_METHODS:
                await check_form(request, visitor, access.address)
            response = await endpoint(*args, **kwargs)
            access.finish(response, visitor)
            return response

        setattr(guarded, _ROLE, role)
        return guarded

    return decorate


def everybody(endpoint: Callable[P, Awaitable[Response]]) -> Callable[P, Awaitable[Response]]:
    """Decorate the endpoint of a page that asks nobody who they are, such as a style sheet."""
    setattr(endpoint, _ROLE, Role.ANYBODY)
    return endpoint


def role_of(endpoint: object) -> Role | None:
    """Return what an endpoint needs; None where nobody has said it."""
    role = getattr(endpoint, _ROLE, None)
    return role if isinstance(role, Role) else None


def put_access(scope: Scope, access: Access) -> None:
    """Make it known to the pages of one request."""
    scope[_ACCESS] = access


def _access(request: Request) -> Access:
    access = request.scope[_ACCESS]
    assert isinstance(access, Access)  # noqa: S101 - the site puts it there
    return access


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
