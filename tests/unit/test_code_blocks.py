"""Code in a text of an answer."""

from __future__ import annotations

import io

from rich.console import Console

from bot.cli.render import print_answer
from bot.code_blocks import split_code
from bot.evidence import Answer

QUERY = 'FILTER (lcase(str(?family)) = "reference populations (replicate average, se, n)")'


def test_code_is_told_from_the_text_around_it() -> None:
    """Nothing is lost, and a fence that is never closed is text."""
    text = f"Before.\n\n```sparql\n{QUERY}\n```\n\nAfter.\n```\nopen"

    assert [("Before.\n\n", False), (f"```sparql\n{QUERY}\n```\n", True), ("\nAfter.\n```\nopen", False)] == list(
        split_code(text)
    )
    assert [] == list(split_code(""))


def test_a_query_can_be_copied_from_a_narrow_terminal() -> None:
    """Lines of code are not broken; others are."""
    file = io.StringIO()
    console = Console(file=file, width=40)
    print_answer(console, Answer("q", f"{'word ' * 20}\n\n```sparql\n{QUERY}\n```", "live", True, (), 1.0))

    assert QUERY in file.getvalue()
    assert max(len(line) for line in file.getvalue().splitlines() if "word" in line) <= 40
