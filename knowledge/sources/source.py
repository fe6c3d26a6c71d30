"""What every source is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from knowledge.documents import SourceFile


class Source(Protocol):
    """A place where documents come from, ready to be read."""

    @property
    def name(self) -> str:
        """Stable id of the source: the same place has the same name at the next sync."""
        ...

    def files(self) -> Iterator[SourceFile]:
        """Yield what the source offers now, in a stable order, no `source` twice."""
        ...
