"""Whether the documents answer a question by now: retrieval and judgement alone, no model, nothing kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.agent.cards import AnswerCard, cited_passages, number_passages
from bot.agent.quoting import quote_answer
from bot.evidence import Answer, CitedPassage, Evidence


@dataclass(frozen=True, slots=True)
class Judged:
    """What the documents say to a question now.

    Attributes:
        answer: In their words, or a refusal.
        passages: Behind the citations of an answer.
        found: Handles of all passages that were found, those that are quoted among them.
    """

    answer: Answer
    passages: tuple[CitedPassage, ...]
    found: tuple[str, ...]

    @property
    def rests_on(self) -> tuple[str, ...]:
        """Scopes of what the answer cites."""
        return tuple(sorted({passage.scope for passage in self.passages}))

    def better_than(self, known: Sequence[str] | None) -> bool:
        """True where this is an answer that was not there before.

        Args:
            known: Handles of the passages that were found when the earlier answer was judged to be bad: as long as
                nothing else is quoted, the documents were not mended. None where there was no answer.
        """
        if not self.answer.answered or not self.passages:
            return False
        return known is None or any(passage.passage_id not in known for passage in self.passages)


def judge(question: str, evidence: Evidence, scopes: Sequence[str], *, threshold: float) -> Judged:
    """Return what the evidence says to a question; `threshold` as of `bot.agent.quoting.quote_answer`."""
    answer = quote_answer(question, evidence, threshold=threshold)
    card = AnswerCard(answer, question, (), tuple(scopes), number_passages(evidence.passages))
    passages = cited_passages(card) if answer.answered else ()
    return Judged(answer, passages, tuple(passage.passage_id for passage in evidence.passages))
