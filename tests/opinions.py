"""Answers, messages and opinions for tests of what is kept of them."""

from __future__ import annotations

import time
from collections.abc import Callable

from bot.chat import Vote
from bot.evidence import Answer, Citation, CitedPassage
from bot.given import GivenAnswer
from bot.messages import IncomingMessage, Place, Sender
from bot.requests import Request
from bot.store.client import Store
from bot.store.feedback import Feedback
from bot.store.given_answers import GivenAnswers

PLACE = Place("test", "W", "C1")
CITATION = Citation(1, "BXD strains", "bxd.md", "https://example.org/bxd", "crossing C57BL/6J and DBA/2J")


class FakeClock:
    """A clock that tests set."""

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Seconds since 1970."""
        return self.now


def message(message_id: str, text: str = "What is a QTL?", *, user: str = "U1", order: float = 0.0) -> IncomingMessage:
    """A message in a thread of its own, unless `order` puts it into the channel's conversation."""
    place = PLACE if order else Place("test", "W", "C1", thread=message_id)
    return IncomingMessage(place, Sender("test", "W", user, "Ada Name"), message_id, text, order or float(message_id))


def answer(
    question: str = "What is a QTL?", *, answered: bool = True, citations: tuple[Citation, ...] = (CITATION,)
) -> Answer:
    """An answer, or a refusal with the closest documents."""
    text = "It is a locus. [1]" if answered else "The documents do not say."
    return Answer(question, text, "quotes", answered, citations, 0.5, answer_id="card1")


def given(
    handle: str, question: str = "What is a QTL?", *, scopes: tuple[str, ...] = ("public",), place: Place = PLACE
) -> GivenAnswer:
    """An answer as a chat shows it."""
    passages = (CitedPassage(CITATION, "Crosses", "The strains were made by crossing C57BL/6J and DBA/2J."),)
    return GivenAnswer(
        handle, f"request-{handle}", place, "asker", question, answer(question), passages, scopes, 1_750_000_000.0
    )


def request(message_id: str, text: str = "What is a QTL?") -> Request:
    """An accepted message."""
    asked = message(message_id, text)
    return Request(asked.request_id, asked)


class AnsweredFeedback(Feedback):
    """Feedback on answers that were given a moment ago."""

    def __init__(self, store: Store, *, days: float, limit: int, clock: Callable[[], float] = time.time) -> None:
        super().__init__(store, days=days, limit=limit, clock=clock)
        self._given = GivenAnswers(store, days=days)
        self._shared = store

    async def vote(self, given: GivenAnswer, person_id: str, vote: Vote, comment: str = "") -> None:
        """Give the answer, then the opinion."""
        await self._shared.transaction(*self._given.keep(given)[:1])
        await super().vote(given, person_id, vote, comment)
