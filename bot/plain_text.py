"""Text from people and documents, made safe to search with and to print."""

from __future__ import annotations

import re

# Terminal escape sequences, then control, zero-width, direction and surrogate characters.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
# What `without_controls` leaves, and people cannot see: soft hyphens, fillers, separators of lines, tags, half marks.
_INVISIBLE = re.compile(
    "[\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2028\u2029\u206a-\u206f\u3164\ufe00-\ufe0e\uffa0\ufff0-\uffff"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def without_controls(text: str) -> str:
    """Return `text` with escape sequences and control characters replaced by spaces; tabs and line ends stay."""
    return _CONTROLS.sub(" ", _ESCAPES.sub(" ", text))


def clean(text: str) -> str:
    """Return `text` without control, direction, zero-width and other invisible characters and lone surrogates."""
    text = _INVISIBLE.sub(" ", text.replace("\r\n", "\n").replace("\t", "    ").replace("\u00ad", ""))
    return without_controls(text)


def one_line(text: str) -> str:
    """Return cleaned text as one line without double blanks."""
    return " ".join(clean(text).split())


def shortened(text: str, limit: int) -> str:
    """Return at most `limit` characters of a text, with an ellipsis at a word's end where it goes on."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 2]
    words = kept.rsplit(None, 1)[0]
    return f"{words if len(words) > limit // 2 else kept} …"
