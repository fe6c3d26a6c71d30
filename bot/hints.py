"""What a person should know about the question itself: one sentence, or nothing."""

from __future__ import annotations

import re

from bot.plain_text import without_controls
from bot.ports import MAX_QUESTION_CHARS
from bot.texts import english_documents, shortened_question

_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH = frozenset(
    """a about an and any are at be by can could did do does for from get had has have how i in is it its many me much
    my not of on or please should show that the their there these they this to use used was were what when where which
    who why will with would""".split()
)
_MIN_WORDS = 4


def question_hint(question: str, *, answered: bool) -> str | None:
    """Return a sentence for a question that was cut, or refused and probably not in English; None otherwise."""
    if len(question) > MAX_QUESTION_CHARS:
        return shortened_question(MAX_QUESTION_CHARS)
    words = [word.lower() for word in _WORD.findall(without_controls(question))]
    foreign_script = any(ord(char) > 0x24F for word in words for char in word)
    if not answered and (foreign_script or (len(words) >= _MIN_WORDS and not _ENGLISH & set(words))):
        return english_documents()
    return None
