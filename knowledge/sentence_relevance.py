"""How well a single sentence of a passage answers the question, and whether it would read as an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bot.evidence import Sentence, SentenceKind
from knowledge.chunking import Unit
from knowledge.documents import BlockKind

# Weights of a sentence's measures; set on benchmarks/questions (docs/evaluation.md).
COSINE, COVER, PASSAGE, EXPECTED = 0.6, 0.4, 0.5, 0.12
BIBLIOGRAPHY_FACTOR = 0.6  # an entry of a list of references rarely answers, unless literature was asked for
MIN_WORDS = 4
MAX_QUOTE_CHARS = 700
MAX_CODE_CHARS = 160
MIN_BARS = 3

_WORD = re.compile(r"[^\W\d_]{2,}")
_NUMBER = re.compile(
    r"\d|\b(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|half|third|quarter|dozen|none)\b",
    re.IGNORECASE,
)
_YEAR = re.compile(
    r"\b(19|20)\d\d\b|\b(January|February|March|April|May|June|July|August|September|October|November|December)\b"
)
_NAME = re.compile(r"\b(Dr|Prof)\.|\b[A-Z][a-z]+ (?:[A-Z]\.? ?)*[A-Z][a-z]+\b")
_BIBLIOGRAPHY = re.compile(
    r"(\bet al\b.*\(\d{4}|^[A-Z][\w'-]+ [A-Z]{1,3}, [A-Z][\w'-]+ [A-Z]{1,3}|\bdoi:|\d+ ?\(\d+\): ?\d+|\b\d+:\d+[-–]\d+|"
    r"Full Text (PDF|HTML)|Epub \d{4})"
)
_METADATA = re.compile(
    r"^(assigned|keywords|status|priority|type|tags?|reviewers?|author|date|see also|related)\s*:", re.IGNORECASE
)
_CALL = re.compile(r"^\W{0,3}(curl|wget|GET|POST|git|https?:)\b.*\w{4}")  # a line of code that says what to call
_LINK_ONLY = re.compile(r"^\W*(https?://|www\.)\S+\W*$")
_DEBRIS = re.compile(r"(\.{4,}|_{3,}|={3,}|\\[a-z]+\{|^\W+$)")

_LITERATURE = re.compile(
    r"\b(papers?|publications?|published|references?|cite|citation|article|literature|doi|pubmed)\b", re.IGNORECASE
)
_KINDS: Mapping[BlockKind, SentenceKind] = {
    BlockKind.PARAGRAPH: "prose",
    BlockKind.ITEM: "item",
    BlockKind.ROW: "row",
    BlockKind.CODE: "code",
}

# What a question asks for, and what a sentence that answers it holds.
_EXPECTATIONS: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = (
    (
        re.compile(
            r"\b(how (many|much|long|old|often|large|big|far)|number of|what (share|fraction|dose|age|size)|n\?"
            r"|percent)",
            re.IGNORECASE,
        ),
        _NUMBER,
    ),
    (re.compile(r"\b(when|what year|which year|since when|what date)\b", re.IGNORECASE), _YEAR),
    (re.compile(r"\b(who|whom|whose|by whom)\b", re.IGNORECASE), _NAME),
)


def score_sentences(
    question: str,
    units: Sequence[Unit],
    cosines: npt.NDArray[np.float64],
    covers: npt.NDArray[np.float64],
    passage: float,
) -> tuple[Sentence, ...]:
    """Return the passage's sentences with their relevance.

    Args:
        question: The cleaned question.
        units: The passage's units.
        cosines: Cosine of question and unit, `(n_units,)`.
        covers: Share of the question's term weight in the unit, `(n_units,)`.
        passage: The passage's similarity, 0 to 1.
    """
    expected = [answer for asked, answer in _EXPECTATIONS if asked.search(question)]
    asks_literature = bool(_LITERATURE.search(question))
    sentences: list[Sentence] = []
    for position, (unit, cosine, cover) in enumerate(zip(units, cosines, covers, strict=True)):
        relevance = COSINE * float(cosine) + COVER * float(cover) + PASSAGE * passage
        if any(pattern.search(unit.text) for pattern in expected):
            relevance += EXPECTED
        if not asks_literature and _BIBLIOGRAPHY.search(unit.text):
            relevance *= BIBLIOGRAPHY_FACTOR
        sentences.append(
            Sentence(unit.text, min(1.0, relevance / TOTAL), is_quotable(unit), position, _KINDS[unit.kind])
        )
    return tuple(sentences)


TOTAL = COSINE + COVER + PASSAGE + EXPECTED


def is_quotable(unit: Unit) -> bool:
    """False for what would not read as part of an answer: table rows, code, bare links, headings, fragments."""
    text = unit.text
    if unit.kind is BlockKind.CODE:
        return len(text) <= MAX_CODE_CHARS and bool(_CALL.search(text))
    # Bars separate the cells of a table that was written as text; in a list item they separate allowed values.
    if unit.kind is BlockKind.ROW or (unit.kind is BlockKind.PARAGRAPH and text.count("|") >= MIN_BARS):
        return False
    if len(text) > MAX_QUOTE_CHARS or any(pattern.search(text) for pattern in (_LINK_ONLY, _DEBRIS, _METADATA)):
        return False
    words = _WORD.findall(text)
    if len(words) < (2 if unit.kind is BlockKind.ITEM else MIN_WORDS):
        return False
    if text[-1] in ".!?)\"'”:":
        return True
    # Without a full stop it is a sentence only if it is long enough and not written like a heading.
    capitals = sum(word[0].isupper() for word in words)
    return unit.kind is BlockKind.ITEM or (len(words) >= 7 and capitals < 0.6 * len(words))
