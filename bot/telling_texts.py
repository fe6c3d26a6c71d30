"""What the bot says about telling people later."""

from __future__ import annotations

from collections.abc import Sequence


def how_to_be_told() -> str:
    """Below a refusal."""
    return 'Write "tell me" here to be told when the documents answer it.'


def will_tell(days: float, *, elsewhere: bool = False) -> str:
    """After `tell me`.

    Args:
        days: How long that holds.
        elsewhere: True where it was typed beside the conversation in which the question was asked.
    """
    whole = max(1, round(days))
    kept = "a day" if whole == 1 else f"{whole:,} days"
    where = "where you asked it" if elsewhere else "here"
    return (
        f"I will tell you {where} when the documents answer it; whoever reads along there sees the answer too. I "
        f'remember this for {kept}; "don\'t tell me" withdraws it.'
    )


def nothing_to_tell() -> str:
    """`tell me` where the person has no question without a good answer."""
    return (
        "I know no question of yours here that the documents did not answer. Say it in the conversation where you "
        "asked it, or first vote the answer down if it was a bad one."
    )


def told_no_more(count: int) -> str:
    """After `don't tell me`."""
    if count == 0:
        return "I was not going to tell you anything here."
    questions = "your question" if count == 1 else f"your {count:,} questions"
    return f"I will not come back to {questions} here."


def answered_now(answers: Sequence[tuple[str, str]]) -> str:
    """What is posted when the documents answer what was asked: questions with their answers, as Markdown.

    Args:
        answers: Each question, on one line and without markers of citations, with its answer.
    """
    heading = "The documents answer now what was asked here."
    return "\n\n".join([heading, *(f"> {question}\n\n{answer}" for question, answer in answers)])
