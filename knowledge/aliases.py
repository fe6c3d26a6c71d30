"""Other names of the same thing: gene symbols, and the abbreviations of the field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from knowledge.terms import fold

ALIAS_WEIGHT = 0.5  # a match of another name counts half


class AliasTable:
    """Groups of names for one thing; looked up by folded name."""

    def __init__(self, groups: list[tuple[str, ...]]) -> None:
        self._groups: dict[str, list[tuple[str, ...]]] = {}
        self._longest = 1
        for group in groups:
            for name in group:
                key = fold(name)
                self._groups.setdefault(key, []).append(group)
                self._longest = max(self._longest, len(key.split()))

    def expand(self, text: str, exact: Mapping[str, float]) -> Iterator[tuple[str, float]]:
        """Yield (other name, weight) for every name found in the text, at most 5 words long."""
        words = "".join(char if char.isalnum() or char in "-_/." else " " for char in fold(text)).split()
        seen: set[tuple[str, ...]] = set()
        for size in range(min(self._longest, 5), 0, -1):
            for start in range(len(words) - size + 1):
                name = " ".join(words[start : start + size]).strip(".")
                for group in self._groups.get(name, ()):
                    if group in seen:
                        continue
                    seen.add(group)
                    for other in group:
                        if fold(other) != name:
                            yield other, ALIAS_WEIGHT
