"""Puts a digest into its channel and its thread, part by part, and stores how far it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from bot.chat import ChatAdapter
from bot.digest.charting import Charting
from bot.digest.mandates import Mandate
from bot.digest.news import Outgoing, Part, Progress
from bot.errors import InvalidRequestError, NotFoundError
from bot.messages import Place
from bot.replies import Reply, Stage
from bot.store.client import Command
from bot.store.conversations import Conversations
from bot.store.digest_subscriptions import Standing, Subscriptions
from bot.store.threads import JoinedThreads

logger = logging.getLogger(__name__)

QUESTION: Final = "Which datasets are new in GeneNetwork?"


class Poster:
    """Posts what is composed and stored.

    Args:
        subscriptions: Where it is stored.
        chat: Returns the adapter of a chat, here or in another process.
        conversations: In which the digest is remembered for the questions in its thread.
        threads: In which the bot takes part.
        charting: Draws the chart.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        subscriptions: Subscriptions,
        chat: Callable[[str], ChatAdapter],
        conversations: Conversations,
        threads: JoinedThreads,
        charting: Charting,
        clock: Callable[[], float],
    ) -> None:
        self._subscriptions = subscriptions
        self._chat = chat
        self._conversations = conversations
        self._threads = threads
        self._charting = charting
        self._clock = clock

    async def found(self, standing: Standing, outgoing: Outgoing) -> Outgoing | None:
        """Return a digest with the id of its post where the chat has it already, made complete; else None."""
        place = standing.subscription.place
        chat = self._chat(place.chat)
        post_id = await chat.find(place, outgoing.key, answers="")
        if post_id is None:
            return None
        # What belongs to it (files, what did not fit into one message) may be missing; an edit completes it.
        for plain in (False, True):
            try:
                await chat.edit(place, post_id, await self._reply(outgoing.parts[0], outgoing.chart, plain=plain))
                break
            except NotFoundError:
                break
            except InvalidRequestError as error:
                _not_taken(place.chat, error)
        return replace(outgoing, post_id=post_id, done=1)

    async def post(self, standing: Standing, outgoing: Outgoing, mandate: Mandate) -> int:
        """Post what is not posted yet, and store that it is; return how many datasets are told, 0 if none could be."""
        subscription = standing.subscription
        handle, place = subscription.subscription_id, subscription.place
        chat = self._chat(place.chat)
        begun_before = standing.outgoing is not None
        if not outgoing.post_id:
            try:
                outgoing = await self._post_first(chat, standing, outgoing, mandate)
            except InvalidRequestError as error:
                await self._skip(standing, outgoing, error, mandate)
                return 0
            await self._subscriptions.note(handle, outgoing, mandate.attempt)
        thread = replace(place, thread=outgoing.post_id)
        for number in range(max(1, outgoing.done), len(outgoing.parts)):
            try:
                await self._post_in_thread(chat, thread, outgoing, number, mandate, begun_before=begun_before)
            except NotFoundError:
                break  # somebody has removed the digest; there is no thread any more
            outgoing = replace(outgoing, done=number + 1)
            await self._subscriptions.note(handle, outgoing, mandate.attempt)
        count = len(outgoing.numbers)
        progress = Progress(
            outgoing.upto, outgoing.owed, self._clock(), outgoing.post_id, standing.progress.told + count
        )
        also = [*self._remember(thread, outgoing), *self._subscriptions.telling(handle, outgoing.identities)]
        if await self._subscriptions.finish(handle, outgoing.key, progress, also, mandate.attempt):
            logger.info("a digest was posted", extra={"subscription": handle, "datasets": count})
        return count

    async def _post_first(
        self, chat: ChatAdapter, standing: Standing, outgoing: Outgoing, mandate: Mandate
    ) -> Outgoing:
        """Post in the channel itself; without chart and sections where the chat does not take them.

        Raises:
            InvalidRequestError: If the chat takes neither.
        """
        place, part = standing.subscription.place, outgoing.parts[0]
        if not outgoing.plain:
            try:
                reply = await self._reply(part, outgoing.chart)
                mandate.check()
                post_id = await chat.post(place, reply, key=outgoing.key, answers="")
                return replace(outgoing, post_id=post_id, done=1)
            except InvalidRequestError as error:
                _not_taken(place.chat, error)
            outgoing = replace(outgoing, plain=True)
            await self._subscriptions.note(standing.subscription.subscription_id, outgoing, mandate.attempt)
            found = await self.found(standing, outgoing)  # a part of it may be visible
            if found is not None:
                return found
        mandate.check()
        post_id = await chat.post(place, await self._reply(part, plain=True), key=outgoing.key, answers="")
        return replace(outgoing, post_id=post_id, done=1)

    async def _skip(self, standing: Standing, outgoing: Outgoing, error: InvalidRequestError, mandate: Mandate) -> None:
        """Leave a digest out which the chat takes in no form: it would stand in the way of all later ones."""
        handle, at = standing.subscription.subscription_id, datetime.fromtimestamp(self._clock(), UTC)
        logger.error("the digest %s is left out once, as the chat does not take it: %s", handle, error)
        noun = "dataset" if len(outgoing.numbers) == 1 else "datasets"
        skipped = f"The digest of {at:%Y-%m-%d} with {len(outgoing.numbers):,} {noun} could not be shown: {error}"
        progress = replace(standing.progress, upto=outgoing.upto, owed=outgoing.owed, skipped=skipped)
        await self._subscriptions.finish(handle, outgoing.key, progress, (), mandate.attempt)

    async def _post_in_thread(
        self,
        chat: ChatAdapter,
        thread: Place,
        outgoing: Outgoing,
        number: int,
        mandate: Mandate,
        *,
        begun_before: bool,
    ) -> None:
        """Post a further part; one that the chat takes in no form is left out."""
        key = f"{outgoing.key}-{number}"
        for plain in (False, True):
            found = await chat.find(thread, key, answers=outgoing.post_id) if begun_before or plain else None
            reply = await self._reply(outgoing.parts[number], plain=plain)
            mandate.check()
            try:
                if found:
                    await chat.edit(thread, found, reply)
                else:
                    await chat.post(thread, reply, key=key, answers=outgoing.post_id)
            except InvalidRequestError as error:
                _not_taken(thread.chat, error)
            else:
                return
        logger.error("a part of a digest is left out, as the chat does not take it")

    def _remember(self, thread: Place, outgoing: Outgoing) -> list[Command]:
        """Return the commands that make a reply in the thread a question about these datasets."""
        if not outgoing.memory:
            return []
        told = self._conversations.tell(thread, QUESTION, outgoing.memory, reference=outgoing.key)
        return [*told, self._threads.joining(thread)]

    async def _reply(self, part: Part, chart: Sequence[tuple[str, int]] = (), *, plain: bool = False) -> Reply:
        if plain:
            return Reply(Stage.FINAL, plain_text(part), answered=False)
        attachments = await self._charting.draw(chart) if chart else ()
        return Reply(Stage.FINAL, part.text, answered=False, attachments=attachments, sections=part.sections)


def plain_text(part: Part) -> str:
    """Return a part of a digest as text alone: its headline, and the datasets with their addresses."""
    lines = [f"- {entry.title}: {entry.url}" for section in part.sections for entry in section.entries]
    return "\n".join((part.text, "", *lines)) if lines else part.text


def _not_taken(chat: str, error: InvalidRequestError) -> None:
    logger.warning("the chat %s does not take a part of a digest as it is: %s", chat, error)
