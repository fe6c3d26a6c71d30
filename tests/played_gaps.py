"""Questions of some weeks that found no good answer, played into a store through the parts that keep them."""

from __future__ import annotations

import dataclasses

from bot.agent.judging import Judged
from bot.application import Application
from bot.given import GivenAnswer
from bot.mending.gap_questions import GapQuestions
from bot.mending.leading import Lead
from bot.messages import Audience, IncomingMessage, Place, Sender, request_id
from bot.ports import PUBLIC_SCOPE
from bot.requests import Request
from bot.store.client import Store
from bot.store.feedback import Feedback
from bot.store.gap_states import GapStates
from bot.store.gaps import Unanswered
from bot.store.given_answers import GivenAnswers
from bot.store.inbox import Inbox
from bot.store.leader import Leader
from tests.opinions import FakeClock

DAY_S = 86_400
PLACE = Place("slack", "T1", "C024BE91L", "", Audience.PUBLIC)
PRIVATE = dataclasses.replace(PLACE, channel="D01", audience=Audience.DIRECT)
ASKED = (  # days ago, and what
    (24.0, "How do I export a heat map of eigengenes as SVG?"),
    (17.2, "Can I export the heat map of eigengenes as an SVG file?"),
    (3.1, "how to export heat map eigengenes SVG"),
    (12.4, "Which antibody was used for the western blots of the old liver samples?"),
    (2.3, "What antibody was used in the western blots of old liver?"),
    (9.0, "At which temperature was the mouse room kept in 2019?"),
    (6.5, "Who orders new mice on Fridays?"),
    (1.2, "What is the BXD family?"),
)
BAD = (5.0, "What is a LOD score?", "It should say from which LOD on a QTL counts.")
GAP = request_id(PLACE, "played-0")  # a question of the largest gap
ASIDE = "Who orders new mice on Fridays?"


async def play_gaps(store: Store, application: Application, *, now: float) -> None:
    """Play them; what the documents answer by now is found by asking again, as the service does."""
    clock = FakeClock(now)
    unanswered = Unanswered(store, days=90, clock=clock)
    feedback = Feedback(store, days=90, limit=100, clock=clock)
    states, inbox = GapStates(store, days=90, clock=clock), Inbox(store)
    given = GivenAnswers(store, days=90, clock=clock)
    for number, (days, question) in enumerate(ASKED):
        clock.now = now - days * DAY_S
        request = _request(number, question, PLACE)
        refused = await _refused(application, question)
        await store.transaction(*await unanswered.keep(request, refused.answer, (PUBLIC_SCOPE,)))
        if question == ASIDE:
            await states.put_aside(
                [request.request_id], "Belongs on the wall of the mouse room, not into the documents."
            )
    request = _request(90, "Is my grant renewed?", PRIVATE)
    refused = await _refused(application, request.message.text)
    await store.transaction(*await unanswered.keep(request, refused.answer, (PUBLIC_SCOPE, "channel-x")))
    await _vote(store, application, given, feedback, clock, now)
    clock.now = now - DAY_S / 24
    leader = Leader(store, "looking-again", "played")
    await leader.acquire()
    questions = GapQuestions(application, unanswered, feedback, states, clock=clock)
    while await questions.ask(await application.signature(), Lead(leader, leader.fence or 0, inbox)):
        pass
    await leader.resign()


async def _vote(
    store: Store,
    application: Application,
    given: GivenAnswers,
    feedback: Feedback,
    clock: FakeClock,
    now: float,
) -> None:
    days, question, comment = BAD
    clock.now = now - days * DAY_S
    judged = await application.ask_again(question, scopes=(PUBLIC_SCOPE,))
    answer = GivenAnswer(
        "played-gap-000001",
        "r90",
        PLACE,
        "asker",
        question,
        judged.answer,
        judged.passages,
        (PUBLIC_SCOPE,),
        clock.now,
    )
    await store.transaction(*given.keep(answer))
    await feedback.vote(answer, "judge", "down", comment)


async def _refused(application: Application, question: str) -> Judged:
    """Return what the documents say, as a refusal that names the closest ones."""
    judged = await application.ask_again(question, scopes=(PUBLIC_SCOPE,))
    citations = judged.answer.citations
    return dataclasses.replace(judged, answer=dataclasses.replace(judged.answer, answered=False, citations=citations))


def _request(number: int, question: str, place: Place) -> Request:
    asked = IncomingMessage(place, Sender("slack", "T1", f"U{number}"), f"played-{number}", question, float(number))
    return Request(asked.request_id, asked)
