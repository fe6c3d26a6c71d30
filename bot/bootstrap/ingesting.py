"""Brings sources into the index, and watches the one that witnesses new datasets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from bot.bootstrap.index import MIB, open_index
from bot.digest.folders import DatasetFolders
from bot.errors import BotError, SettingsError
from bot.ingestion import IngestProgress, IngestReport
from bot.settings import Settings
from knowledge.dataset_folders import GitDatasetFolders
from knowledge.fetching import Fetcher, FetchPolicy
from knowledge.index import KnowledgeIndex
from knowledge.ingest import sync_source
from knowledge.parsing import parse
from knowledge.sources import open_source
from knowledge.sync_notes import note_sync


async def ingest_sources(
    settings: Settings,
    specs: Sequence[str],
    *,
    scope: str,
    progress: Callable[[str], IngestProgress],
    report: Callable[[IngestReport | BotError, str], None],
) -> None:
    """Sync the given sources, or the declared ones when none is given, one after the other.

    A source that fails is reported and the others go on.

    Args:
        settings: Where the index is and what may be downloaded.
        specs: Sources as a person writes them.
        scope: The scope the documents belong to.
        progress: Called with a source's name, returns the object told about its progress.
        report: Called with the report, or the error, of each source.
    """
    async with open_index(settings) as index, Fetcher(_fetch_policy(settings)) as fetcher:
        for spec in specs or settings.sources:
            try:
                source = await open_source(
                    spec,
                    fetcher=fetcher,
                    cache_dir=settings.data_dir / "sources",
                    max_file_bytes=settings.max_file_mib * MIB,
                )
                done = await asyncio.to_thread(
                    sync_source, index, source, scope=scope, spec=spec, parse=parse, progress=progress(spec)
                )
            except BotError as error:
                await _note(index, scope, spec, error)
                report(error, spec)
            else:
                await _note(index, scope, spec, done)
                report(done, spec)


async def _note(index: KnowledgeIndex, scope: str, spec: str, outcome: IngestReport | BotError) -> None:
    """Keep how a sync went for the dashboard; a disk that is full has been reported already."""
    with contextlib.suppress(BotError):
        await asyncio.to_thread(note_sync, index.catalogue, scope, spec, outcome)


def _fetch_policy(settings: Settings) -> FetchPolicy:
    """Return what may be downloaded."""
    return FetchPolicy(
        allowed_hosts=settings.fetch_allowed_hosts,
        private_hosts=settings.fetch_private_hosts,
        max_bytes=settings.fetch_max_mib * MIB,
        timeout_s=settings.fetch_timeout_s,
        user_agent=f"Locus ({settings.contact})" if settings.contact else "Locus",
    )


def make_dataset_folders(settings: Settings) -> DatasetFolders | None:
    """Return the second witness of new datasets, or None where the settings name none.

    Raises:
        SettingsError: If what they name is no git repository.
    """
    if not settings.digest_docs:
        return None
    try:
        return GitDatasetFolders(settings.digest_docs, _fetch_policy(settings), settings.data_dir / "sources")
    except BotError as error:
        raise SettingsError(f"LOCUS_DIGEST_DOCS: {error}") from error
