"""A text that grows, as standard Markdown in pieces that are appended one after the other."""

from __future__ import annotations

import re

from adapters.slack.text import escape, guarded_lines, harmless
from bot.plain_text import clean

_MAX_WORD = 1000  # characters that are held back for the end of their word; a longer one is shown in pieces
_TOKEN = re.compile(r"\s+|\S+")
_NUMBER = re.compile(r"\d{1,3}[.)]")
_HEADING = re.compile(r"#{1,6}")
_BULLETS = frozenset("-*+•")


class StreamText:
    """Makes a text safe to append to a stream of Slack's, however the text is cut.

    What it returns, put together, is the same for every cut. Words are held back until they are complete, since only a
    whole word shows whether it is an address or a mention. Of markup it keeps lists and headings; the complete answer,
    which follows, is rendered with all of it.
    """

    def __init__(self) -> None:
        self._held = ""
        self._blank = ""  # to be written before the next word
        self._begins = True  # nothing of this line but the mark of a list is written
        self._marked = False  # and that is

    def feed(self, piece: str) -> str:
        """Take more text and return what can be appended now, which may be nothing."""
        text = self._held + piece.replace("\x1b", " ")  # terminal sequences may span words: their letters stay
        words = _TOKEN.findall(text)
        self._held = words.pop() if words and not words[-1].isspace() else ""
        while len(self._held) > _MAX_WORD:
            words.append(self._held[:_MAX_WORD])
            words.append(" ")
            self._held = self._held[_MAX_WORD:]
        return "".join(map(self._written, words))

    def finish(self) -> str:
        """Return the rest; the text is complete."""
        word, self._held = self._held, ""
        return self._written(word) if word else ""

    def _written(self, token: str) -> str:
        if token.isspace():
            lines = token.count("\n")
            if lines:
                self._blank = "\n" * min(2, self._blank.count("\n") + lines)
            elif not self._blank:
                self._blank = " "
            return ""
        if len(token) > _MAX_WORD:
            return self._written(token[:_MAX_WORD]) + self._written(" ") + self._written(token[_MAX_WORD:])
        shown = clean(token)
        if shown != token:  # invisible characters have become blanks
            return "".join(self._written(part) for part in _TOKEN.findall(shown))
        before, self._blank = self._blank, ""
        if "\n" in before:
            self._begins, self._marked = True, False
        return (before if not self._begins or "\n" in before or self._marked else "") + self._word(token)

    def _word(self, word: str) -> str:
        if not self._begins:
            return escape(harmless(word))
        if not self._marked and (mark := _mark(word)):
            self._marked = True
            return mark
        self._begins = False
        return escape(guarded_lines(harmless(word)))


def _mark(word: str) -> str:
    """Return what a list or heading begins with in Markdown, or "" for a word that is none."""
    if word in _BULLETS:
        return "-"
    if _HEADING.fullmatch(word):
        return "###"
    return word.replace(")", ".") if _NUMBER.fullmatch(word) else ""
