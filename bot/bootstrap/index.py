"""Opens the index of the data folder, and what writes taught files into it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bot.ports import IndexFacts
from bot.settings import Settings
from knowledge.embeddings import Embedder, MiniLmEmbedder
from knowledge.index import KnowledgeIndex, index_facts
from knowledge.reading import FileReader
from knowledge.taught_copies import FOLDER as TAUGHT_FOLDER
from knowledge.taught_copies import TaughtCopies
from knowledge.teaching import FileTeacher

MIB = 1024 * 1024


def make_embedder(settings: Settings) -> Embedder:
    """Return the embedding model the settings name.

    Raises:
        SettingsError: If it is missing or damaged.
    """
    threads = settings.ingest_threads or None
    if settings.embedding_model is not None:
        from knowledge.gguf_embeddings import GgufEmbedder

        return GgufEmbedder(settings.embedding_model, threads=threads)
    return MiniLmEmbedder(settings.data_dir / "models", threads=threads)


@asynccontextmanager
async def open_index(settings: Settings) -> AsyncIterator[KnowledgeIndex]:
    """Open the index of the data folder; closed on leaving, also after a failed start."""
    async with AsyncExitStack() as stack:
        embedder = await asyncio.to_thread(make_embedder, settings)
        stack.push_async_callback(asyncio.to_thread, embedder.close)
        index = await asyncio.to_thread(KnowledgeIndex, settings.data_dir, embedder, chroma_url=settings.chroma_url)
        stack.push_async_callback(asyncio.to_thread, index.close)
        yield index


def make_teacher(settings: Settings, index: KnowledgeIndex) -> FileTeacher:
    """Return what puts files of chats into an index."""
    copies = TaughtCopies(settings.data_dir / TAUGHT_FOLDER)
    return FileTeacher(index, FileReader(), copies, max_bytes=settings.max_file_mib * MIB)


@asynccontextmanager
async def open_teacher(settings: Settings) -> AsyncIterator[FileTeacher]:
    """Open the index of the data folder to look after what chats taught it; raises as `open_application`."""
    async with open_index(settings) as index:
        yield make_teacher(settings, index)


class IndexStatus:
    """Adapts the index to `bot.ports.IndexStatus`."""

    def __init__(self, index: KnowledgeIndex) -> None:
        self._index = index

    async def has_documents(self) -> bool:
        return await asyncio.to_thread(self._index.catalogue.has_documents)

    async def revision(self) -> int:
        return await asyncio.to_thread(self._index.catalogue.published_revision)

    async def facts(self) -> IndexFacts:
        return await asyncio.to_thread(index_facts, self._index)
