"""Answers of GeneNetwork that all processes share; implements `bot.response_cache.ResponseCache`."""

from __future__ import annotations

import asyncio
import base64
import binascii
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bot.response_cache import CachedResponse
from bot.store.client import Store, text
from bot.store.keys import KeyKind
from bot.store.records import Record

SMALL_SLOTS, SMALL_CHARS = 1024, 1 << 16
LARGE_SLOTS, LARGE_CHARS = 32, 1 << 21
DAYS = 7
_LIFETIME_MS = DAYS * 86_400_000
_MOST_CHARS = 64 << 20  # of a body once it is unpacked
_THREAD_CHARS = 1 << 16  # larger bodies are packed beside the event loop

T = TypeVar("T")

GENENETWORK_KEYS = (
    KeyKind(
        "genenetwork:small:*",
        "string",
        f"{DAYS} days",
        f"{SMALL_SLOTS:,} keys of at most 64 KiB, mostly 1 kB",
        "an answer of GeneNetwork, packed, with its URL, validator and time",
    ),
    KeyKind(
        "genenetwork:large:*",
        "string",
        f"{DAYS} days",
        f"{LARGE_SLOTS} keys of at most 2 MiB",
        "the same, of genome scans",
    ),
)


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """An answer in its slot; it counts only for the very URL that stands with it."""

    url: str
    content_type: str
    packed: str
    etag: str
    last_modified: str
    fetched_at: float


RESPONSE = Record(StoredResponse)


class GeneNetworkCache:
    """A fixed number of slots: a later answer with the same one takes its place, so nothing has to be tidied up.

    Args:
        store: Where.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, url: str) -> CachedResponse | None:
        replies = await self._store.batch(*(("GET", key) for key in self._keys(url)))
        found = [one for one in (RESPONSE.find(text(reply)) for reply in replies) if one is not None and one.url == url]
        if not found:
            return None
        stored = max(found, key=lambda one: one.fetched_at)
        body = await _beside(_unpacked, stored.packed)
        if body is None:
            return None
        return CachedResponse(url, stored.content_type, body, stored.etag, stored.last_modified, stored.fetched_at)

    async def put(self, response: CachedResponse) -> None:
        packed = await _beside(_packed, response.body)
        value = RESPONSE.dump(
            StoredResponse(
                response.url,
                response.content_type,
                packed,
                response.etag,
                response.last_modified,
                response.fetched_at,
            )
        )
        small, large = self._keys(response.url)
        if len(value) <= LARGE_CHARS:
            await self._store.call("SET", small if len(value) <= SMALL_CHARS else large, value, "PX", _LIFETIME_MS)

    def _keys(self, url: str) -> tuple[str, str]:
        number = zlib.crc32(url.encode())
        return (
            self._store.key("genenetwork", "small", str(number % SMALL_SLOTS)),
            self._store.key("genenetwork", "large", str(number % LARGE_SLOTS)),
        )


def _packed(body: str) -> str:
    return base64.b64encode(zlib.compress(body.encode())).decode()


def _unpacked(packed: str) -> str | None:
    """Return a body, None where it is damaged or larger than any that was kept."""
    try:
        unpacker = zlib.decompressobj()
        body = unpacker.decompress(base64.b64decode(packed, validate=True), _MOST_CHARS)
        return body.decode() if unpacker.eof else None
    except (zlib.error, binascii.Error, UnicodeDecodeError):
        return None


async def _beside(work: Callable[[str], T], value: str) -> T:
    return work(value) if len(value) < _THREAD_CHARS else await asyncio.to_thread(work, value)
