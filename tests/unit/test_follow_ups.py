"""Questions that stand alone, and follow-ups made complete."""

from __future__ import annotations

import pytest

from bot.agent.follow_ups import accept, rewrite_follow_up, stands_alone
from bot.agent.prompts import load_examples, system_prompt
from bot.errors import BusyError
from bot.messages import Turn
from tests.scripted_model import Reply, ScriptedModel

HISTORY = (
    Turn("user", "What is the BXD family?"),
    Turn("assistant", "A set of recombinant inbred mouse strains from C57BL/6J and DBA/2J [1]."),
)


@pytest.mark.parametrize(
    "question",
    [
        "What is the BXD family of mouse strains?",
        "How do I map a QTL on chromosome 3?",
        "What does LRS mean?",
        "What is interval mapping?",
        "Explain heritability",
        "Is it possible to download the genotype file of a cross?",
        "How is it possible to upload my phenotype data?",
        "Are there any expression datasets for the hippocampus?",
        "Where can I find the genes that control body weight?",
        "Which tissues are sampled in the HXB rats?",
        "How many permutations give a significance threshold?",
        "Brca2 expression?",
    ],
)
def test_questions_that_stand_alone_are_told(question: str) -> None:
    """They name what they ask about; a word that only fills a place points at nothing."""
    assert stands_alone(question, HISTORY)


@pytest.mark.parametrize(
    "question",
    [
        "How many are there?",
        "and for rats?",
        "What about the liver?",
        "Why?",
        "How were they bred?",
        "Which of those strains is the oldest?",
        "What is its LRS?",
        "Is that true for females as well?",
        "Can you tell me more?",
        "Where is this described?",
        "And in the HXB rats?",
        "Which one is larger?",
        "How many strains?",
        "Do the others have genotypes?",
        "What did the former show?",
    ],
)
def test_follow_ups_are_told(question: str) -> None:
    """They point back, go on, or say too little; without history each stands alone."""
    assert not stands_alone(question, HISTORY)
    assert stands_alone(question, ())


@pytest.mark.parametrize(
    ("written", "accepted"),
    [
        ("How many BXD strains are there?", True),
        ('  Rewritten question: "How many BXD strains are there?"\nBecause ...', True),
        ("", False),
        ("What is the weather today?", False),
        ("How many CXB strains are there?", False),
        ("How many of the 140 BXD strains are there?", False),
        ("How many BXD strains <script>?", False),
        ("See https://evil.example/BXD strains", False),
        ("BXD " * 100, False),
    ],
)
def test_only_the_question_made_complete_is_taken(written: str, accepted: bool) -> None:
    """What is empty, unrelated, long or brings in names, numbers and links leaves the question as it is."""
    expected = "How many BXD strains are there?" if accepted else "How many are there?"

    assert expected == accept(written, "How many are there?", HISTORY)


async def test_rewriting_is_one_short_call_without_randomness() -> None:
    """The model sees the conversation as data, and its own call is reported."""
    model = ScriptedModel(["How many BXD strains are there?"])
    text, call = await rewrite_follow_up(model, "How many are there?", HISTORY, user="ann", deadline_s=5)
    request = model.requests[0]

    assert "How many BXD strains are there?" == text
    assert call is not None
    assert ("rewrite", request) == (call.purpose, call.request)
    assert (0.0, 60, "ann", 5, ()) == (
        request.sampling.temperature,
        request.sampling.max_tokens,
        request.user,
        request.deadline_s,
        request.tools,
    )


async def test_a_model_that_fails_leaves_the_question() -> None:
    """The answer goes on without the rewriting."""
    model = ScriptedModel([Reply(error=BusyError("Too many questions."))])

    assert ("and rats?", None) == await rewrite_follow_up(model, "and rats?", HISTORY, user="", deadline_s=5)


def test_prompt_styles_show_no_one_or_all_examples() -> None:
    """The examples come from files, in their order."""
    examples = load_examples()
    few = system_prompt("few")

    assert [0, 1, len(examples)] == [system_prompt(style).count("\nQuestion:") for style in ("zero", "one", "few")]
    assert len(examples) > 2
    assert sorted(few.index(example) for example in examples) == [few.index(example) for example in examples]
