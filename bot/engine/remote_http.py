"""HTTP to one server: no redirects, no proxies of the environment, bounded answers, and the key in one place."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx
from pydantic import JsonValue, SecretStr

from bot.engine.remote_errors import broken, error_for, translated
from bot.engine.remote_stream import clean_json
from bot.errors import SettingsError, UnavailableError

MAX_CONNECTIONS = 32
MAX_JSON_BYTES = 1 << 22
_ERROR_BYTES = 1 << 16
_SMALL_TIMEOUT_S = 10.0  # for whole answers that need no model


class RemoteClient:
    """Talks to an OpenAI-compatible server and what stands beside its API on the same host.

    Args:
        url: Address of the API, such as http://127.0.0.1:8080/v1.
        key: Sent as a bearer token, or None.
        connect_s: Seconds for one connection.
        ssl_context: Replaces the default certificates (those of certifi).

    Attributes:
        url: The address without a slash at its end.
        root: The address without the API's version.

    Raises:
        SettingsError: If the URL or the key cannot be one.
    """

    def __init__(
        self, url: str, *, key: SecretStr | None, connect_s: float, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self.url = _checked_url(url)
        self.root = re.sub(r"/v\d+$", "", self.url)
        self._headers = _checked_headers(key)
        self._connect_s = connect_s
        self._ssl_context = ssl_context
        self._client: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def open_stream(self, path: str, body: bytes, model: str) -> httpx.Response:
        """Post JSON to the API; return the answer with its server-sent events still to be read, and to be closed.

        Raises:
            BotError: If the server says no, as `error_for` translates it.
        """
        response = await self._send("POST", self.url + path, body)
        try:
            if response.status_code != 200:
                said = b""
                with contextlib.suppress(TimeoutError):  # a reason that arrives too slowly is none
                    async with asyncio.timeout(_SMALL_TIMEOUT_S):
                        said = await self._read(response, _ERROR_BYTES, cut=True)
                raise error_for(self.url, model, response.status_code, response.headers, said)
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise broken(self.url, "does not stream its answer")
        except BaseException:
            await response.aclose()
            raise
        return response

    async def get_json(self, url: str, *, required: bool = False) -> tuple[JsonValue, Mapping[str, str]]:
        """Fetch JSON and response headers; the value is None where nothing usable is there.

        Args:
            url: Address on the same host.
            required: Whether a refusal, a redirect or a failure is an error. "Not found" never is.

        Raises:
            BotError: If it is, as `error_for` translates it.
        """
        status, headers, body = await self._fetch("GET", url)
        if required and (status in {401, 403, 429} or 300 <= status < 400 or status >= 500):
            raise error_for(self.url, "", status, headers, body)
        return (_parsed(body) if status == 200 else None), headers

    async def post_json(self, url: str, value: JsonValue) -> JsonValue:
        """Post JSON to an address on the same host; return the JSON it answers, or None."""
        asked = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        status, _, body = await self._fetch("POST", url, asked)
        return _parsed(body) if status == 200 else None

    async def close(self) -> None:
        """Close all connections; safe to call twice."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _fetch(self, method: str, url: str, body: bytes | None = None) -> tuple[int, Mapping[str, str], bytes]:
        try:
            async with asyncio.timeout(_SMALL_TIMEOUT_S):
                response = await self._send(method, url, body)
                try:
                    return response.status_code, response.headers, await self._read(response, MAX_JSON_BYTES)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise UnavailableError(
                f"The remote model at {self.url} does not answer: see whether it runs, or check LOCUS_REMOTE_URL."
            ) from error

    async def _send(self, method: str, url: str, body: bytes | None) -> httpx.Response:
        client = await self._opened()
        with translated(self.url):
            return await client.send(client.build_request(method, url, content=body), stream=True)

    async def _read(self, response: httpx.Response, limit: int, *, cut: bool = False) -> bytes:
        """Read a body of at most `limit` bytes; a longer one is cut or refused."""
        data = bytearray()
        with translated(self.url):
            # Raw: a compressed body, which nobody asked for, then fails to parse instead of filling the memory.
            async for chunk in response.aiter_raw():
                data += chunk
                if len(data) > limit:
                    if cut:
                        break
                    raise broken(self.url, f"sent more than {limit >> 20} MiB")
        return bytes(data[:limit])

    async def _opened(self) -> httpx.AsyncClient:
        async with self._opening:
            if self._closed:
                raise UnavailableError("The remote model is closed, for Locus is stopping: ask again once it runs.")
            if self._client is None:
                context = self._ssl_context
                if context is None:
                    context = await asyncio.to_thread(httpx.create_ssl_context, trust_env=False)
                self._client = httpx.AsyncClient(
                    verify=context,
                    headers=self._headers,
                    # Reading is timed by the callers, who know what is due next.
                    timeout=httpx.Timeout(self._connect_s, read=None),
                    limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=8),
                    follow_redirects=False,
                    trust_env=False,
                )
            return self._client


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port_is_number = parts.port is None or parts.port > 0
    except ValueError:
        port_is_number = False
    if not port_is_number or parts.scheme not in {"http", "https"} or not parts.hostname or "?" in url or "#" in url:
        raise SettingsError("LOCUS_REMOTE_URL is no address of an API: give it as http://HOST:PORT/v1.")
    if parts.username or parts.password:
        raise SettingsError("LOCUS_REMOTE_URL holds a password: put it into LOCUS_REMOTE_KEY instead.")
    return url.rstrip("/")


def _checked_headers(key: SecretStr | None) -> dict[str, str]:
    headers = {
        "Accept": "text/event-stream, application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "User-Agent": "locus",
    }
    secret = key.get_secret_value() if key else ""
    if secret:
        # httpx would show a header it cannot send in its error.
        if not secret.isascii() or not secret.isprintable() or " " in secret:
            raise SettingsError("LOCUS_REMOTE_KEY holds a space or a character no key has: copy it again.")
        headers["Authorization"] = f"Bearer {secret}"
    return headers


def _parsed(body: bytes) -> JsonValue:
    try:
        parsed: JsonValue = json.loads(body)
        return clean_json(parsed)
    except (ValueError, RecursionError):
        return None
