"""Tables for where there are none: as columns of fixed width, or as a list of what each row says."""

from __future__ import annotations

import unicodedata

from bot.markup.elements import Line, Run, Table, plain_text, settled

NARROW = 56  # cells of fixed width that a table may take in a fence, so that a phone breaks no line more than once


def as_columns(table: Table) -> str:
    """Return a table as cleaned text of fixed width."""
    rows = [[plain_text(cell) for cell in row] for row in (table.header, *table.rows)]
    widths = [max(_cells(row[column]) for row in rows) for column in range(len(table.header))]
    padded = [
        "  ".join(cell + " " * (width - _cells(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([padded[0], "  ".join("─" * width for width in widths), *padded[1:]])


def in_bold(line: Line) -> Line:
    """Return a line in bold letters, but for its links and code."""
    return settled([run if run.url or run.code else Run(run.text, bold=True) for run in line])


def as_entries(table: Table) -> list[list[Line]]:
    """Return for each row its lines "header: value"; the first cell, in bold, stands above the others."""
    entries: list[list[Line]] = []
    for row in table.rows:
        lines: list[Line] = [in_bold(row[0])]
        for header, cell in zip(table.header[1:], row[1:], strict=True):
            if cell:
                lines.append((Run(f"{plain_text(header)}: "), *cell) if header else cell)
        entries.append([line for line in lines if line])
    return entries


def width_of(table: Table) -> int:
    """Return the cells of fixed width that a table takes as columns."""
    rows = (table.header, *table.rows)
    widest = [max(_cells(plain_text(row[column])) for row in rows) for column in range(len(table.header))]
    return sum(widest) + 2 * (len(widest) - 1)


def _cells(text: str) -> int:
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
