"""Downloads of Slack's files: the bot token goes to Slack's own hosts and nowhere else."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

import aiohttp

from adapters.slack.client import SlackClient
from adapters.slack.errors import AWAY, FAILURE_PAUSE_S, FILE_GONE, SCOPE, OutcomeUnknownError, from_status, seconds
from bot.errors import InvalidRequestError, NotFoundError, RefusedError

READ_FILES: Final = "files:read"
TIMEOUT_S: Final = 120.0
SILENCE_S: Final = 30.0  # without a byte
MOST_REDIRECTS: Final = 3
CHUNK_BYTES: Final = 65_536

_DOMAINS = (".slack.com", ".slack-gov.com")
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_HTML = "text/html"

TOO_LARGE: Final = "The file is larger than the {limit:,} bytes that are taken: leave it out, or share a part of it."
ELSEWHERE: Final = "The file is not kept by Slack itself, so it is not fetched: upload it here."
NOT_LET_IN: Final = SCOPE.format(scope=READ_FILES)


async def download(client: SlackClient, url: str, *, size_bytes: int, media_type: str, max_bytes: int) -> bytes:
    """Return the file at one of Slack's addresses.

    Args:
        client: With the bot token.
        url: As files.info names it.
        size_bytes: As files.info says; 0 where it does not.
        media_type: The same.
        max_bytes: Of which no more is read.

    Raises:
        InvalidRequestError: If it is larger.
        NotFoundError: If it is gone.
        RefusedError: If it leads away from Slack, or Slack asks to sign in: then the app lacks a scope.
        UnavailableError: If Slack is away or limits downloads.
    """
    try:
        return await _followed(client, url, size_bytes, media_type, max_bytes)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise OutcomeUnknownError(AWAY, retry_after_s=FAILURE_PAUSE_S) from error


async def _followed(client: SlackClient, url: str, size_bytes: int, media_type: str, max_bytes: int) -> bytes:
    web = client.web
    session = web.session
    if session is None:
        raise RuntimeError("a SlackClient is used inside `async with`")
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S, sock_read=SILENCE_S)
    headers = {"Authorization": f"Bearer {web.token}"}
    for redirects in range(MOST_REDIRECTS + 1):
        if not is_slacks(url, web.base_url):
            raise RefusedError(ELSEWHERE)
        async with session.get(
            url, headers=headers, allow_redirects=False, proxy=web.proxy, timeout=timeout
        ) as response:
            if response.status in _REDIRECTS:
                url = urljoin(url, response.headers.get("Location", ""))
                continue
            _check_status(response)
            html = response.content_type == _HTML
            # Whoever may not read a file is shown the page for signing in, with status 200.
            if html and (redirects or media_type != _HTML):
                raise RefusedError(NOT_LET_IN)
            data = await _read(response, max_bytes)
            if html and size_bytes and len(data) != size_bytes:
                raise RefusedError(NOT_LET_IN)
            return data
    raise RefusedError(NOT_LET_IN)  # from one page for signing in to the next


def is_slacks(url: str, api_url: str) -> bool:
    """True for an address that may be given the bot token: https of Slack's domains, or the server of the Web API."""
    try:
        parts, api = urlsplit(url), urlsplit(api_url)
        if parts.username is not None or parts.password is not None:
            return False
        if _origin(parts) == _origin(api):
            return True
        return parts.scheme == "https" and parts.port in (None, 443) and (parts.hostname or "").endswith(_DOMAINS)
    except ValueError:
        return False


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _check_status(response: aiohttp.ClientResponse) -> None:
    if response.status in (401, 403):
        raise RefusedError(NOT_LET_IN)
    if response.status in (404, 410):
        raise NotFoundError(FILE_GONE)
    if response.status != 200:
        raise from_status("download", response.status, retry_after_s=seconds(response.headers.get("Retry-After")))


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    data = bytearray()
    if (response.content_length or 0) <= max_bytes:
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            data += chunk
            if len(data) > max_bytes:
                break
        else:
            return bytes(data)
    raise InvalidRequestError(TOO_LARGE.format(limit=max_bytes))
