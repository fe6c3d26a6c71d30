"""Text from people and documents, made safe to search with and to print."""

from __future__ import annotations

import re

# Terminal escape sequences, then control, zero-width, direction and surrogate characters.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def without_controls(text: str) -> str:
    """Return `text` with escape sequences and control characters replaced by spaces; tabs and line ends stay."""
    return _CONTROLS.sub(" ", _ESCAPES.sub(" ", text))
