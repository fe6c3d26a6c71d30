"""Passages as a model reads them: numbered, fenced, and no more of them than fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bot.evidence import Passage
from bot.plain_text import without_controls

_FENCES = re.compile(r"<(?=\s*[/!?]?\s*(?:passage|summary|result)\b)", re.IGNORECASE)


def unfenced(text: str) -> str:
    """Return text from outside without control characters and without anything that opens or closes a fence."""
    return _FENCES.sub("(", without_controls(text))


def render_passage(number: int, passage: Passage) -> str:
    """Return one passage with its number and title, fenced."""
    title = unfenced(passage.home.title).replace('"', "'").replace("<", "(").replace(">", ")")
    title = " ".join(title.split())
    return f'<passage number="{number}" title="{title}">{unfenced(passage.text)}</passage>'


def render_passages(passages: Sequence[Passage], *, first: int = 1) -> str:
    """Return the passages, one below the other, numbered from `first`."""
    return "\n".join(render_passage(number, passage) for number, passage in enumerate(passages, start=first))


def fit_passages(passages: Sequence[Passage], counts: Sequence[int], budget: int) -> list[Passage]:
    """Return the best passages that fit; of the first, what fits, so that there is always one.

    Args:
        passages: Best first.
        counts: Tokens of each, rendered.
        budget: Tokens there is room for.
    """
    kept: list[Passage] = []
    for passage, count in zip(passages, counts, strict=True):
        if count > budget:
            break
        kept.append(passage)
        budget -= count
    if not kept and passages:
        share = max(0.0, budget / max(1, counts[0]))
        kept.append(replace(passages[0], text=passages[0].text[: int(len(passages[0].text) * share)]))
    return kept
