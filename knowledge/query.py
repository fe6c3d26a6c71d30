"""Understanding a question: its terms and their weights, and what earlier turns add to a follow-up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.messages import Turn
from bot.plain_text import without_controls
from bot.ports import MAX_QUESTION_CHARS
from knowledge.aliases import AliasTable
from knowledge.terms import STOP_WORDS, extract_terms, is_identifier

MAX_TERMS = 48  # terms searched for; the rarest would win anyway
HISTORY_CHARS = 600  # what is read of an earlier turn

_SPACE = re.compile(r"\s+")
_POINTING = re.compile(
    r"\b(it|its|they|them|their|theirs|that|those|this|these|he|she|his|her|one|ones|there|then|same|such|both|"
    r"the first|the second|the other|others|else|again|and)\b",
    re.IGNORECASE,
)
# Words that ask rather than name; they say little about where the answer stands.
_ASKING = frozenset(
    """many much number kind sort type mean means meaning difference different explain define definition describe tell
    know example examples work works possible way ways thing things someone anyone anything something need want help
    reminder quick please list give show find question answer""".split()
)
HISTORY_WEIGHT_POINTING = 0.55
HISTORY_WEIGHT_STANDALONE = 0.15


@dataclass(frozen=True, slots=True)
class Query:
    """A question as understood.

    Attributes:
        text: The question, cleaned.
        dense_texts: Texts to embed, with their weights; the question itself first.
        exact: Exact term -> weight (0 to 1); 1 for the question's own words.
        stems: Stem -> weight.
        identifiers: Those exact terms of the question that name one thing.
    """

    text: str
    dense_texts: tuple[tuple[str, float], ...]
    exact: dict[str, float]
    stems: dict[str, float]
    identifiers: frozenset[str]


def clean_question(text: str) -> str:
    """Return the question without control characters, white space folded, cut to `MAX_QUESTION_CHARS`."""
    return _SPACE.sub(" ", without_controls(text[: MAX_QUESTION_CHARS * 4])).strip()[:MAX_QUESTION_CHARS]


def understand(question: str, history: Sequence[Turn], aliases: AliasTable) -> Query:
    """Return the query for a question and its conversation so far."""
    text = clean_question(question)
    exact, stems = _weighted(text, 1.0)
    identifiers = frozenset(term for term in exact if is_identifier(term))
    dense: list[tuple[str, float]] = [(text, 1.0)]
    context = [clean_question(turn.content[:HISTORY_CHARS]) for turn in history[-2:]]
    if any(context):
        weight = HISTORY_WEIGHT_POINTING if needs_context(text) else HISTORY_WEIGHT_STANDALONE
        for turn in context:
            more_exact, more_stems = _weighted(turn, weight)
            _merge(exact, more_exact)
            _merge(stems, more_stems)
        dense.append((" ".join([*context, text]), weight))
    for expansion, weight in aliases.expand(text):
        more_exact, more_stems = _weighted(expansion, weight)
        _merge(exact, more_exact)
        _merge(stems, more_stems)
    return Query(text, tuple(dense), _strongest(exact), _strongest(stems), identifiers)


def needs_context(question: str) -> bool:
    """True when a question points at something said before, or is too short to stand alone."""
    terms = [term for term in extract_terms(question).stems if term not in STOP_WORDS]
    if any(is_identifier(term) for term in extract_terms(question).exact):
        return bool(_POINTING.match(question))
    return len(terms) <= 4 or bool(_POINTING.search(question))


def _weighted(text: str, weight: float) -> tuple[dict[str, float], dict[str, float]]:
    terms = extract_terms(text)
    exact = {term: weight * (0.3 if term in _ASKING else 1.0) for term in terms.exact}
    asking_stems = {stem for term in _ASKING for stem in extract_terms(term).stems}
    stems = {term: weight * (0.3 if term in asking_stems else 1.0) for term in terms.stems}
    return exact, stems


def _merge(into: dict[str, float], more: dict[str, float]) -> None:
    for term, weight in more.items():
        into[term] = max(weight, into.get(term, 0.0))


def _strongest(weights: dict[str, float]) -> dict[str, float]:
    if len(weights) <= MAX_TERMS:
        return weights
    kept = sorted(weights, key=lambda term: -weights[term])[:MAX_TERMS]
    return {term: weights[term] for term in kept}
