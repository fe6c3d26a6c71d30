"""Rows of tables: how they are written, and which of them is the header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_NUMBER = re.compile(r"^[<>~≈±]?\s*[-+−]?[$€]?\d[\d.,%/:eE+−x \-]*$")
_SAMPLE_ROWS = 50
_MAX_HEADER_CELL_CHARS = 80
_COLUMN_WORDS = frozenset(
    {
        "index", "id", "name", "strain", "sex", "gender", "age", "tissue", "group", "sample", "samples", "case",
        "cases", "array", "species", "date", "type", "n", "value", "values", "description", "field", "column",
        "condition", "series", "symbol", "gene", "chr", "chromosome", "position", "batch", "number", "no",
        "total", "mean", "treatment", "status", "source", "file", "size", "count", "title", "key", "note",
        "notes", "comment", "comments", "parameter", "default", "example", "format",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One row as found in the document.

    Attributes:
        cells: Texts of the cells; an empty one keeps the others under their header.
        is_header: Marked as header by the document itself.
        is_strong: Bold throughout, which in a first row means header as well.
    """

    cells: Sequence[str]
    is_header: bool = False
    is_strong: bool = False

    def text(self) -> str:
        """Cells joined by " | "; empty cells at the end are left away, those between leave two bars."""
        cells = list(self.cells)
        while cells and not cells[-1]:
            cells.pop()
        return " | ".join(cells).replace("|  |", "| |").replace("|  |", "| |").strip()

    def filled(self) -> int:
        """Number of cells that hold text."""
        return sum(1 for cell in self.cells if cell)


def split_header(rows: Sequence[Row]) -> tuple[list[str], str, list[Row]]:
    """Split a table into captions above it, its header row and the rest; rows without text are dropped.

    The header is "" when there is none. A header with nothing under it is no header: it is returned among the rows.
    """
    kept = [row for row in rows if row.filled()]
    width = max((row.filled() for row in kept), default=0)
    captions: list[str] = []
    while width >= 3 and len(kept) > 1 and kept[0].filled() == 1:
        captions.append(kept.pop(0).text())
    if not any(not row.is_header for row in kept):
        return captions, "", [Row(row.cells) for row in kept]
    if kept[0].is_header:
        return captions, kept[0].text(), kept[1:]
    if _leads(kept[0], kept[1:]):
        return captions, kept[0].text(), kept[1:]
    return captions, "", kept


def _leads(first: Row, rest: Sequence[Row]) -> bool:
    """Tell whether an unmarked first row is clearly a header."""
    names = [cell for cell in first.cells if cell]
    if len(names) < 2 or not rest or len(set(names)) != len(names):
        return False
    if any(_NUMBER.match(name) or len(name) > _MAX_HEADER_CELL_CHARS for name in names):
        return False
    sample = rest[:_SAMPLE_ROWS]
    if 2 * len(names) < max(row.filled() for row in sample):
        return False
    if first.is_strong:
        return not all(row.is_strong for row in sample)
    if len(rest) < 2:
        return False
    known = sum(1 for name in names if _COLUMN_WORDS & set(re.split(r"[^a-z]+", name.lower())))
    return (
        known >= 2 or known == len(names) or any(_is_numeric(index, first, sample) for index in range(len(first.cells)))
    )


def _is_numeric(column: int, first: Row, sample: Sequence[Row]) -> bool:
    if not first.cells[column]:
        return False
    values = [row.cells[column] for row in sample if column < len(row.cells) and row.cells[column]]
    return len(values) >= 2 and 10 * sum(1 for value in values if _NUMBER.match(value)) >= 7 * len(values)


def is_pipe_line(line: str) -> bool:
    """Tell whether a line belongs to a table drawn with bars: a row, or a rule of dashes."""
    line = line.strip()
    return (line.startswith("|") and line.count("|") > 1) or is_pipe_rule(line)


def is_pipe_rule(line: str) -> bool:
    """Tell whether a line is a rule between rows: `|---+---|`, `+---+---+`, `|:--|--:|`."""
    return len(line) > 2 and line[0] in "|+" and not line.strip("|+-=: \t") and ("--" in line or "==" in line)


def pipe_rows(lines: Sequence[str]) -> list[Row]:
    """Read the lines of a table drawn with bars; the one row above the first inner rule is its header.

    What stands after the last bar of a row (a remark, in dumps of MySQL) is kept as a further cell.
    """
    rows: list[Row] = []
    rule_after: int | None = None
    for line in lines:
        line = line.strip()
        if is_pipe_rule(line):
            if rows and rule_after is None:
                rule_after = len(rows)
            continue
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line[1:])]
        if cells and not cells[-1]:
            cells.pop()
        rows.append(Row(cells))
    if rule_after == 1 and len(rows) > 1:
        rows[0] = Row(rows[0].cells, is_header=True)
    return rows
