"""From sampled tokens to pieces of text: bytes to characters, stop strings, then thoughts and tool calls apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.generation import Text, Thought, ToolCall

_MARK = "\N{REPLACEMENT CHARACTER}"
_SEQUENCE_BYTES = (1,) * 12 + (2, 2, 3, 4)  # by the upper half of the first byte


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
        self._decoder = _Decoder()
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
        rest = "" if self.stopped else self._held + self._decoder.finish()
        events = self._parser.feed(rest) if rest else []
        more, calls = self._parser.finish()
        return [*events, *more], calls


class _Decoder:
    """UTF-8 as llama.cpp's grammars count it: a sequence of bytes that is no character becomes one mark.

    Python would make one mark of each of its bytes, and a string that kept to its grammar would be too long.
    """

    def __init__(self) -> None:
        self._held = b""

    def decode(self, data: bytes) -> str:
        """Return the characters that are complete."""
        self._held += data
        text = ""
        while self._held and len(self._held) >= (length := self._first()):
            text += self._held[:length].decode("utf-8", "replace")[0] if length > 1 else self._single()
            self._held = self._held[length:]
        return text

    def finish(self) -> str:
        """Return a mark for a character that was not completed."""
        rest, self._held = self._held, b""
        return _MARK if rest else ""

    def _first(self) -> int:
        """Length of the first sequence; cut short where a byte does not belong to it."""
        whole = _SEQUENCE_BYTES[self._held[0] >> 4]
        return next((at for at in range(1, min(whole, len(self._held))) if self._held[at] >> 6 != 0b10), whole)

    def _single(self) -> str:
        return chr(self._held[0]) if self._held[0] < 128 else _MARK


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
