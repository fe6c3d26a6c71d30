"""Dense vectors in Chroma: one collection per scope, always with our own vectors.

Chroma's embedded store is made for one process: a second one neither sees new rows nor may write beside the first.
So the embedded store is written in a folder that only the writer opens, and every published revision is a copy of it
that nobody changes (`copy_store`). A server needs no copies.

One collection per scope keeps another scope's texts out of reach of a query and avoids Chroma's slow metadata filters
(a filter that matches 75 % of 100,000 rows took 263 ms).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")

import chromadb
import httpx
from chromadb.api import ClientAPI
from chromadb.api.models.Collection import Collection
from chromadb.config import Settings as ChromaSettings
from chromadb.errors import ChromaError, NotFoundError

from bot.errors import BotError, StorageError, UnavailableError
from knowledge.servers import require_rust

FloatArray = npt.NDArray[np.float32]
SERVER_TIMEOUT_S = 60.0
_BATCH = 1000  # rows per call; Chroma's embedded limit is 5,461


class VectorStore:
    """Chroma, embedded in the data folder or a server of ours."""

    def __init__(self, folder: Path, *, url: str | None) -> None:
        """Open the store.

        Raises:
            StorageError: If the embedded store is damaged.
            UnavailableError: If the server does not answer.
            SettingsError: If the server is not one Locus may use.
        """
        self._folder = folder
        self._url = url
        self._collections: dict[str, Collection] = {}
        self._sessions: list[httpx.Client] = []
        with self._errors():
            self._client = self._open()

    def _open(self) -> ClientAPI:
        # What is not given here, Chroma reads from its own variables in the environment.
        settings = ChromaSettings(
            anonymized_telemetry=False, chroma_otel_collection_endpoint="", chroma_otel_granularity="none"
        )
        if self._url is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            return chromadb.PersistentClient(path=str(self._folder), settings=settings)
        require_rust(self._url)
        parts = urlsplit(self._url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        client = chromadb.HttpClient(
            host=parts.hostname or "", port=port, ssl=parts.scheme == "https", settings=settings
        )
        # Chroma's client waits for ever and never closes its connections; both are mended on its own sessions.
        for owner in (client, getattr(client, "_admin_client", None)):
            session = getattr(getattr(owner, "_server", None), "_session", None)
            if isinstance(session, httpx.Client):
                session.timeout = httpx.Timeout(SERVER_TIMEOUT_S)
                self._sessions.append(session)
        return client

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Stop Chroma's errors here; its Rust core raises InternalError for a full disk and for a damaged file."""
        try:
            yield
        except BotError:
            raise
        except (ChromaError, httpx.HTTPError, OSError, ValueError, RuntimeError, KeyError) as error:
            text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            if self._url is not None:
                raise UnavailableError(
                    f"The Chroma server {self._url} does not answer ({text}): check LOCUS_CHROMA_URL.", retry_after_s=5
                ) from error
            if "full" in text:
                message = f"The disk with {self._folder} is full: free some space and run the command again."
            else:
                message = (
                    f"The vector index {self._folder} is damaged ({text}): move the data folder away and run "
                    "`locus ingest` again."
                )
            raise StorageError(message) from error

    def _collection(self, scope: str, *, create: bool) -> Collection | None:
        known = self._collections.get(scope)
        if known is not None:
            return known
        # Chroma's own names allow few characters; the scope itself is kept in the metadata.
        name = "scope-" + hashlib.sha256(scope.encode()).hexdigest()[:24]
        if create:
            found = self._client.get_or_create_collection(
                name,
                configuration={"hnsw": {"space": "ip", "ef_search": 128, "ef_construction": 128}},
                metadata={"scope": scope},
                embedding_function=None,
            )
        else:
            try:
                found = self._client.get_collection(name, embedding_function=None)
            except NotFoundError:
                return None
        self._collections[scope] = found
        return found

    def upsert(self, scope: str, chunk_ids: Sequence[str], vectors: FloatArray) -> None:
        """Store vectors `(n, dim)` under their chunk ids."""
        with self._errors():
            collection = self._collection(scope, create=True)
            assert collection is not None  # noqa: S101 - create=True always returns one
            for start in range(0, len(chunk_ids), _BATCH):
                part = slice(start, start + _BATCH)
                collection.upsert(ids=list(chunk_ids[part]), embeddings=cast("list[Sequence[float]]", vectors[part]))

    def delete(self, scope: str, chunk_ids: Sequence[str]) -> None:
        """Forget the vectors of these chunks."""
        with self._errors():
            collection = self._collection(scope, create=False)
            if collection is None:
                return
            for start in range(0, len(chunk_ids), _BATCH):
                collection.delete(ids=list(chunk_ids[start : start + _BATCH]))

    def search(self, scope: str, vector: FloatArray, limit: int) -> list[tuple[str, float]]:
        """Return (chunk id, cosine similarity -1 to 1) of the nearest chunks of one scope, staged ones included."""
        with self._errors():
            collection = self._collection(scope, create=False)
            if collection is None:
                return []
            found = collection.query(
                query_embeddings=cast("list[Sequence[float]]", vector[None, :]), n_results=limit, include=["distances"]
            )
        distances = found["distances"]
        if distances is None:
            return []
        # Chroma's "ip" distance is 1 - dot product; our vectors have unit length.
        pairs = zip(found["ids"][0], distances[0], strict=True)
        return [(chunk_id, 1.0 - float(distance)) for chunk_id, distance in pairs]

    def count(self, scope: str) -> int:
        """Return the number of stored vectors of a scope, staged ones included."""
        with self._errors():
            collection = self._collection(scope, create=False)
            return 0 if collection is None else collection.count()

    def close(self) -> None:
        """Close the client; calls under way in other threads fail."""
        self._collections.clear()
        close = getattr(self._client, "close", None)  # every client has it, its interface does not say so
        if close is not None:
            close()
        for session in self._sessions:
            session.close()


def copy_store(source: Path, target: Path) -> None:
    """Copy an embedded store that nobody is writing to; the database by SQLite's own backup, so that it is whole.

    Raises:
        StorageError: If the disk is full.
    """
    shutil.rmtree(target, ignore_errors=True)
    try:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("chroma.sqlite3*"))
        with (
            closing(sqlite3.connect(source / "chroma.sqlite3")) as origin,
            closing(sqlite3.connect(target / "chroma.sqlite3")) as copy,
        ):
            origin.backup(copy)
    except (OSError, sqlite3.Error, shutil.Error) as error:
        shutil.rmtree(target, ignore_errors=True)
        raise StorageError(
            f"The vectors could not be written to {target} ({error}): check the free space of the disk."
        ) from error
