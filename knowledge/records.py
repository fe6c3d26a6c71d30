"""Values the catalogue stores and gives back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.evidence import Home
from knowledge.chunking import Unit

Int8Array = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A stored text. `vectors` `(1 + n_units, dim)` int8: the passage's and its units' unit vectors, times 127."""

    chunk_id: str
    scope: str
    title: str
    heading: str
    units: tuple[Unit, ...]
    vectors: Int8Array


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A visible chunk with its homes, the first published first."""

    row: ChunkRow
    homes: tuple[Home, ...]
    unit: str
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document to publish: its place, the digest of its bytes, and its chunks in order.

    `unit` names what it belongs to for ranking: the dataset folder, or the document itself.
    """

    path: str
    digest: str
    title: str
    url: str | None
    unit: str
    chunk_ids: tuple[str, ...]
