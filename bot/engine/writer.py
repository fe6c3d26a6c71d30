"""From sampled tokens to pieces of text: bytes to characters, stop strings, then thoughts and tool calls apart."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Protocol

from bot.generation import Text, Thought, ToolCall


class Parser(Protocol):
    """Tells thoughts, text and tool calls apart (`bot.engine.output_parser`)."""

    def feed(self, piece: str) -> list[Text | Thought]:
        """Return what is certain so far."""
        ...

    def finish(self) -> tuple[list[Text | Thought], list[ToolCall]]:
        """Return what was held back, and the calls."""
        ...


class TextWriter:
    """The text of one generation, as it grows."""

    def __init__(self, parser: Parser, stop: Sequence[str]) -> None:
        self._parser = parser
        self._stop = tuple(text for text in stop if text)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stopped = False

    def write(self, data: bytes) -> list[Text | Thought]:
        """Add the bytes of a token; sets `stopped` when a stop string is complete."""
        if self.stopped:
            return []
        self._held += self._decoder.decode(data)
        found = min((at for text in self._stop if (at := self._held.find(text)) >= 0), default=-1)
        if found >= 0:
            self.stopped = True
            certain, self._held = self._held[:found], ""
        else:
            keep = max((_overlap(self._held, text) for text in self._stop), default=0)
            certain, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return self._parser.feed(certain) if certain else []

    def finish(self) -> tuple[list[Text | Thought], list[ToolCall]]:
        """End the text; what might have become a stop string is text after all."""
        rest = "" if self.stopped else self._held + self._decoder.decode(b"", final=True)
        events = self._parser.feed(rest) if rest else []
        more, calls = self._parser.finish()
        return [*events, *more], calls


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
