"""How many cells of the KV cache are taken, when sequences share beginnings.

llama.cpp does not tell how many cells are free, and running out in the middle of an answer would lose it; so every
share and cut is booked here too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class _Run:
    """Neighbouring cells with the same holders."""

    length: int
    holders: int = 1


class CellLedger:
    """Cells taken by each sequence, in runs that several may hold."""

    def __init__(self) -> None:
        self._runs: dict[int, list[_Run]] = {}
        self.used = 0

    def length(self, sequence: int) -> int:
        """Cells of a sequence, shared ones included."""
        return sum(run.length for run in self._runs.get(sequence, ()))

    def own(self, sequence: int) -> int:
        """Cells that dropping the sequence would free."""
        return sum(run.length for run in self._runs.get(sequence, ()) if run.holders == 1)

    def extend(self, sequence: int, count: int) -> None:
        """Book `count` new cells at the end of a sequence."""
        runs = self._runs.setdefault(sequence, [])
        if runs and runs[-1].holders == 1:
            runs[-1].length += count
        else:
            runs.append(_Run(count))
        self.used += count

    def share(self, source: int, target: int, length: int) -> None:
        """Let the new sequence `target` hold the first `length` cells of `source`."""
        self._split(source, length)
        shared = list(self._first(source, length))
        for run in shared:
            run.holders += 1
        self._runs[target] = shared

    def cut(self, sequence: int, length: int) -> None:
        """Keep only the first `length` cells of a sequence; 0 forgets it."""
        self._split(sequence, length)
        kept = list(self._first(sequence, length))
        for run in self._runs.get(sequence, [])[len(kept) :]:
            run.holders -= 1
            if run.holders == 0:
                self.used -= run.length
        if kept:
            self._runs[sequence] = kept
        else:
            self._runs.pop(sequence, None)

    def _first(self, sequence: int, length: int) -> Iterator[_Run]:
        for run in self._runs.get(sequence, ()):
            if length <= 0:
                return
            length -= run.length
            yield run

    def _split(self, sequence: int, position: int) -> None:
        """Make a run end at `position`, for all who hold it."""
        for run in self._runs.get(sequence, ()):
            if position <= 0:
                return
            if position < run.length:
                rest = _Run(run.length - position, run.holders)
                run.length = position
                for runs in self._runs.values():
                    if run in runs:
                        runs.insert(runs.index(run) + 1, rest)
                return
            position -= run.length
