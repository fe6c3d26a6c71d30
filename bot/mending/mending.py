"""What becomes of questions without a good answer, as a part of the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.access import Access
from bot.application import Application
from bot.chat import ChatAdapter
from bot.commands.command import CommandName, Handler
from bot.commands.tell import Telling
from bot.mending.agreed_questions import AgreedQuestions
from bot.mending.gap_questions import GapQuestions
from bot.mending.looking_again import LookingAgain
from bot.mending.offering import Offerer
from bot.store.agreements import Agreements
from bot.store.client import Store
from bot.store.conversations import Conversations
from bot.store.feedback import Feedback
from bot.store.gap_states import GapStates
from bot.store.gaps import Unanswered
from bot.store.given_answers import GivenAnswers
from bot.store.inbox import Inbox
from bot.store.leader import Leader
from bot.store.person_index import PersonIndex
from bot.store.threads import JoinedThreads

ROLE = "looking-again"


@dataclass(frozen=True, slots=True)
class MendingParts:
    """What it is made of.

    Attributes:
        store: The shared state.
        inbox: Tells whether people wait.
        access: Decides who may see what.
        conversations: What was said before a question.
        given: Answers that were given.
        feedback: Opinions on them.
        unanswered: Questions that the documents did not answer.
        chat: Returns the adapter of a chat, here or in another process.
        threads: In which the bot takes part.
        page: Returns the address of an answer's page, by its handle; "" where it has none.
        days: For how long all this is kept.
    """

    store: Store
    inbox: Inbox
    access: Access
    conversations: Conversations
    given: GivenAnswers
    feedback: Feedback
    unanswered: Unanswered
    chat: Callable[[str], ChatAdapter]
    threads: JoinedThreads
    page: Callable[[str], str]
    days: float


class Mending:
    """Who wants to be told, and what is told when the documents were mended.

    Args:
        parts: What it is made of.

    Attributes:
        agreements: Who wants to be told.
        states: What became of questions.
    """

    def __init__(self, parts: MendingParts) -> None:
        self._parts = parts
        self.agreements = Agreements(parts.store, days=parts.days)
        self.states = GapStates(parts.store, days=parts.days)

    def handlers(self, application: Application) -> Mapping[CommandName, Handler]:
        """Return what people may type; nothing where no question is asked again."""
        parts = self._parts
        if not application.asks_again:
            return {}
        people = PersonIndex(parts.store, days=parts.days)
        telling = Telling(
            application, parts.access, self.agreements, parts.given, parts.feedback, parts.conversations, people
        )
        return telling.handlers

    def looking_again(self, application: Application, process_id: str, *, lease_s: float) -> LookingAgain | None:
        """Return what asks open questions again, in whichever process leads; None where nothing can."""
        parts = self._parts
        if not application.asks_again:
            return None
        offerer = Offerer(
            self.agreements,
            parts.access,
            parts.chat,
            parts.conversations,
            parts.given,
            parts.threads,
            page=parts.page,
        )
        return LookingAgain(
            application,
            GapQuestions(application, parts.unanswered, parts.feedback, self.states),
            AgreedQuestions(application, self.agreements, parts.conversations, parts.access, offerer),
            offerer,
            Leader(parts.store, ROLE, process_id, lease_s=lease_s),
            parts.inbox,
        )
