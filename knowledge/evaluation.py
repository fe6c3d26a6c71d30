"""Measuring retrieval and answers on questions with known answers (`locus eval`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.errors import InvalidRequestError, NotFoundError
from bot.evidence import Answer, Passage
from bot.history import HistoryTurn
from bot.messages import Turn
from knowledge.terms import extract_terms

FACT_SHARE = 0.6  # share of a fact's words that an answer must hold
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


class EvalQuestion(BaseModel):
    """One line of a questions file; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")
    id: str
    question: str
    kind: str = "lookup"
    answerable: bool = True
    history: list[HistoryTurn] = Field(default_factory=list)
    gold_docs: list[str] = Field(default_factory=list)
    alt_docs: list[str] = Field(default_factory=list)
    gold_quote: str = ""
    key_facts: list[str] = Field(default_factory=list)

    def turns(self) -> tuple[Turn, ...]:
        """The conversation before the question."""
        return tuple(turn.turn() for turn in self.history)


def load_questions(path: Path) -> list[EvalQuestion]:
    """Read a questions file, one JSON object a line.

    Raises:
        NotFoundError: If there is no such file.
        InvalidRequestError: If a line is no question; names file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no questions file {path}: check the spelling.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"The questions file {path} cannot be read as UTF-8 text.") from error
    questions: list[EvalQuestion] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            questions.append(EvalQuestion.model_validate_json(line))
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"])
            raise InvalidRequestError(f"{path}, line {number}: {where} {problem['msg'].lower()}.") from error
    if not questions:
        raise InvalidRequestError(f"The questions file {path} holds no question.")
    return questions


class Outcome(BaseModel):
    """What one question gave."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    question: EvalQuestion
    passages: tuple[Passage, ...]
    answer: Answer

    @property
    def rank(self) -> int | None:
        """Rank (from 1) of the first passage that is a hit."""
        return next((n for n, passage in enumerate(self.passages, 1) if is_hit(self.question, passage)), None)

    @property
    def facts_found(self) -> list[bool]:
        """Whether each key fact stands in the answer."""
        return [self.answer.answered and holds_fact(self.answer.text, fact) for fact in self.question.key_facts]


def _folded(text: str) -> str:
    return " ".join(text.split())


def is_hit(question: EvalQuestion, passage: Passage) -> bool:
    """True for a passage from a gold or alternative document, or one that contains the gold quote."""
    gold = {*question.gold_docs, *question.alt_docs}
    if any(home.source in gold for home in passage.homes):
        return True
    quote = _folded(question.gold_quote)
    return bool(quote) and quote in _folded(passage.text)


def holds_fact(answer: str, fact: str) -> bool:
    """True when the answer holds all numbers of the fact and `FACT_SHARE` of its words (stems, stop words aside).

    A mechanical judge: a paraphrase in other words counts as missing, so the share it gives is a lower bound.
    """
    numbers = set(_NUMBER.findall(fact))
    if not numbers <= set(_NUMBER.findall(answer)):
        return False
    wanted = _words(fact)
    return not wanted or len(wanted & _words(answer)) >= FACT_SHARE * len(wanted)


def _words(text: str) -> set[str]:
    terms = extract_terms(text)
    return {*terms.stems, *(term for term in terms.exact if any(char.isdigit() for char in term))}


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Area under the ROC curve: the chance that a positive lies above a negative, ties counting half."""
    if not positive or not negative:
        return None
    wins = sum((above > below) + 0.5 * (above == below) for above in positive for below in negative)
    return wins / (len(positive) * len(negative))


class Scores(BaseModel):
    """Figures over a set of questions; None where the set holds no such question."""

    questions: int
    answerable: int
    recall_at_1: float | None
    recall_at_5: float | None
    recall_at_10: float | None
    mrr: float | None
    key_facts: float | None
    auroc: float | None
    answered_of_answerable: float | None
    refused_of_unanswerable: float | None


def score(outcomes: Sequence[Outcome]) -> Scores:
    """Return the figures over some outcomes."""
    good = [outcome for outcome in outcomes if outcome.question.answerable]
    bad = [outcome for outcome in outcomes if not outcome.question.answerable]
    ranks = [outcome.rank for outcome in good]
    facts = [found for outcome in good for found in outcome.facts_found]

    def recall(k: int) -> float | None:
        return _mean(rank is not None and rank <= k for rank in ranks)

    return Scores(
        questions=len(outcomes),
        answerable=len(good),
        recall_at_1=recall(1),
        recall_at_5=recall(5),
        recall_at_10=recall(10),
        mrr=_mean(1 / rank if rank else 0.0 for rank in ranks),
        key_facts=_mean(facts),
        auroc=auroc([one.answer.confidence for one in good], [one.answer.confidence for one in bad]),
        answered_of_answerable=_mean(one.answer.answered for one in good),
        refused_of_unanswerable=_mean(not one.answer.answered for one in bad),
    )


def by_kind(outcomes: Sequence[Outcome]) -> dict[str, Scores]:
    """Return the figures of each kind of question, kinds in alphabetical order."""
    kinds = sorted({outcome.question.kind for outcome in outcomes})
    return {kind: score([one for one in outcomes if one.question.kind == kind]) for kind in kinds}


def _mean(values: Iterable[float]) -> float | None:
    items = list(values)
    return sum(items) / len(items) if items else None
