"""The folders that a copy of gn-docs has for datasets; implements `bot.digest.folders.DatasetFolders`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.errors import InvalidRequestError, StorageError
from knowledge.fetching import Fetcher, FetchPolicy
from knowledge.sources.git import git_address, sync_repository

PLACE = ("general", "datasets")  # in the repository
MAX_FOLDERS = 50_000


class GitDatasetFolders:
    """Brings a repository up to date and lists its folders.

    Args:
        repository: As a source of documents is written: https://github.com/genenetwork/gn-docs.
        policy: What may be downloaded.
        cache_dir: Where copies of repositories lie.

    Raises:
        InvalidRequestError: If that is no repository.
    """

    def __init__(self, repository: str, policy: FetchPolicy, cache_dir: Path) -> None:
        address = git_address(repository)
        if address is None:
            raise InvalidRequestError(
                f"{repository[:100]!r} is no git repository: write it as https://github.com/genenetwork/gn-docs."
            )
        self._address = address
        self._policy = policy
        self._cache_dir = cache_dir

    async def folders(self) -> frozenset[str]:
        """Return their names; raises as `knowledge.sources.git.sync_repository`."""
        async with Fetcher(self._policy) as fetcher:
            tree = await sync_repository(self._address, fetcher=fetcher, cache_dir=self._cache_dir)
        return await asyncio.to_thread(_listed, tree.joinpath(*PLACE))


def _listed(folder: Path) -> frozenset[str]:
    try:
        names = [entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise StorageError(f"{folder} cannot be read ({error.strerror}).") from error
    return frozenset(sorted(names)[:MAX_FOLDERS])
