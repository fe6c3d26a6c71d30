"""Small folders of documents for tests, and a progress object that only counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from knowledge.documents import SourceFile


@dataclass
class FolderSource:
    """A source over a folder, without the rules of the real one."""

    root: Path

    @property
    def name(self) -> str:
        return str(self.root)

    def files(self) -> Iterator[SourceFile]:
        for path in sorted(self.root.rglob("*")):
            if path.is_file():
                yield SourceFile(str(path.relative_to(self.root)), path.stat().st_size, path.read_bytes)


@dataclass
class CountingProgress:
    """Counts what it is told."""

    embedded_chunks: int = 0
    files_read: list[str] = field(default_factory=list)

    def found(self, files: int, size_bytes: int) -> None:
        """Not of interest."""

    def read(self, source: str, size_bytes: int) -> None:
        self.files_read.append(source)

    def embedded(self, chunks: int) -> None:
        self.embedded_chunks += chunks

    def publishing(self) -> None:
        """Not of interest."""


def write_documents(root: Path, documents: Mapping[str, str]) -> Path:
    """Write a folder of text files and return it."""
    for name, text in documents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


LAB = {
    "bxd.md": "# BXD strains\n\nThe BXD strains were made by crossing C57BL/6J and DBA/2J mice.\n\n"
    "## Number\n\nThere are about 140 BXD strains in the colony today.\n",
    "mapping.md": "# Interval mapping\n\nInterval mapping tests for a QTL at regular steps along a chromosome.\n\n"
    "## Significance\n\nThe significance threshold comes from 2000 permutations of the strain means.\n",
    "general/datasets/Iop_spl_rma_0509/summary.rtf": "<p>Spleen expression was measured in 77 mice.</p>",
    "general/datasets/Iop_spl_rma_0509/cases.rtf": "<p>The animals came from 24 strains of both sexes.</p>",
    "rats.org": "* Rats\nThe HXB and BXH rat strains were bred in Prague.\n",
}
