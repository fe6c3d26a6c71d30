"""The one fetcher: everything Locus downloads passes its checks.

A URL is parsed once. Its host must be on the list, every address its name leads to must be public, and the connection
goes to the very address that was checked, so that a second answer of the name server changes nothing. Each redirect
passes the same checks. Bytes are counted after decompression and one clock runs over the whole download. Proxies and
other network settings of the environment are not read. `check_url` and `check_address` serve git the same way.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import httpcore
import httpx

from bot.errors import NotFoundError, RefusedError, UnavailableError, UnreadableError
from knowledge.sources.addresses import (
    MIB,
    FetchPolicy,
    Resolver,
    check_address,
    check_url,
    is_public,
    port_of,
    resolve,
    shown_url,
)

__all__ = ["FetchPolicy", "Fetched", "Fetcher", "Resolver", "check_address", "check_url", "is_public", "shown_url"]

CONNECT_TIMEOUT_S = 10.0  # for each address of a host; the whole download has its own limit
MAX_RETRY_AFTER_S = 86_400.0
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PASSING = frozenset({408, 425, 429})  # client errors after which the same request may succeed later

_NETWORK_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    httpcore.ConnectionNotAvailable,
    httpx.HTTPError,
    httpx.InvalidURL,
    OSError,  # includes ssl.SSLError, socket.gaierror and TimeoutError
)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A download.

    Attributes:
        url: Where it was in the end, after redirects.
        data: The body, decompressed.
        content_type: The Content-Type header as sent, or "".
    """

    url: str
    data: bytes
    content_type: str


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses only; names never reach the layer below."""

    def __init__(self, policy: FetchPolicy, resolver: Resolver, inner: httpcore.AsyncNetworkBackend) -> None:
        self._policy = policy
        self._resolver = resolver
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (the signature is httpcore's)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Check the host's addresses and connect to the first that answers."""
        addresses = await check_address(host, port, self._policy, resolver=self._resolver)
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, CONNECT_TIMEOUT_S, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(addresses[-1], port, CONNECT_TIMEOUT_S, local_address, socket_options)


class Fetcher:
    """Downloads within a policy; use it as an async context manager.

    Args:
        policy: The rules.
        resolver: Stands in for the system's resolver in tests.
        backend: Stands in for the network in tests; it is asked for addresses, never for names.
        ssl_context: Replaces the default of certificates (those of certifi).
    """

    def __init__(
        self,
        policy: FetchPolicy,
        *,
        resolver: Resolver = resolve,
        backend: httpcore.AsyncNetworkBackend | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.policy = policy
        self._resolver = resolver
        self._backend = backend
        self._ssl_context = ssl_context
        self._pool: httpcore.AsyncConnectionPool | None = None

    async def __aenter__(self) -> Self:
        """Load the certificates and open the connection pool."""
        if self._pool is not None:
            raise RuntimeError("This Fetcher is open already; open a second one instead.")
        context = self._ssl_context or await asyncio.to_thread(httpx.create_ssl_context, trust_env=False)
        backend = _CheckedBackend(self.policy, self._resolver, self._backend or httpcore.AnyIOBackend())
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context, max_connections=8, keepalive_expiry=5.0, network_backend=backend
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()

    async def addresses(self, url: httpx.URL) -> list[str]:
        """Return the checked addresses of a checked URL, for programs that connect by themselves (git)."""
        try:
            return await check_address(url.raw_host.decode(), port_of(url), self.policy, resolver=self._resolver)
        except (RefusedError, UnavailableError) as error:
            raise type(error)(f"{shown_url(url)} was not fetched: {error}.") from error

    async def fetch(self, url: str) -> Fetched:
        """Download one URL.

        Raises:
            InvalidRequestError: It is no URL.
            RefusedError: The policy does not allow it, or a redirect from it.
            NotFoundError: The server says that there is no such page (404, 410).
            UnavailableError: The server cannot be reached, is too slow or answers with an error.
            UnreadableError: The body is larger than allowed, or damaged.
        """
        try:
            async with asyncio.timeout(self.policy.timeout_s):
                checked = check_url(url, self.policy)
                for _ in range(self.policy.max_redirects + 1):
                    answer = await self._fetch_hop(checked)
                    if isinstance(answer, Fetched):
                        return answer
                    checked = self._check_redirect(url, answer)
        except TimeoutError as error:
            raise UnavailableError(
                f"{shown_url(url)} took longer than {self.policy.timeout_s:g} s (LOCUS_FETCH_TIMEOUT_S)."
            ) from error
        raise UnavailableError(f"{shown_url(url)} was redirected more than {self.policy.max_redirects} times.")

    def _check_redirect(self, asked: str, target: str) -> httpx.URL:
        try:
            return check_url(target, self.policy)
        except RefusedError as error:
            raise RefusedError(f"{shown_url(asked)} redirects elsewhere: {error}") from error

    async def _fetch_hop(self, url: httpx.URL) -> Fetched | str:
        """Send one request; return the download, or the URL the server points to."""
        if self._pool is None:
            raise RuntimeError("This Fetcher is not open; use it as `async with Fetcher(policy) as fetcher`.")
        headers = [("User-Agent", self.policy.user_agent), ("Accept", "*/*"), ("Accept-Encoding", "identity")]
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        shown = shown_url(url)
        try:
            async with self._pool.stream("GET", target, headers=headers) as response:
                answered = httpx.Headers(response.headers)
                if response.status in REDIRECTS and "location" in answered:
                    return str(url.join(answered["location"]))
                _check_status(shown, response.status, answered)
                data = await self._read_body(shown, answered, response.aiter_stream())
                return Fetched(url=str(url), data=data, content_type=answered.get("content-type", ""))
        except (RefusedError, UnavailableError) as error:
            if str(error).startswith(shown):
                raise
            raise type(error)(f"{shown} was not fetched: {error}.") from error
        except _NETWORK_ERRORS as error:
            raise _unavailable(shown, error) from error

    async def _read_body(self, shown: str, headers: httpx.Headers, stream: AsyncIterable[bytes]) -> bytes:
        limit = self.policy.max_bytes
        too_large = f"{shown} is over the limit of {limit / MIB:g} MiB for downloads (LOCUS_FETCH_MAX_MIB)."
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise UnreadableError(f"{shown} was sent compressed as {encoding[:40]!r}, which nobody asked for.")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > limit:
            raise UnreadableError(too_large)
        decoder = None if encoding in {"", "identity"} else zlib.decompressobj(wbits=47)  # 47: gzip or zlib, by header
        body = bytearray()
        async for chunk in stream:
            try:
                body += chunk if decoder is None else decoder.decompress(chunk, limit + 1 - len(body))
            except zlib.error as error:
                raise UnreadableError(f"{shown} was sent damaged: its compression cannot be undone.") from error
            if len(body) > limit:
                raise UnreadableError(too_large)
        if decoder is not None and not decoder.eof:
            raise UnreadableError(f"{shown} was sent damaged: its compressed body breaks off.")
        return bytes(body)


def _check_status(shown: str, status: int, headers: httpx.Headers) -> None:
    """Raise the error that fits a status other than success."""
    if 200 <= status < 300:
        return
    if status in {404, 410}:
        raise NotFoundError(f"{shown} does not exist: the server answered {status}.")
    error = UnavailableError(
        f"{shown} could not be fetched: the server answered {status}.",
        retry_after_s=_retry_after_s(headers.get("retry-after", "")),
    )
    error.retryable = status >= 500 or status in PASSING
    raise error


def _retry_after_s(text: str) -> float | None:
    """Read a Retry-After header (seconds or a date, RFC 9110 10.2.3); None when it says nothing usable."""
    text = text.strip()
    if text.isdecimal():
        return min(float(text[:20]), MAX_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), MAX_RETRY_AFTER_S)


def _unavailable(shown: str, error: Exception) -> UnavailableError:
    """Translate an error of the layers below into one sentence."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        refused = UnavailableError(f"{shown} could not be fetched: its TLS certificate is not valid for this host.")
        refused.retryable = False
        return refused
    if isinstance(error, httpcore.ConnectTimeout | httpcore.ConnectError):
        return UnavailableError(f"{shown} could not be reached: the server does not accept connections.")
    if isinstance(error, httpcore.ProtocolError):
        return UnavailableError(f"{shown} could not be fetched: the server broke the HTTP protocol or hung up.")
    return UnavailableError(f"{shown} could not be fetched: the connection failed ({type(error).__name__}).")
