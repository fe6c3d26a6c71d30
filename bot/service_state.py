"""What a service keeps in Redis, opened together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from bot.settings import Settings
from bot.store.answer_cache import AnswerCache
from bot.store.client import Store
from bot.store.conversations import Conversations
from bot.store.feedback import Feedback
from bot.store.gaps import Unanswered
from bot.store.given_answers import GivenAnswers
from bot.store.inbox import Inbox, InboxLimits
from bot.store.rates import RateLimits
from bot.store.tally import Tally
from bot.store.threads import JoinedThreads

HARD_FACTOR: Final = 10  # open requests, refusals included, per open question that is allowed


@dataclass(frozen=True, slots=True)
class ServiceState:
    """The parts of the shared state.

    Attributes:
        store: All of it.
        inbox: Requests.
        given: Answers that were given, by handle.
        tally: Counts by day.
        feedback: Opinions.
        conversations: What was said.
        cache: Answers to be given again.
        unanswered: Questions that the documents did not answer.
        threads: In which the bot takes part.
    """

    store: Store
    inbox: Inbox
    given: GivenAnswers
    tally: Tally
    feedback: Feedback
    conversations: Conversations
    cache: AnswerCache
    unanswered: Unanswered
    threads: JoinedThreads


def open_state(store: Store, settings: Settings, zone: tzinfo) -> ServiceState:
    """Return the parts with the limits and lifetimes of the settings.

    Args:
        store: All of it.
        settings: All settings.
        zone: The lab's time zone, in which days are counted.
    """
    days, tally = settings.retention_days, Tally(store, zone=zone)
    return ServiceState(
        store,
        Inbox(store, _inbox_limits(settings)),
        GivenAnswers(store, days=days),
        tally,
        Feedback(store, days=days, limit=settings.feedback_kept, tally=tally),
        Conversations(store, days=settings.conversation_days, tokens=settings.conversation_tokens),
        AnswerCache(store, hours=settings.answer_cache_h),
        Unanswered(store, days=days),
        JoinedThreads(store, days=settings.conversation_days),
    )


def _inbox_limits(settings: Settings) -> InboxLimits:
    return InboxLimits(
        queue=settings.queue_limit,
        hard=HARD_FACTOR * settings.queue_limit,
        duplicates_h=settings.duplicates_h,
        rates=RateLimits(settings.rate_person, settings.rate_channel, settings.rate_window_s),
    )
