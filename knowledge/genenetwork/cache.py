"""Remembered answers in this process's memory, for programs without Redis."""

from __future__ import annotations

from collections import OrderedDict

from bot.response_cache import CachedResponse

MOST_BYTES = 64 * 2**20


class MemoryCache:
    """Keeps the answers that were used last, up to a number of bytes.

    Args:
        most_bytes: Of all bodies together.
    """

    def __init__(self, *, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, CachedResponse] = OrderedDict()

    async def get(self, url: str) -> CachedResponse | None:
        found = self._kept.get(url)
        if found is not None:
            self._kept.move_to_end(url)
        return found

    async def put(self, response: CachedResponse) -> None:
        before = self._kept.pop(response.url, None)
        self._bytes -= len(before.body) if before else 0
        if len(response.body) > self._most_bytes:
            return
        self._kept[response.url] = response
        self._bytes += len(response.body)
        while self._bytes > self._most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.body)
