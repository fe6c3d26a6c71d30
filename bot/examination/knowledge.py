"""Embedding model, index and Chroma."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from bot.bootstrap import make_embedder
from bot.checks import Finding, Level
from bot.errors import BotError
from bot.settings import Settings
from knowledge.examination import examine_chroma, examine_index
from knowledge.index import KnowledgeIndex


def examine_knowledge(settings: Settings) -> Iterator[Finding]:
    """Yield how the embedding model, the index and, where one is set, the Chroma server are."""
    try:
        embedder = make_embedder(settings)
    except BotError as error:
        yield Finding(Level.ERROR, "embedding", str(error))
    else:
        try:
            yield Finding(Level.OK, "embedding", f"{embedder.fingerprint}, {embedder.dim} dimensions.")
            opened = functools.partial(KnowledgeIndex, settings.data_dir, embedder, chroma_url=settings.chroma_url)
            yield from examine_index(opened)
        finally:
            embedder.close()
    if settings.chroma_url:
        yield examine_chroma(settings.chroma_url)
