"""Asks again what people want to be told, each in their own place and as far as they may see there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from bot.access import Access
from bot.agent.judging import Judged
from bot.application import Application
from bot.errors import BotError, RefusedError
from bot.mending.leading import Lead
from bot.mending.offering import Offerer
from bot.messages import digest
from bot.store.agreements import Agreement, Agreements, OfferedAnswer
from bot.store.conversations import Conversations

ALL_EVERY_S = 60.0  # how often it is seen that something more may be searched for somebody


class AgreedQuestions:
    """The questions of those who agreed to be told.

    Args:
        application: Judges.
        agreements: Which questions.
        conversations: What was said before them.
        access: Decides what is searched for whom.
        offerer: Tells the answers.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        application: Application,
        agreements: Agreements,
        conversations: Conversations,
        access: Access,
        offerer: Offerer,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._application = application
        self._agreements = agreements
        self._conversations = conversations
        self._access = access
        self._offerer = offerer
        self._clock = clock
        self._signature = ""  # under which all were asked last
        self._asked_at = 0.0

    async def ask(self, signature: str, lead: Lead) -> bool:
        """Ask them where something has changed, and store what is to be told; False when all are done.

        Raises:
            LostLeadershipError: If another process has taken over.
            UnavailableError: If Redis is away.
        """
        now = self._clock()
        recent = signature == self._signature and 0 <= now - self._asked_at < ALL_EVERY_S
        if recent and not await self._agreements.list(self._asked_at):
            return False
        on_their_way = {offer.place.conversation_id for offer in await self._agreements.offers()}
        told: dict[str, list[OfferedAnswer]] = {}
        for agreement in await self._agreements.list():
            conversation_id = agreement.place.conversation_id
            if conversation_id in on_their_way:
                continue
            try:
                scopes = await self._access.scopes_now(agreement.place, agreement.sender)
            except RefusedError:
                continue
            looked = digest("looked", signature, *scopes)
            if looked == agreement.looked:
                continue
            if not await lead.may_go_on():
                return True  # what is told in one conversation is told in one message: nothing of it yet
            judged = await self._ask(agreement, scopes)
            if judged is not None and judged.better_than(agreement.known):
                told.setdefault(conversation_id, []).append(_answer(agreement, judged, scopes))
            else:
                await self._agreements.note(replace(agreement, looked=looked), lead.attempt)
        for answers in told.values():
            await self._offerer.begin(answers, lead)
        self._signature, self._asked_at = signature, now
        return False

    async def _ask(self, agreement: Agreement, scopes: tuple[str, ...]) -> Judged | None:
        """Return what the documents say, or None where the question cannot be asked."""
        place = agreement.place
        recalled = await self._conversations.load(place, scopes=scopes, before=agreement.original)
        try:
            return await self._application.ask_again(agreement.question, history=recalled.turns, scopes=scopes)
        except BotError as error:
            if error.retryable:
                raise
            return None


def _answer(agreement: Agreement, judged: Judged, scopes: tuple[str, ...]) -> OfferedAnswer:
    answer = judged.answer
    return OfferedAnswer(
        agreement, answer.text, answer.citations, judged.passages, answer.confidence, scopes, judged.rests_on
    )
