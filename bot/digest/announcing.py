"""Posting a digest: exactly once, whatever dies in between.

What is about to be posted is stored first, with the key of the post. Then it is posted, and that is stored. Whoever
comes to a digest that is stored but not confirmed asks the chat for the key, and posts the same content with the same
key only where the chat does not know it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol, TypeVar
from weakref import WeakValueDictionary

from bot.chat import ChatAdapter
from bot.digest.charting import Charting
from bot.digest.datasets import Dataset
from bot.digest.describing import Describer
from bot.digest.looking import Looker
from bot.digest.news import Outgoing, Part, Progress
from bot.digest.subscriptions import Subscription
from bot.digest.upcoming import find_upcoming
from bot.digest.writing import Written, nothing_new, write_digest
from bot.errors import NotFoundError, RefusedError
from bot.messages import Place, digest
from bot.replies import Reply, Stage
from bot.store.client import Command
from bot.store.conversations import Conversations
from bot.store.digest_subscriptions import Standing, Subscriptions, Writer
from bot.store.threads import JoinedThreads

logger = logging.getLogger(__name__)

T = TypeVar("T")

FRESH_S = 1800.0  # a look at GeneNetwork that is not older is good enough for a digest
STALE_S = 3600.0  # a digest that was not posted for longer is checked again before it is
QUESTION = "Which datasets are new in GeneNetwork?"


class Mandate(Protocol):
    """The right to post and to write, which another process may have taken over: `bot.scheduling.jobs.Occasion`."""

    @property
    def attempt(self) -> Writer:
        """Run a transaction, if the right is still held."""
        ...

    def check(self) -> None:
        """Raise LostLeadershipError where the right is not held any more."""
        ...


class Announcer:
    """Posts the digests of subscriptions.

    Args:
        looker: Looks at GeneNetwork.
        subscriptions: Who is told of what.
        chat: Returns the adapter of a chat, here or in another process.
        conversations: In which the digest is remembered for the questions in its thread.
        threads: In which the bot takes part.
        describer: Says what datasets are.
        charting: Draws the chart.
        refused: Told of a subscription that was paused as the bot may not post there.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        looker: Looker,
        subscriptions: Subscriptions,
        chat: Callable[[str], ChatAdapter],
        conversations: Conversations,
        threads: JoinedThreads,
        describer: Describer,
        charting: Charting,
        *,
        refused: Callable[[Subscription], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._looker = looker
        self._subscriptions = subscriptions
        self._chat = chat
        self._conversations = conversations
        self._threads = threads
        self._describer = describer
        self._charting = charting
        self._refused = refused
        self._clock = clock
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def announce(self, handle: str, due: datetime, mandate: Mandate) -> int:
        """Post the digest of a subscription that is due; return how many datasets it named.

        Raises:
            UnavailableError: If GeneNetwork, Redis or the chat is away: to be called again for the same date.
            LostLeadershipError: If another process has taken over.
        """
        async with self._locks.setdefault(handle, asyncio.Lock()):
            standing = await self._subscriptions.find(handle)
            if standing is None or standing.subscription.paused:
                return 0
            try:
                return await self._announce(standing, due, mandate)
            except RefusedError as error:
                await self._pause(standing.subscription, error)
                return 0

    async def write(self, datasets: Sequence[Dataset], subscription: Subscription) -> Written:
        """Return what is said about some datasets."""
        sentences = await self._describer.describe(datasets)
        return write_digest(datasets, subscription.interest, sentences)

    async def _announce(self, standing: Standing, due: datetime, mandate: Mandate) -> int:
        outgoing = standing.outgoing
        if outgoing is not None:
            if await self._resume(standing, outgoing, mandate) or outgoing.due == due.isoformat():
                return len(outgoing.numbers)
            standing = await self._subscriptions.find(standing.subscription.subscription_id) or standing
        # A look's errors are those of the digest: what is new cannot be told then.
        await self._looker.look(mandate.attempt, fresh_s=FRESH_S)
        composed, progress = await self._compose(standing, due, mandate)
        handle = standing.subscription.subscription_id
        if composed is None:
            if progress != standing.progress:
                await self._subscriptions.finish(handle, "", progress, (), mandate.attempt)
            return 0
        if not await self._subscriptions.begin(handle, composed, mandate.attempt):
            return 0
        await self._post(standing, composed, mandate)
        return len(composed.numbers)

    async def _compose(self, standing: Standing, due: datetime, mandate: Mandate) -> tuple[Outgoing | None, Progress]:
        """Return what is to be posted, or None, and what is told when it is."""
        upcoming = await find_upcoming(self._looker, standing)
        for one in upcoming.hidden:
            await self._looker.hide(one, mandate.attempt)
        progress = replace(standing.progress, upto=upcoming.upto, owed=upcoming.owed)
        subscription, now = standing.subscription, self._clock()
        key = digest("digest post", subscription.subscription_id, due.isoformat(), str(standing.progress.upto))
        if not upcoming.news:
            if subscription.quiet or upcoming.owed:
                return None, progress
            written = Written((Part(nothing_new(subscription.interest)),), "")
        else:
            written = await self.write([dataset for _, dataset in upcoming.news], subscription)
        outgoing = Outgoing(
            key,
            due.isoformat(),
            tuple(one.number for one, _ in upcoming.news),
            upcoming.upto,
            upcoming.owed,
            written.parts,
            written.memory,
            written.chart,
            now,
        )
        return outgoing, progress

    async def _resume(self, standing: Standing, outgoing: Outgoing, mandate: Mandate) -> bool:
        """Bring a digest to its end that was begun before; False where it had been posted, or there is nothing to."""
        subscription = standing.subscription
        if outgoing.post_id:
            await self._post(standing, outgoing, mandate)
            return False
        chat = self._chat(subscription.place.chat)
        found = await chat.find(subscription.place, outgoing.key, answers="")
        if found:
            logger.info("a digest was found to be posted already", extra={"subscription": subscription.subscription_id})
            await self._post(standing, replace(outgoing, post_id=found, done=1), mandate)
            return False
        if self._clock() - outgoing.composed_at > STALE_S:
            outgoing = await self._verified(standing, outgoing, mandate)
            if not outgoing.parts:
                progress = replace(standing.progress, upto=outgoing.upto, owed=outgoing.owed)
                await self._subscriptions.finish(
                    subscription.subscription_id, outgoing.key, progress, (), mandate.attempt
                )
                return False
        await self._post(standing, outgoing, mandate)
        return True

    async def _verified(self, standing: Standing, outgoing: Outgoing, mandate: Mandate) -> Outgoing:
        """Return a digest that waited for long, without what may not be told any more; its key stays."""
        known = await self._looker.known.news_after(outgoing.upto, outgoing.numbers)
        datasets: list[Dataset] = []
        for one in known:
            if one.number not in outgoing.numbers:
                continue
            dataset = await self._looker.verify(one)
            if dataset is None:
                await self._looker.hide(one, mandate.attempt)
            else:
                datasets.append(dataset)
        if len(datasets) == len(outgoing.numbers):
            return outgoing
        written = await self.write(datasets, standing.subscription) if datasets else Written((), "")
        changed = replace(outgoing, parts=written.parts, memory=written.memory, chart=written.chart)
        await self._subscriptions.note(standing.subscription.subscription_id, changed, mandate.attempt)
        return changed

    async def _post(self, standing: Standing, outgoing: Outgoing, mandate: Mandate) -> None:
        """Post what is not posted yet, in the channel and in the thread, and store that it is."""
        subscription = standing.subscription
        handle, place = subscription.subscription_id, subscription.place
        chat = self._chat(place.chat)
        begun_before = standing.outgoing is not None
        if not outgoing.post_id:
            reply = await self._reply(outgoing.parts[0], outgoing.chart)
            mandate.check()
            post_id = await chat.post(place, reply, key=outgoing.key, answers="")
            outgoing = replace(outgoing, post_id=post_id, done=1)
            await self._subscriptions.note(handle, outgoing, mandate.attempt)
        thread = replace(place, thread=outgoing.post_id)
        for number in range(max(1, outgoing.done), len(outgoing.parts)):
            try:
                await self._post_in_thread(chat, thread, outgoing, number, mandate, begun_before=begun_before)
            except NotFoundError:
                break  # somebody has removed the digest; there is no thread any more
            outgoing = replace(outgoing, done=number + 1)
            await self._subscriptions.note(handle, outgoing, mandate.attempt)
        progress = Progress(
            outgoing.upto,
            outgoing.owed,
            self._clock(),
            outgoing.post_id,
            standing.progress.told + len(outgoing.numbers),
        )
        also = self._remember(thread, outgoing)
        if await self._subscriptions.finish(handle, outgoing.key, progress, also, mandate.attempt):
            logger.info("a digest was posted", extra={"subscription": handle, "datasets": len(outgoing.numbers)})

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
        key = f"{outgoing.key}-{number}"
        if begun_before and await chat.find(thread, key, answers=outgoing.post_id):
            return
        reply = await self._reply(outgoing.parts[number], ())
        mandate.check()
        await chat.post(thread, reply, key=key, answers=outgoing.post_id)

    def _remember(self, thread: Place, outgoing: Outgoing) -> list[Command]:
        """Return the commands that make a reply in the thread a question about these datasets."""
        if not outgoing.memory:
            return []
        told = self._conversations.tell(thread, QUESTION, outgoing.memory, reference=outgoing.key)
        return [*told, self._threads.joining(thread)]

    async def _reply(self, part: Part, chart: Sequence[tuple[str, int]]) -> Reply:
        attachments = await self._charting.draw(chart) if chart else ()
        return Reply(Stage.FINAL, part.text, answered=False, attachments=attachments, sections=part.sections)

    async def _pause(self, subscription: Subscription, error: RefusedError) -> None:
        """Post nothing more in a channel that does not take it, and say so to those who look after the bot."""
        at = datetime.fromtimestamp(self._clock(), UTC)
        reason = f"The bot may not post in this channel since {at:%Y-%m-%d}: {error}"
        paused = await self._subscriptions.change(
            subscription.subscription_id, lambda one: replace(one, paused=reason, refused=True)
        )
        if paused is not None:
            logger.warning(
                "the digest %s is paused as the bot may not post in its channel: `locus digest list` shows which",
                subscription.subscription_id,
            )
            self._refused(paused)
