"""What an ingest tells people: progress while it runs, a report when it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class IngestProgress(Protocol):
    """Told about every file and every batch from a worker thread; must return quickly."""

    def found(self, files: int, size_bytes: int) -> None:
        """The source has been listed."""
        ...

    def read(self, source: str, size_bytes: int) -> None:
        """One file has been read."""
        ...

    def embedded(self, chunks: int) -> None:
        """So many more chunks have been embedded and stored."""
        ...

    def publishing(self) -> None:
        """All is stored; the new revision is about to become visible."""
        ...


@dataclass(slots=True)
class IngestReport:
    """What one sync did.

    Attributes:
        source: The source as it was given.
        files: Files the source offered.
        unchanged, changed, removed: Documents by what happened to them.
        chunks: Chunks of the changed documents; `embedded` of them were new texts.
        revision: The published revision people now see.
        duration_s: Wall time of the whole sync; `embed_s` of the embedding in it.
        problems: One sentence per file left out.
        empty: Empty files, which are left out without being a problem.
    """

    source: str = ""
    files: int = 0
    unchanged: int = 0
    changed: int = 0
    removed: int = 0
    chunks: int = 0
    embedded: int = 0
    revision: int = 0
    duration_s: float = 0.0
    embed_s: float = 0.0
    problems: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
