"""The local GeneNetwork as a server on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from types import TracebackType
from typing import Literal, Self

from aiohttp import web
from aiohttp.typedefs import Middleware

from tests.gn_server.answers import error_page
from tests.gn_server.faults import Fault
from tests.gn_server.gn2 import Gn2
from tests.gn_server.gn3 import Gn3
from tests.gn_server.graph import GraphKind
from tests.gn_server.pages import page_routes
from tests.gn_server.sparql import Sparql
from tests.gn_server.world import World

Validators = Literal["etag", "modified", "none"]
Prefix = Literal["plain", "api", "none"]
_PREFIXES: dict[Prefix, tuple[str, ...]] = {"plain": ("/api3",), "api": ("/api3/api",), "none": ()}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that arrived; `form` holds the fields of a POST."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]


class GeneNetworkServer:
    """GN2, GN3, the alias service and SPARQL on one port; an async context manager.

    Args:
        world: Its state; a new one where none is given.
        gn3: Where GN3 stands: "plain" (/api3/version), "api" (/api3/api/version), or "none".
        validators: What answers to GETs carry: an ETag, a Last-Modified, or nothing.
        graph: Which generation of the RDF graph the SPARQL endpoint has.

    Attributes:
        requests: Every request, in order.
        most_at_once: Most requests that were open at the same time.
        abandoned: Requests whose client went away before the answer.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        gn3: Prefix = "plain",
        validators: Validators = "etag",
        graph: GraphKind = "old",
    ) -> None:
        self.world = world or World()
        self.url = ""
        self.requests: list[Seen] = []
        self.most_at_once = 0
        self.abandoned = 0
        self.validators: Validators = validators
        self._prefixes = _PREFIXES[gn3]
        self._graph: GraphKind = graph
        self._faults: dict[str, Fault] = {}
        self._open = 0
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def gn2_url(self) -> str:
        """GN2's REST API."""
        return self.url + "/api/v_pre1"

    @property
    def gn3_url(self) -> str:
        """GN3's REST API, as the proxy names it: with or without /api behind it."""
        return self.url + "/api3"

    @property
    def sparql_url(self) -> str:
        """The SPARQL endpoint."""
        return self.url + "/sparql"

    @property
    def paths(self) -> list[str]:
        """The paths asked for, in order."""
        return [seen.path for seen in self.requests]

    async def start(self, port: int = 0) -> None:
        """Serve on the loopback; port 0 lets the system choose."""
        application = web.Application(middlewares=[self._middleware()])
        gn3 = Gn3(self.world, self._prefixes)
        routes = [
            *Gn2(self.world).routes(),
            *gn3.routes(),
            *Sparql(self.world, self._graph).routes(),
            *page_routes(self.world),
        ]
        application.add_routes(routes)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Let go of what is held, and close."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def fail(self, path: str, fault: Fault) -> None:
        """Let a fault happen to the requests of a path; one that ends in "*" means all that begin so."""
        self._faults[path] = fault

    def heal(self, path: str | None = None) -> None:
        """End the fault of a path, or all."""
        if path is None:
            self._faults.clear()
        else:
            self._faults.pop(path, None)

    async def asked(self, path: str, *, times: int = 1, timeout_s: float = 30.0) -> None:
        """Wait until a path was asked for so many times."""
        await self._until(lambda: self.paths.count(path) >= times, timeout_s)

    async def left(self, *, times: int = 1, timeout_s: float = 30.0) -> None:
        """Wait until so many clients went away before their answer."""
        await self._until(lambda: self.abandoned >= times, timeout_s)

    async def _until(self, holds: Callable[[], bool], timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def _middleware(self) -> Middleware:
        @web.middleware
        async def around(request: web.Request, handler: _Handler) -> web.StreamResponse:
            form = {name: str(value) for name, value in (await request.post()).items()}
            self.requests.append(Seen(request.method, request.path, dict(request.query), dict(request.headers), form))
            with self._counted():
                fault = self._fault(request.path)
                if fault is not None and fault.held is not None:
                    await self._held(fault.held)
                response = await self._answer(request, handler, fault)
                if fault is not None and fault.cut_at is not None:
                    return await self._cut(request, response, fault.cut_at)
                return response

        return around

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        self._changed.set()
        try:
            yield
        except asyncio.CancelledError:
            self.abandoned += 1
            raise
        finally:
            self._open -= 1
            self._changed.set()

    async def _answer(self, request: web.Request, handler: _Handler, fault: Fault | None) -> web.StreamResponse:
        if fault is not None and fault.body is not None:
            headers = {"Content-Type": fault.content_type, **fault.headers}
            return web.Response(body=fault.body, status=fault.status, headers=headers)
        try:
            response = await handler(request)
        except web.HTTPException as error:
            # Flask's 404 is a page too.
            response = error_page(error.status)
        if isinstance(response, web.Response) and response.status == 200 and request.method == "GET":
            return self._validated(request, response)
        return response

    def _fault(self, path: str) -> Fault | None:
        fault = self._faults.get(path) or next(
            (one for name, one in self._faults.items() if name.endswith("*") and path.startswith(name[:-1])), None
        )
        if fault is None or fault.times == 0:
            return None
        if fault.times is not None:
            fault.times -= 1
        return fault

    async def _held(self, event: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(one.wait()) for one in (event, self._stopping)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    def _validated(self, request: web.Request, response: web.Response) -> web.Response:
        body = response.body if isinstance(response.body, bytes) else b""
        digest = hashlib.sha256(body).hexdigest()
        if self.validators == "etag":
            tag = f'"{digest[:16]}"'
            response.headers["ETag"] = tag
            if request.headers.get("If-None-Match") == tag:
                return web.Response(status=304, headers={"ETag": tag})
        elif self.validators == "modified":
            # The moment of a change is made from the content, so that the same content has the same one.
            moment = format_datetime(datetime.fromtimestamp(int(digest[:7], 16), UTC), usegmt=True)
            response.headers["Last-Modified"] = moment
            if request.headers.get("If-Modified-Since") == moment:
                return web.Response(status=304, headers={"Last-Modified": moment})
        return response

    async def _cut(self, request: web.Request, response: web.StreamResponse, at: int) -> web.StreamResponse:
        body = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""
        cut = web.StreamResponse(status=response.status, headers={"Content-Type": "application/json"})
        cut.content_length = len(body) + 1
        await cut.prepare(request)
        await cut.write(body[:at])
        if request.transport is not None:
            request.transport.close()
        return cut
