"""What Locus says only in Matrix: sentences about how an answer is shown there."""

from __future__ import annotations

SOURCES = "Sources"
CLOSEST = "Closest documents"
PAGE = "Answer with its passages"
GOES_ON = "The rest is shown when the answer is complete."
REFERENCE = "Reference"


def rest_in_file(name: str) -> str:
    """Below the beginning of an answer that is too long for a room."""
    return f"The answer is too long for a chat: all of it is in the file {name}."


def more_sources(count: int) -> str:
    """Below the sources that are shown."""
    return f"… and {count:,} more"
