"""Names of files that are safe to show in any chat."""

from __future__ import annotations

import re
from collections.abc import Collection

from bot.plain_text import one_line

MAX_NAME = 100  # characters

_UNSAFE = re.compile(r"[^\w .()+-]+")
_ANSWER = "answer.txt"


def safe_name(name: str) -> str:
    """Return a file name of letters, digits and few signs, without folders; at most `MAX_NAME` characters."""
    shown = _UNSAFE.sub("_", one_line(re.split(r"[/\\]", name)[-1])).lstrip(". ").rstrip(". ")
    if len(shown) > MAX_NAME:
        stem, dot, ending = shown.rpartition(".")
        kept = f"{dot}{ending}" if stem and len(ending) <= 10 else ""
        shown = shown[: MAX_NAME - len(kept)] + kept
    return shown or "file"


def name_of_whole_answer(taken: Collection[str]) -> str:
    """Return a name for the file of an answer that is too long for a chat, other than those that are taken."""
    names = (_ANSWER, *(f"answer-{number}.txt" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)
