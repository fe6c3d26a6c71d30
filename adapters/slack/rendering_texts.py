"""What Locus says only in Slack: labels of buttons and sentences about how an answer is shown there."""

from __future__ import annotations

SOURCES = "Sources"
CLOSEST = "Closest documents"
PAGE = "Answer with its passages"
GOOD = "👍"
BAD = "👎"
PASSAGES = "Show passages"
AGAIN = "Ask again"
HAND_OVER = "Ask a person"
STOP = "Stop"
GOES_ON = "The rest is shown when the answer is complete."


def rest_in_file(name: str) -> str:
    """Below the beginning of an answer that is too long for a thread."""
    return f"The answer is too long for a chat: all of it is in the file {name}."


def more_sources(count: int) -> str:
    """Below the sources that are shown."""
    return f"… and {count:,} more"


def reference(handle: str) -> str:
    """Before the handle of a request that a person may need; `handle` is markup already."""
    return f"Reference {handle}"
