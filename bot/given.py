"""Answers that were given: what a person may still do with one, by its handle."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from bot.evidence import Answer, CitedPassage
from bot.messages import Place


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer as a chat shows it, with what is needed to check who may press its buttons.

    Attributes:
        handle: Random; the only thing that buttons and reactions carry.
        request_id: The request it answers; the reference people see.
        place: Where it stands.
        person_id: Who asked.
        question: As asked.
        answer: As given.
        passages: The cited passages.
        scopes: What was searched.
        given_at: Seconds since 1970, UTC.
    """

    handle: str
    request_id: str
    place: Place
    person_id: str
    question: str
    answer: Answer
    passages: tuple[CitedPassage, ...]
    scopes: tuple[str, ...]
    given_at: float


def new_handle() -> str:
    """Return a handle that cannot be guessed (128 bits)."""
    return secrets.token_urlsafe(16)
