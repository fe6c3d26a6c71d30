"""Web pages and sitemaps as sources: everything is downloaded when the source is opened, and read from the disk."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.parsers import expat

from bot.errors import BotError, StorageError, UnavailableError, UnreadableError
from knowledge.documents import SourceFile
from knowledge.sources.addresses import check_url, shown_url
from knowledge.sources.files import read_file, source_text, too_large

if TYPE_CHECKING:
    from knowledge.fetching import Fetched, Fetcher

MAX_PAGES = 20_000
MAX_SITEMAPS = 1_000
MAX_DEPTH = 2  # sitemap indexes below the sitemap that was given
PAGES_AT_ONCE = 4
GIVE_UP_AFTER = 8  # pages in a row that could not be had from a server that does not answer
_SITEMAP_ROOTS = frozenset({"urlset", "sitemapindex"})


@dataclass(frozen=True, slots=True)
class WebSource:
    """Downloaded pages.

    Attributes:
        name: Stable id: the URL of the page or sitemap.
        pages: The documents.
    """

    name: str
    pages: tuple[SourceFile, ...]

    def files(self) -> Iterator[SourceFile]:
        """Yield the pages, in the order of the sitemap; the URL is the source.

        A page of a sitemap that could not be had is offered all the same, and reading it raises `UnreadableError`.
        """
        return iter(self.pages)


@dataclass(slots=True)
class Sitemap:
    """What a sitemap lists (sitemaps.org, protocol 0.9).

    Attributes:
        is_index: True for a list of sitemaps, False for a list of pages.
        urls: In document order.
    """

    is_index: bool = False
    urls: list[str] = field(default_factory=list)


async def open_web(url: str, *, fetcher: Fetcher, cache_dir: Path, max_file_bytes: int) -> WebSource:
    """Download a page, or all pages of a sitemap.

    Raises:
        InvalidRequestError, RefusedError, NotFoundError, UnavailableError, UnreadableError: As `Fetcher.fetch`, for
            the page or sitemap that was given.
        StorageError: The cache cannot be written.
    """
    name = str(check_url(url, fetcher.policy))
    store = _Store(cache_dir / "web" / hashlib.sha256(name.encode()).hexdigest()[:32], cache_dir, max_file_bytes)
    first = await fetcher.fetch(name)
    sitemap = await asyncio.to_thread(_find_sitemap, first, fetcher.policy.max_bytes)
    await store.clear()
    if sitemap is None:
        return WebSource(name, (await store.add(name, first),))
    urls = await _list_pages(sitemap, fetcher)
    return WebSource(name, tuple(await _fetch_pages(urls, fetcher, store)))


async def _list_pages(sitemap: Sitemap, fetcher: Fetcher) -> list[str]:
    """Return the pages of a sitemap and of those below it, each once."""
    pages: dict[str, None] = {}
    seen: set[str] = set()
    waiting = [(sitemap, 0)]
    while waiting:
        current, depth = waiting.pop(0)
        if not current.is_index:
            pages.update(dict.fromkeys(current.urls))
            if len(pages) >= MAX_PAGES:
                break
            continue
        for url in current.urls:
            if depth >= MAX_DEPTH or url in seen or len(seen) >= MAX_SITEMAPS:
                continue
            seen.add(url)
            # A sitemap that is missing would look as if its pages were gone, so its error ends the sync.
            fetched = await fetcher.fetch(url)
            below = await asyncio.to_thread(_find_sitemap, fetched, fetcher.policy.max_bytes)
            if below is None:
                raise UnreadableError(f"{shown_url(url)} is listed as a sitemap but is none.")
            waiting.append((below, depth + 1))
    return list(pages)[:MAX_PAGES]


async def _fetch_pages(urls: list[str], fetcher: Fetcher, store: _Store) -> list[SourceFile]:
    """Download pages, a few at a time; give up when the server stops answering."""
    files: dict[int, SourceFile] = {}
    remaining = iter(enumerate(urls))
    silent = 0

    async def work() -> None:
        nonlocal silent
        for position, url in remaining:
            try:
                files[position] = await store.add(url, await fetcher.fetch(url))
                silent = 0
            except StorageError:
                raise
            except BotError as error:
                silent = silent + 1 if isinstance(error, UnavailableError) and error.retryable else 0
                if silent >= GIVE_UP_AFTER:
                    raise UnavailableError(
                        f"{shown_url(url)} and the {silent - 1} pages before it could not be fetched; "
                        f"the sync was given up after {len(files)} of {len(urls)} pages.",
                        retry_after_s=getattr(error, "retry_after_s", None),
                    ) from error
                read = functools.partial(_refuse, str(error))
                files[position] = SourceFile(source_text(url), 0, read, source_text(url))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(PAGES_AT_ONCE, len(urls))):
                group.create_task(work())
    except* BotError as errors:
        raise next(iter(errors.exceptions)) from None
    return [files[position] for position in range(len(urls))]


def _refuse(text: str) -> bytes:
    raise UnreadableError(text)


class _Store:
    """Keeps downloads on the disk until they are read."""

    def __init__(self, folder: Path, cache_dir: Path, max_file_bytes: int) -> None:
        self._folder = folder
        self._cache_dir = cache_dir
        self._max_file_bytes = max_file_bytes

    async def clear(self) -> None:
        """Drop what an earlier sync left."""
        await self._write(self._clear)

    def _clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def add(self, url: str, fetched: Fetched) -> SourceFile:
        """Keep a page and return it as a document."""
        size = len(fetched.data)
        source = source_text(url)
        if size > self._max_file_bytes:
            text = str(too_large(shown_url(url), size, self._max_file_bytes))
            return SourceFile(source, size, functools.partial(_refuse, text), fetched.url)
        path = self._folder / hashlib.sha256(url.encode()).hexdigest()
        await self._write(lambda: path.write_bytes(fetched.data))
        read = functools.partial(read_file, os.fspath(path), source, self._max_file_bytes)
        return SourceFile(source, size, read, fetched.url)

    async def _write(self, action: Callable[[], object]) -> None:
        try:
            await asyncio.to_thread(action)
        except OSError as error:
            raise StorageError(f"{self._cache_dir} cannot be written ({error.strerror}).") from error


def _find_sitemap(fetched: Fetched, max_bytes: int) -> Sitemap | None:
    """Understand a download as a sitemap; None when it is something else.

    Raises:
        UnreadableError: Its URL promises XML but it is damaged.
    """
    data = fetched.data
    path = fetched.url.partition("?")[0].lower()
    if data[:2] == b"\x1f\x8b" and path.endswith(".gz"):
        data = _gunzip(fetched, max_bytes)
    opening = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    looks_so = opening.startswith(b"<") and any(f"<{root}".encode() in opening for root in _SITEMAP_ROOTS)
    promised = path.endswith((".xml", ".xml.gz"))
    if not looks_so and not promised:
        return None
    try:
        return parse_sitemap(data)
    except ValueError as error:
        if not promised:
            return None
        raise UnreadableError(f"{shown_url(fetched.url)} is damaged XML ({error}).") from error


def _gunzip(fetched: Fetched, max_bytes: int) -> bytes:
    decoder = zlib.decompressobj(wbits=31)
    try:
        data = decoder.decompress(fetched.data, max_bytes)
    except zlib.error as error:
        raise UnreadableError(f"{shown_url(fetched.url)} is damaged: it cannot be decompressed.") from error
    if not decoder.eof:
        raise UnreadableError(f"{shown_url(fetched.url)} is over the limit for downloads (LOCUS_FETCH_MAX_MIB).")
    return data


def parse_sitemap(data: bytes) -> Sitemap | None:
    """Read the locations of a sitemap or sitemap index; None when the XML is something else.

    Document types, and so entities of any kind, are refused.

    Raises:
        ValueError: It is no well-formed XML, or declares a document type.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    sitemap = Sitemap()
    path: list[str] = []
    text: list[str] = []
    is_other = False

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal is_other
        path.append(name.rpartition(" ")[2])
        if len(path) == 1:
            is_other = path[0] not in _SITEMAP_ROOTS
            sitemap.is_index = path[0] == "sitemapindex"
        text.clear()

    def end(_: str) -> None:
        if len(path) == 3 and path[1] in {"url", "sitemap"} and path[2] == "loc":
            url = "".join(text).strip().partition("#")[0]
            if url and len(sitemap.urls) < max(MAX_PAGES, MAX_SITEMAPS):
                sitemap.urls.append(url)
        path.pop()

    def refuse(*_: object) -> None:
        raise ValueError("it declares a document type")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text.append
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ValueError(f"line {error.lineno}") from error
    return None if is_other else sitemap
