"""Answers that were given: what a person may still do with one, by its handle."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from bot.evidence import Answer, CitedPassage
from bot.messages import Place
from bot.ports import PUBLIC_SCOPE


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
        rests_on: Scopes of what the answer rests on: of the passages it cites, and of the answers before it that it may
            refer to. None where that is not known: it may rest on all that was searched.
        again_of: The request whose question this is once more, or "".
        revision: Number of the index's revision it was made from; 0 where that is not known.
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
    rests_on: tuple[str, ...] | None = None
    again_of: str = ""
    revision: int = 0

    @property
    def original(self) -> str:
        """The request that asked this question first."""
        return self.again_of or self.request_id

    @property
    def public(self) -> bool:
        """True when it rests on nothing but what everybody may see."""
        return set(self.scopes if self.rests_on is None else self.rests_on) <= {PUBLIC_SCOPE}


def new_handle() -> str:
    """Return a handle that cannot be guessed (128 bits)."""
    return secrets.token_urlsafe(16)
