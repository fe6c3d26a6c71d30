"""The documents that ship with Locus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from bot.errors import NotFoundError
from knowledge.documents import SourceFile
from knowledge.sources.files import SKIPPED_EXTENSIONS

STARTER = "starter"


@dataclass(frozen=True, slots=True)
class StarterSource:
    """The files of `knowledge/starter`, wherever the package is installed.

    Attributes:
        root: The folder inside the package.
        name: Stable id.
    """

    root: Traversable
    name: str = STARTER

    def files(self) -> Iterator[SourceFile]:
        """Yield the documents, sorted by name; the file name is the source."""
        for entry in sorted(self.root.iterdir(), key=lambda entry: entry.name):
            if entry.name.startswith((".", "__")) or not entry.is_file():
                continue
            if Path(entry.name).suffix.lower() in SKIPPED_EXTENSIONS:
                continue
            size = entry.stat().st_size if isinstance(entry, Path) else len(entry.read_bytes())
            yield SourceFile(source=entry.name, size_bytes=size, read=entry.read_bytes)


def open_starter() -> StarterSource:
    """Find the documents in the installed package.

    Raises:
        NotFoundError: The package was installed without them.
    """
    root = resources.files("knowledge") / STARTER
    if not root.is_dir():
        raise NotFoundError("The starter documents are missing from this installation; install Locus again.")
    return StarterSource(root)
