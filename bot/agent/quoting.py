"""Quoting mode: an answer made of the one to four sentences that answer, each with its source.

Nothing is written that does not stand in a document. The retriever says how relevant and how quotable each sentence
is; here the best are chosen, completed where they would not read well alone, and put in an order that reads as text.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

from bot.agent.cards import AnswerCard, CardStore, keep_card, number_passages
from bot.agent.citations import cite
from bot.evidence import Answer, Citation, Evidence, Passage, Sentence
from bot.ports import Asked
from bot.texts import refusal

MAX_QUOTES = 4
MAX_CHARS = 900  # of all quotes together; a single longer sentence is still quoted whole
KEEP_RATIO = 0.72  # a further sentence must reach this share of the best one's relevance
SAME_PASSAGE_RATIO = 0.6  # and this one beside a quote from the same passage
DUPLICATE_OVERLAP = 0.6  # share of common words above which two sentences say the same
CLOSEST_DOCUMENTS = 3  # listed with a refusal
LIST_CHARS = 400  # of the items that follow a quoted sentence ending in a colon

_POINTING = re.compile(r"(It|Its|This|These|Those|They|Their|He|She|Such|However|Therefore|Thus|Also)\b")
_WORD = re.compile(r"[^\W_]+")


@dataclass(slots=True)
class Quote:
    """A sentence chosen for the answer; `passage` and `position` say where it stands."""

    passage: int
    position: int
    text: str


def choose_quotes(passages: Sequence[Passage]) -> list[Quote]:
    """Return the sentences to quote, in reading order: by passage in order of its best sentence, then by position."""
    ranked = sorted(
        (
            (sentence, number)
            for number, passage in enumerate(passages)
            for sentence in passage.sentences
            if sentence.quotable
        ),
        key=lambda pair: -pair[0].relevance,
    )
    chosen: list[Quote] = []
    order: list[int] = []
    for sentence, number in ranked:
        ratio = SAME_PASSAGE_RATIO if number in order else KEEP_RATIO
        if chosen and sentence.relevance < ratio * ranked[0][0].relevance:
            continue
        additions = [one for one in _with_context(passages[number], number, sentence) if not _said(one, chosen)]
        size = sum(len(one.text) for one in (*chosen, *additions))
        if not additions or len(chosen) + len(additions) > MAX_QUOTES or (chosen and size > MAX_CHARS):
            continue
        chosen.extend(additions)
        if number not in order:
            order.append(number)
        if len(chosen) == MAX_QUOTES:
            break
    return sorted(chosen, key=lambda one: (order.index(one.passage), one.position))


def _with_context(passage: Passage, number: int, sentence: Sentence) -> list[Quote]:
    """The sentence, before it the one it points back to, behind it the list it announces."""
    text = f"`{sentence.text.strip()}`" if sentence.kind == "code" else shown(sentence.text)
    quotes = [Quote(number, sentence.position, text)]
    if _POINTING.match(sentence.text) and sentence.position > 0:
        before = passage.sentences[sentence.position - 1]
        if before.quotable and len(before.text) < 300:
            quotes.insert(0, Quote(number, before.position, shown(before.text)))
    if sentence.text.endswith(":"):
        quotes[-1].text += _announced(passage.sentences[sentence.position + 1 :])
    return quotes


def _announced(following: Sequence[Sentence]) -> str:
    """The list or the line of code that a sentence ending in a colon announces, as running text."""
    if following and following[0].kind == "code":
        return f" `{following[0].text.strip()}`" if following[0].quotable else ""
    items: list[str] = []
    for sentence in itertools.takewhile(lambda one: one.kind == "item", following):
        if sum(map(len, items)) + len(sentence.text) > LIST_CHARS:
            break
        items.append(sentence.text.strip().rstrip(";,."))
    return f" {'; '.join(items)}." if items else ""


def _said(quote: Quote, chosen: Sequence[Quote]) -> bool:
    words = set(_WORD.findall(quote.text.lower()))
    for other in chosen:
        if (other.passage, other.position) == (quote.passage, quote.position):
            return True
        others = set(_WORD.findall(other.text.lower()))
        if len(words & others) > DUPLICATE_OVERLAP * max(1, min(len(words), len(others))):
            return True
    return False


def shown(text: str) -> str:
    """Return a sentence as it stands in an answer: without list marks, ending in a full stop."""
    text = text.strip().lstrip("-*• ").strip()
    return text if text[-1:] in ".!?:…)\"'”" else f"{text}."


def quote_answer(question: str, evidence: Evidence, *, threshold: float) -> Answer:
    """Answer from the evidence, or refuse when its confidence is below `threshold` (0 to 1)."""
    quotes = choose_quotes(evidence.passages) if evidence.confidence >= threshold else []
    if not quotes:
        return refuse(question, evidence)
    numbers: dict[tuple[str, str | None], int] = {}
    citations: list[Citation] = []
    parts: list[str] = []
    for quote in quotes:
        home = evidence.passages[quote.passage].home
        number = numbers.setdefault((home.source, home.url), len(numbers) + 1)
        if number > len(citations):
            citations.append(cite(number, home, quote.text))
        else:
            known = citations[number - 1]
            citations[number - 1] = Citation(
                known.n, known.title, known.source, known.url, f"{known.quote} {quote.text}"
            )
        parts.append(f"{quote.text} [{number}]")
    return Answer(question, " ".join(parts), "quotes", True, tuple(citations), evidence.confidence)


def refuse(question: str, evidence: Evidence) -> Answer:
    """Say that the documents do not say, with the closest documents."""
    homes = list(dict.fromkeys(passage.home for passage in evidence.passages))[:CLOSEST_DOCUMENTS]
    citations = tuple(cite(number, home, "") for number, home in enumerate(homes, start=1))
    return Answer(question, refusal(len(homes)), "quotes", False, citations, evidence.confidence)


class QuotingAnswerer:
    """Answers by quoting; needs no model. Implements `bot.ports.Answerer`."""

    def __init__(self, *, threshold: float, cards: CardStore | None = None) -> None:
        """Set up.

        Args:
            threshold: Confidence, 0 to 1, below which there is a refusal.
            cards: Where cards are kept; None keeps none.
        """
        self._threshold = threshold
        self._cards = cards

    async def rewrite(self, asked: Asked) -> Asked:
        """Leave the question as it is: retrieval completes follow-ups on its own."""
        return replace(asked, search_for=asked.question)

    async def stream(self, asked: Asked, evidence: Evidence) -> AsyncGenerator[str | Answer]:
        """Yield the answer's text and the answer; there is nothing to wait for in pieces."""
        answer = quote_answer(asked.question, evidence, threshold=self._threshold)
        yield answer.text
        answer = replace(answer, timings_ms={**evidence.timings_ms, "total": (time.monotonic() - asked.begun) * 1000})
        if self._cards is not None:
            card = AnswerCard(
                answer,
                asked.search_for or asked.question,
                asked.history,
                asked.scopes,
                number_passages(evidence.passages),
                {"answer_threshold": self._threshold},
            )
            answer = await keep_card(self._cards, card, user=asked.user)
        yield answer
