"""Questions in a digest's thread that point at one of its datasets: "2", "number 2", "the second one"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from bot.digest_memory import remembered_datasets
from bot.live.lookups import DatasetLookup
from bot.messages import Turn

MAX_WORDS: Final = 12
_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_WORDS: Final = "|".join((*_ORDINALS, "last"))
_WHOLE: Final = re.compile(
    rf"(?:(?:and|what about|more about|more on|about|describe|open) )?(?:the )?(?P<place>\d{{1,3}}|{_WORDS})",
    re.IGNORECASE,
)
_WITHIN: Final = re.compile(
    rf"(?:#|\b(?:number|no\.|nr\.|dataset) ?)(?P<number>\d{{1,3}})\b"
    rf"|\bthe (?P<ordinal>{_WORDS}) (?:one|dataset|of (?:them|these|those))\b",
    re.IGNORECASE,
)


def pointed_at(text: str, history: Sequence[Turn]) -> DatasetLookup | None:
    """Return the dataset of the thread's digest that a question points at, or None.

    Args:
        text: The question without polite words and punctuation at its end.
        history: Earlier turns, oldest first.
    """
    if len(text.split()) > MAX_WORDS:
        return None
    place = _place(text)
    if not place:
        return None
    digests = (remembered_datasets(turn.content) for turn in reversed(history) if turn.role == "assistant")
    datasets = next(filter(None, digests), ())
    index = len(datasets) if place < 0 else place
    return DatasetLookup(datasets[index - 1]) if 0 < index <= len(datasets) else None


def _place(text: str) -> int:
    """Return the place from 1 that a question names, -1 for the last; 0 where it names none."""
    whole = _WHOLE.fullmatch(text)
    if whole is not None:
        word = whole["place"].lower()
    else:
        within = _WITHIN.search(text)
        if within is None:
            return 0
        word = (within["number"] or within["ordinal"]).lower()
    if word.isdigit():
        return int(word)
    return -1 if word == "last" else _ORDINALS.index(word) + 1
