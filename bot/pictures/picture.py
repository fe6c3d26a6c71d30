"""A drawn picture, with all that a chat needs to show it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.attachments import Attachment
from bot.plain_text import one_line, shortened

MAX_WIDTH = 1600  # pixels
MAX_BYTES = 300_000  # of the file
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_CHARS = 60


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG file.

    Attributes:
        png: The file.
        width: In pixels.
        height: In pixels.
        alt: What is to be seen, in words, with the figures that matter.
        title: What stands above it.
        caption: One sentence that says how to read it.
    """

    png: bytes
    width: int
    height: int
    alt: str
    title: str
    caption: str

    def attachment(self, name: str) -> Attachment:
        """Return the file for an answer; of `name` only what is safe in a file name is used."""
        return Attachment(f"{safe_name(name)}.png", "image/png", self.png, self.alt, self.caption)


def safe_name(name: str) -> str:
    """Return a file name without an ending: letters, digits, dots, dashes and underscores."""
    return _UNSAFE.sub("_", one_line(name)).strip("._")[:_NAME_CHARS] or "picture"


def label(text: str, limit: int) -> str:
    """Return a text from outside as one line of at most `limit` characters."""
    return shortened(one_line(text), limit)
