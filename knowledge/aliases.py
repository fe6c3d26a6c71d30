"""Other names of the same thing: gene symbols, and the abbreviations of the field."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from bot.errors import SettingsError
from knowledge.terms import fold

ALIAS_WEIGHT = 0.5  # a match of another name counts half
_ORDINARY = frozenset({"albino", "brown", "clock", "dilute", "rest"})


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

    def expand(self, text: str) -> Iterator[tuple[str, float]]:
        """Yield (other name, weight) for every name found in the text, at most 5 words long."""
        words = "".join(char if char.isalnum() or char in "-_/." else " " for char in text).split()
        seen: set[tuple[str, ...]] = set()
        for size in range(min(self._longest, 5), 0, -1):
            for start in range(len(words) - size + 1):
                written = " ".join(words[start : start + size]).strip(".")
                if size == 1 and _is_ordinary(written):
                    continue
                name = fold(written)
                for group in self._groups.get(name, ()):
                    if group not in seen:
                        seen.add(group)
                        yield from ((other, ALIAS_WEIGHT) for other in group if fold(other) != name)


def _is_ordinary(word: str) -> bool:
    """True for a word in small letters that is more likely English than a symbol: app, jun, th, clock, brown."""
    return word.islower() and word.isalpha() and (len(word) <= 3 or word in _ORDINARY)


def load_aliases(extra: Path | None = None) -> AliasTable:
    """Return the names that ship with Locus and those of a file of the same form.

    Args:
        extra: Tab-separated lines, each the names of one thing; lines that begin with # are skipped. The columns
            "Symbol" and "Synonyms" of NCBI's gene_info, cut out and with | replaced by tabs, fit.

    Raises:
        SettingsError: If the file cannot be read.
    """
    groups = _groups(files("knowledge").joinpath("aliases.tsv").read_text(encoding="utf-8"))
    if extra is not None:
        try:
            groups += _groups(extra.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"LOCUS_GENE_ALIASES is {extra}, which cannot be read as UTF-8 text.") from error
    return AliasTable(groups)


def _groups(text: str) -> list[tuple[str, ...]]:
    lines = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    groups = (tuple(name.strip() for name in line if name.strip() not in {"", "-"}) for line in lines)
    return [group for group in groups if len(group) > 1]
