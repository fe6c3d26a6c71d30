"""A proxy in front of a homeserver, for what a homeserver does not do at will: fail, wait, cut, lose an answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

PAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>"
HOP_BY_HOP = {"host", "connection", "transfer-encoding", "content-length", "content-encoding", "keep-alive"}


@dataclass(frozen=True)
class Trouble:
    """What happens to a request.

    Attributes:
        status: Answered with a page of HTML and this status, without the homeserver seeing it; 0 for not.
        body: Answered as JSON with `status` instead of the page.
        cut: The connection is closed without an answer and without the homeserver seeing the request.
        lose: The homeserver does what it is asked, and the connection is closed instead of its answer.
        delay_s: Waits first, real seconds; may stand together with one of the others.
    """

    status: int = 0
    body: dict[str, object] | None = None
    cut: bool = False
    lose: bool = False
    delay_s: float = 0.0


class FaultyProxy:
    """An async context manager; everything goes through until `trouble` says otherwise.

    Args:
        target: Address of the homeserver.

    Attributes:
        url: Address for clients.
        counts: Requests by path, those that failed too.
    """

    def __init__(self, target: str) -> None:
        self.url = ""
        self.counts: Counter[str] = Counter()
        self._target = target
        self._rules: list[tuple[str, Trouble, int | None]] = []
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        # The answer is passed on as it is, compressed or not.
        self._session = aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None))
        application = web.Application(client_max_size=100 * 2**20)
        application.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()
        await self._runner.cleanup()

    def trouble(self, part: str, trouble: Trouble, *, times: int | None = None) -> None:
        """Let requests whose path contains `part` go wrong, so many times or until `clear`."""
        self._rules.append((part, trouble, times))

    def clear(self) -> None:
        """Let everything go through again."""
        self._rules.clear()

    def count(self, part: str = "") -> int:
        """Return how many requests had `part` in their path."""
        return sum(number for path, number in self.counts.items() if part in path)

    async def requests(self, part: str, number: int, patience_s: float = 30.0) -> None:
        """Wait until so many requests with `part` in their path have come.

        Raises:
            TimeoutError: If they do not.
        """
        async with asyncio.timeout(patience_s), self._changed:
            await self._changed.wait_for(lambda: self.count(part) >= number)

    def _take(self, path: str) -> Trouble:
        for index, (part, trouble, times) in enumerate(self._rules):
            if part in path:
                if times is not None:
                    if times == 1:
                        del self._rules[index]
                    else:
                        self._rules[index] = (part, trouble, times - 1)
                return trouble
        return Trouble()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        async with self._changed:
            self.counts[request.path] += 1
            self._changed.notify_all()
        trouble = self._take(request.path)
        if trouble.delay_s:
            await asyncio.sleep(trouble.delay_s)
        if trouble.cut:
            return _cut(request)
        if trouble.body is not None:
            return web.json_response(trouble.body, status=trouble.status)
        if trouble.status:
            return web.Response(text=PAGE, status=trouble.status, content_type="text/html")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        try:
            async with self._session.request(
                request.method,
                URL(f"{self._target}{request.raw_path}", encoded=True),
                data=await request.read(),
                headers=headers,
            ) as answer:
                body = await answer.read()
        except aiohttp.ClientError:
            return web.Response(text=PAGE, status=502, content_type="text/html")
        if trouble.lose:
            return _cut(request)
        passed = {
            name: value
            for name, value in answer.headers.items()
            if name.lower() not in HOP_BY_HOP - {"content-encoding"}
        }
        return web.Response(body=body, status=answer.status, headers=passed)


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
