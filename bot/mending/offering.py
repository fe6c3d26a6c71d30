"""Tells answers where they were asked for: exactly once, whatever dies in between.

As digests are posted (`bot.digest.announcing`): what is about to be posted is stored first, with the key of the post;
then it is posted, and that is stored, which uses the agreements up. Whoever comes to an offer that is stored but not
confirmed asks the chat for the key, and posts the same content with the same key only where the chat does not know it.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.access import Access
from bot.chat import ChatAdapter
from bot.digest.mandates import Mandate
from bot.errors import BotError, RefusedError
from bot.evidence import Answer, Citation
from bot.given import GivenAnswer, new_handle
from bot.messages import IncomingMessage, digest
from bot.plain_text import one_line, shortened
from bot.replies import Reply, Stage
from bot.requests import Request
from bot.store.agreements import Agreements, Offer, OfferedAnswer
from bot.store.client import Command
from bot.store.conversations import Conversations
from bot.store.given_answers import GivenAnswers
from bot.store.leader import LostLeadershipError
from bot.store.threads import JoinedThreads
from bot.telling_texts import answered_now

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 5.0  # until a post that failed is tried again; doubled each time
LONGEST_PAUSE_S = 900.0
MAX_ANSWERS = 5  # in one message; further ones follow in the next
MAX_QUESTION = 200  # characters that are shown of a question

_MARKER = re.compile(r"\[(\d+)\]")


class Offerer:
    """Posts offers.

    Args:
        agreements: Where they are stored.
        access: Tells what may be shown where.
        chat: Returns the adapter of a chat, here or in another process.
        conversations: In which what was told is remembered for follow-up questions.
        given: Where an answer is kept for its buttons.
        threads: In which the bot takes part.
        page: Returns the address of an answer's page, by its handle; "" where it has none.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        agreements: Agreements,
        access: Access,
        chat: Callable[[str], ChatAdapter],
        conversations: Conversations,
        given: GivenAnswers,
        threads: JoinedThreads,
        *,
        page: Callable[[str], str] = lambda _: "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._agreements = agreements
        self._access = access
        self._chat = chat
        self._conversations = conversations
        self._given = given
        self._threads = threads
        self._page = page
        self._clock = clock
        self._waiting: dict[str, tuple[float, float]] = {}  # by key: when it is tried again, and the pause before

    async def begin(self, answers: Sequence[OfferedAnswer], mandate: Mandate) -> None:
        """Store what is to be told in one conversation, in the order in which it was asked.

        Raises:
            LostLeadershipError: If another process has taken over.
            UnavailableError: If Redis is away.
        """
        told = tuple(sorted(answers, key=lambda one: (one.agreement.at, one.agreement.handle))[:MAX_ANSWERS])
        # A handle is random, so that the key of a later offer to the same people is another one.
        handle = new_handle()
        offer = Offer(digest("offer", handle), handle if len(told) == 1 else "", told)
        also = self._given.keep(self._given_answer(offer)) if offer.handle else []
        await self._agreements.begin(offer, also, mandate.attempt)

    async def post(self, mandate: Mandate) -> int:
        """Post what is stored and due; returns how many messages have become visible.

        What a chat does not take now is tried again later; what it will never take is dropped.

        Raises:
            LostLeadershipError: If another process has taken over.
            UnavailableError: If Redis is away.
        """
        count = 0
        offers = await self._agreements.offers()
        self._waiting = {one.key: self._waiting[one.key] for one in offers if one.key in self._waiting}
        for offer in offers:
            due, pause_s = self._waiting.get(offer.key, (0.0, FIRST_PAUSE_S))
            if self._clock() < due:
                continue
            try:
                count += await self._post(offer, mandate)
            except LostLeadershipError:
                raise
            except BotError as error:
                if error.retryable:
                    logger.info("an answer is told later: %s", error)
                    self._waiting[offer.key] = (self._clock() + pause_s, min(2 * pause_s, LONGEST_PAUSE_S))
                    continue
                logger.warning("an answer cannot be told, and will not be: %s", error)
                await self._agreements.finish(offer, (), mandate.attempt)
        return count

    async def _post(self, offer: Offer, mandate: Mandate) -> bool:
        """Bring one offer to its end; False where nothing of it may be told any more."""
        chat, place = self._chat(offer.place.chat), offer.place
        found = await chat.find(place, offer.key, answers="")
        if found is None:
            current = await self._allowed(offer, mandate)
            if current is None:
                return False
            offer = current
            mandate.check()
            page = self._page(offer.handle) if offer.handle else ""
            await chat.post(place, reply_of(offer, page), key=offer.key, answers="")
        told = await self._agreements.finish(offer, self._remember(offer), mandate.attempt)
        if told:
            logger.info("answers were told where they had been asked for", extra={"answers": len(offer.answers)})
        return told

    async def _allowed(self, offer: Offer, mandate: Mandate) -> Offer | None:
        """Return an offer as it may be told now, without what nobody wants or may see any more; None for nothing."""
        stored = await self._agreements.offer(offer.place.conversation_id)
        if stored is None or stored.key != offer.key:
            return None
        hidden: list[str] = []
        for one in stored.answers:
            try:
                visible = await self._access.scopes_now(one.agreement.place, one.agreement.sender)
            except RefusedError:
                visible = ()
            if not set(one.scopes) <= set(visible):
                hidden.append(one.agreement.handle)
        if not hidden:
            return stored
        await self._agreements.take_back(stored, hidden, mandate.attempt)
        kept = tuple(one for one in stored.answers if one.agreement.handle not in hidden)
        return replace(stored, answers=kept) if kept else None

    def _remember(self, offer: Offer) -> list[Command]:
        """Return the commands that make a reply in the thread a follow-up to what was told."""
        commands: list[Command] = []
        for one in offer.answers:
            agreement = one.agreement
            asked = IncomingMessage(agreement.place, agreement.sender, agreement.request_id, "", agreement.at)
            commands += self._conversations.append(
                Request(agreement.request_id, asked),
                agreement.question,
                one.text,
                scopes=one.scopes,
                rests_on=one.rests_on,
            )
        return [*commands, self._threads.joining(offer.place)] if offer.place.thread else commands

    def _given_answer(self, offer: Offer) -> GivenAnswer:
        one = offer.answers[0]
        agreement = one.agreement
        answer = Answer(agreement.question, one.text, "quotes", True, one.citations, one.confidence)
        return GivenAnswer(
            offer.handle,
            agreement.request_id,
            agreement.place,
            agreement.sender.person_id,
            agreement.question,
            answer,
            one.passages,
            one.scopes,
            self._clock(),
            one.rests_on,
            agreement.original,
        )


def reply_of(offer: Offer, page: str = "") -> Reply:
    """Return the message that tells the answers: one for all, its sources numbered through; `page` as of `Reply`."""
    answers: list[tuple[str, str]] = []
    citations: list[Citation] = []
    for one in offer.answers:
        text, cited = _renumbered(one.text, one.citations, len(citations))
        citations += cited
        question = shortened(one_line(one.agreement.question), MAX_QUESTION)
        answers.append((_MARKER.sub(r"(\1)", question), text))
    return Reply(Stage.FINAL, answered_now(answers), citations=tuple(citations), handle=offer.handle, page=page)


def _renumbered(text: str, citations: Sequence[Citation], by: int) -> tuple[str, list[Citation]]:
    """Return an answer whose markers and citations begin behind `by`."""
    known = {citation.n for citation in citations}

    def moved(match: re.Match[str]) -> str:
        number = int(match[1])
        return f"[{number + by}]" if number in known else match[0]

    return _MARKER.sub(moved, text), [replace(citation, n=citation.n + by) for citation in citations]
