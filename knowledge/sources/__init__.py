"""Where documents come from: folders, files, git repositories, web pages, sitemaps, and what ships with Locus."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import InvalidRequestError, NotFoundError
from knowledge.sources.files import FileSource, FolderSource, source_text
from knowledge.sources.git import git_address, sync_repository
from knowledge.sources.source import Source
from knowledge.sources.starter import STARTER, open_starter
from knowledge.sources.web import open_web

if TYPE_CHECKING:
    from knowledge.fetching import Fetcher

__all__ = ["FileSource", "FolderSource", "Source", "open_source"]


async def open_source(spec: str, *, fetcher: Fetcher, cache_dir: Path, max_file_bytes: int) -> Source:
    """Make a source ready to be read; what lies on the network is downloaded here.

    Args:
        spec: `starter` (always the shipped documents; write ./starter for a folder of that name), a folder or file, a
            git repository (`https://github.com/owner/repo`, `git+https://…`, `….git`), a web page or a sitemap.
        fetcher: Downloads, within its policy.
        cache_dir: Holds downloads and copies of repositories; made when missing.
        max_file_bytes: Larger files are offered, but reading them raises.

    Raises:
        InvalidRequestError: The specification cannot be understood.
        NotFoundError: There is no such folder, file, page or repository.
        RefusedError: The fetch policy does not allow it.
        UnavailableError: The server does not answer.
        UnreadableError: The download is too large or damaged.
    """
    spec = spec.strip()
    if not spec:
        raise InvalidRequestError("No source was named; give a folder, a file, a URL, or `starter`.")
    if spec == STARTER:
        return await asyncio.to_thread(open_starter)
    local = await asyncio.to_thread(_find_local, spec, max_file_bytes)
    if local is not None:
        return local
    if (address := git_address(spec)) is not None:
        root = await sync_repository(address, fetcher=fetcher, cache_dir=cache_dir)
        return FolderSource(address, root, max_file_bytes, repository=address)
    if "://" in spec and not spec.startswith(("ssh:", "git:", "git+")):
        return await open_web(spec, fetcher=fetcher, cache_dir=cache_dir, max_file_bytes=max_file_bytes)
    if spec.startswith(("ssh:", "git:", "git@", "git+")):
        raise InvalidRequestError(f"{source_text(spec)} is no https address; write it as https://HOST/OWNER/NAME.git.")
    raise NotFoundError(f"There is no folder or file {source_text(spec)}; check the spelling or give a URL.")


def _find_local(spec: str, max_file_bytes: int) -> Source | None:
    """Return the folder or file a specification names, or None where there is none."""
    try:
        path = Path(spec).expanduser()
        if not path.exists():
            return None
        path = path.resolve()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL inside, a user without home
        return None
    name = source_text(str(path))
    return FolderSource(name, path, max_file_bytes) if path.is_dir() else FileSource(name, path, max_file_bytes)
