"""HTTP to GeneNetwork: one request at a time in a process, a pause between, bounded answers, no strange hosts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import httpx

from bot.errors import BusyError, SettingsError
from knowledge.genenetwork.errors import ServiceDownError, ServiceFailedError, translated
from knowledge.genenetwork.options import GeneNetworkOptions
from knowledge.genenetwork.timing import Timing

CONNECT_S = 10.0
MAX_REDIRECTS = 3
MAX_RETRY_AFTER_S = 86_400.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DOWN = {
    429: "{name} asks for fewer requests: try again later.",
    502: "{name} is down behind its proxy (502): try again later.",
    503: "{name} is down for the moment (503): try again later.",
    504: "{name} took too long behind its proxy (504): try again later.",
}


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A complete answer.

    Attributes:
        status: 2xx, 3xx, 4xx or 5xx other than those that mean "down".
        headers: Names in lower case.
        body: At most the limit of the options.
        url: What was asked, after redirects on the same host.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class PoliteHttp:
    """The only thing that sends requests to GeneNetwork; an async context manager.

    Args:
        options: Who asks, limits and pauses.
        timing: Clocks.

    Attributes:
        ahead_s: Seconds by which this machine's clock was ahead of the server's at the last answer; None where it did
            not tell.
    """

    def __init__(self, options: GeneNetworkOptions, *, timing: Timing | None = None) -> None:
        self._options = options
        self._timing = timing or Timing()
        self.ahead_s: float | None = None
        self._turn = asyncio.Lock()
        self._last_end: float | None = None
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        """Load the certificates; nothing is connected yet."""
        context = await asyncio.to_thread(httpx.create_ssl_context, trust_env=False)
        self._client = httpx.AsyncClient(
            verify=context,
            headers={"User-Agent": self._options.user_agent, "Accept-Encoding": "gzip, deflate"},
            # A whole request is timed by `request`.
            timeout=httpx.Timeout(None, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=2, max_keepalive_connections=1),
            follow_redirects=False,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def request(
        self,
        name: str,
        url: str,
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> HttpReply:
        """Send a GET, or a POST of a form, and read the whole answer.

        Args:
            name: The service, as it stands at the beginning of a sentence.
            url: The address, query included.
            timeout_s: For the whole answer, from the moment its turn comes.
            headers: Further headers.
            form: Fields of a POST; None is a GET.

        Raises:
            ServiceDownError: It cannot be reached, breaks off or is down.
            ServiceFailedError: It redirects to another host or sends too much.
            BusyError: Its turn did not come.
        """
        async with self._my_turn(name):
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._followed(name, url, headers or {}, form)
            except TimeoutError as error:
                raise ServiceDownError(f"{name} did not answer within {timeout_s:g} s: try again later.") from error

    @asynccontextmanager
    async def _my_turn(self, name: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._options.wait_s):
                await self._turn.acquire()
        except TimeoutError as error:
            raise BusyError(
                f"{name} is still busy with an earlier request of Locus, which asks one at a time: try again later."
            ) from error
        try:
            if self._last_end is not None:
                rest_s = self._last_end + self._options.pause_s - self._timing.monotonic()
                if rest_s > 0:
                    await self._timing.sleep(rest_s)
            try:
                yield
            finally:
                self._last_end = self._timing.monotonic()
        finally:
            self._turn.release()

    async def _followed(
        self, name: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> HttpReply:
        asked = _parsed(url, name)
        for _ in range(MAX_REDIRECTS + 1):
            reply = await self._once(name, asked, headers, form)
            location = reply.headers.get("location", "")
            if reply.status not in _REDIRECTS or not location:
                return reply
            with translated(name):
                target = asked.join(location)
            if not _same_place(asked, target):
                raise ServiceFailedError(
                    f"{name} redirects to another host ({target.host[:100]}), which Locus does not follow: set its new "
                    "address in the settings."
                )
            asked = target
        raise ServiceFailedError(f"{name} redirects in a circle: check its address in the settings.")

    async def _once(
        self, name: str, url: httpx.URL, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> HttpReply:
        if self._client is None:
            raise RuntimeError("This PoliteHttp is not open: use it as `async with PoliteHttp(options) as http`.")
        with translated(name):
            request = self._client.build_request("GET" if form is None else "POST", url, headers=headers, data=form)
            response = await self._client.send(request, stream=True)
            try:
                if sentence := _DOWN.get(response.status_code):
                    raise ServiceDownError(
                        sentence.format(name=name),
                        retry_after_s=_retry_after_s(response.headers.get("retry-after", "")),
                    )
                body = bytearray()
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > self._options.max_bytes:
                        raise ServiceFailedError(
                            f"{name} sent more than {self._options.max_bytes / 2**20:g} MiB: ask for less."
                        )
            finally:
                await response.aclose()
        plain = {field.lower(): value for field, value in response.headers.items()}
        said = _moment(plain.get("date", ""))
        # The header has whole seconds. A cache between, which tells the age of what it gives, has an older date.
        self.ahead_s = (datetime.now(UTC) - said).total_seconds() - 0.5 if said and "age" not in plain else None
        return HttpReply(response.status_code, plain, bytes(body), str(url))


def _parsed(url: str, name: str) -> httpx.URL:
    with translated(name):
        parsed = httpx.URL(url)
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise SettingsError(f"The address of {name} is no http address: check it in the settings.")
    return parsed


def _same_place(first: httpx.URL, second: httpx.URL) -> bool:
    """Same host and port; from http to https of the same host is allowed."""
    if first.host != second.host:
        return False
    if (first.scheme, first.port) == (second.scheme, second.port):
        return True
    return (first.scheme, second.scheme) == ("http", "https") and first.port is None and second.port is None


def _retry_after_s(text: str) -> float | None:
    """Read a Retry-After header (seconds or a date, RFC 9110 10.2.3); None when it says nothing usable."""
    text = text.strip()
    if text.isdecimal():
        return min(float(text[:20]), MAX_RETRY_AFTER_S)
    moment = _moment(text)
    return None if moment is None else min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), MAX_RETRY_AFTER_S)


def _moment(text: str) -> datetime | None:
    """Read a date of HTTP (RFC 9110 5.6.7); None for anything else."""
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
