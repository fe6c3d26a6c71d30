"""Port of what remembers answers of services on the web, with what lets them say "not changed"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """An answer of a service.

    Attributes:
        url: What was asked.
        content_type: As sent.
        body: Text.
        etag: Its ETag, or "".
        last_modified: Its Last-Modified, or "".
        fetched_at: Seconds since 1970, UTC, when the service last vouched for it.
    """

    url: str
    content_type: str
    body: str
    etag: str
    last_modified: str
    fetched_at: float


class ResponseCache(Protocol):
    """Keeps answers for a limited time and in a limited number; it may lose any of them."""

    async def get(self, url: str) -> CachedResponse | None:
        """Return the answer kept for a URL, or None.

        Raises:
            UnavailableError: If the cache is away, which is no reason to do without the service.
        """
        ...

    async def put(self, response: CachedResponse) -> None:
        """Keep an answer; one that is too large is not kept."""
        ...
