"""Measuring on questions with known answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.errors import InvalidRequestError, NotFoundError
from bot.evidence import Answer, Home, Passage
from knowledge.evaluation import EvalQuestion, Outcome, auroc, by_kind, holds_fact, is_hit, load_questions, score


def outcome(
    *sources: str, answered: bool = True, confidence: float = 0.9, text: str = "", **question: object
) -> Outcome:
    """An outcome with passages from these sources."""
    asked = EvalQuestion.model_validate({"id": "q", "question": "?", **question})
    passages = tuple(Passage(source, source, "", (Home(source, source, None),), 0.5) for source in sources)
    return Outcome(question=asked, passages=passages, answer=Answer("?", text, "quotes", answered, (), confidence))


def test_rank_recall_and_mrr_follow_the_first_hit() -> None:
    """The first passage from a gold document decides."""
    outcomes = [
        outcome("a", "b", gold_docs=["b"]),
        outcome("a", gold_docs=["a"]),
        outcome("x", gold_docs=["a"]),
    ]
    scores = score(outcomes)

    assert [2, 1, None] == [one.rank for one in outcomes]
    assert pytest.approx((1 / 3, 2 / 3, 0.5)) == (scores.recall_at_1, scores.recall_at_5, scores.mrr)


def test_a_passage_with_the_gold_quote_is_a_hit_wherever_it_stands() -> None:
    """White space does not matter, the document does not either."""
    question = EvalQuestion(id="q", question="?", gold_docs=["a"], gold_quote="bred  in\nPrague")
    passage = Passage("1", "They were bred in Prague.", "", (Home("elsewhere", "", None),), 0.5)

    assert is_hit(question, passage)


@pytest.mark.parametrize(
    ("answer", "fact", "expected"),
    [
        ("It was set by 2000 permutations of the strain means.", "2000 permutations of strain means", True),
        ("It was set by 1000 permutations of the strain means.", "2000 permutations of strain means", False),
        ("Rats were used.", "bred by Klaus Schughart", False),
        ("Mice were bred by Dr. Klaus Schughart.", "Klaus Schughart breeding", True),
        ("about 4.8 million SNPs", "about 4.8 million", True),
    ],
)
def test_a_fact_needs_its_numbers_and_most_of_its_words(answer: str, fact: str, expected: bool) -> None:
    """A wrong number never counts."""
    assert expected is holds_fact(answer, fact)


def test_auroc_counts_ties_as_half() -> None:
    """Two equal scores neither help nor harm."""
    assert pytest.approx(0.875) == auroc([0.9, 0.5], [0.5, 0.1])
    assert pytest.approx(0.5) == auroc([0.5], [0.5])
    assert None is auroc([], [0.5])


def test_refusals_are_counted_on_both_sides() -> None:
    """Answering the answerable and refusing the rest are two figures; facts of a refusal count as missing."""
    outcomes = [
        outcome("a", gold_docs=["a"], key_facts=["Prague"], text="Bred in Prague."),
        outcome("a", gold_docs=["a"], key_facts=["Prague"], text="Bred in Prague.", answered=False, kind="api"),
        outcome(answerable=False, answered=False, confidence=0.1),
    ]
    scores = score(outcomes)

    assert (0.5, 1.0, 0.5, 1.0) == (
        scores.answered_of_answerable,
        scores.refused_of_unanswerable,
        scores.key_facts,
        scores.auroc,
    )
    assert {"api": 1, "lookup": 2} == {kind: one.questions for kind, one in by_kind(outcomes).items()}


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    """The sentence names file, line and field."""
    path = tmp_path / "questions.jsonl"
    path.write_text(json.dumps({"id": "a", "question": "?"}) + "\n\n" + json.dumps({"id": "b"}) + "\n")

    with pytest.raises(InvalidRequestError, match=r"questions.jsonl, line 3: question field required"):
        load_questions(path)
    with pytest.raises(NotFoundError, match="There is no questions file"):
        load_questions(tmp_path / "none.jsonl")
