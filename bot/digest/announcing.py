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
from weakref import WeakValueDictionary

from bot.chat import ChatAdapter
from bot.digest.administrators import Administrators
from bot.digest.charting import Charting
from bot.digest.datasets import Dataset
from bot.digest.describing import Describer
from bot.digest.looking import Looker
from bot.digest.mandates import Mandate
from bot.digest.news import Outgoing, Part, Progress
from bot.digest.posting import Poster
from bot.digest.saying import refused_channel
from bot.digest.subscriptions import Subscription
from bot.digest.upcoming import find_upcoming
from bot.digest.writing import Written, nothing_new, write_digest
from bot.errors import RefusedError
from bot.messages import digest
from bot.store.conversations import Conversations
from bot.store.digest_subscriptions import Standing, Subscriptions
from bot.store.threads import JoinedThreads

logger = logging.getLogger(__name__)

FRESH_S = 1800.0  # a look at GeneNetwork that is not older is good enough for a digest
STALE_S = 3600.0  # a digest that was not posted for longer is checked again before it is


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
        administrators: Told of a subscription that was paused as the bot may not post there.
        refused: Called with such a subscription.
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
        administrators: Administrators,
        *,
        refused: Callable[[Subscription], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._looker = looker
        self._subscriptions = subscriptions
        self._poster = Poster(subscriptions, chat, conversations, threads, charting, clock)
        self._describer = describer
        self._administrators = administrators
        self._refused = refused
        self._clock = clock
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def announce(self, handle: str, due: datetime, mandate: Mandate) -> int:
        """Post the digest of a subscription that is due; return how many datasets it named.

        Raises:
            UnavailableError: If GeneNetwork, Redis or the chat is away: to be called again for the same date.
            LostLeadershipError: If another process has taken over.
        """
        standing = await self._subscriptions.find(handle)
        if standing is None:
            return 0
        # One after another in a channel: what the first one tells, the next one does not.
        async with self._locks.setdefault(standing.subscription.place.channel_id, asyncio.Lock()):
            standing = await self._subscriptions.find(handle)
            if standing is None or standing.subscription.paused:
                return 0
            try:
                return await self._announce(standing, due, mandate)
            except RefusedError as error:
                await self._pause(standing.subscription, error, due, mandate)
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
        return await self._poster.post(standing, composed, mandate)

    async def _compose(self, standing: Standing, due: datetime, mandate: Mandate) -> tuple[Outgoing | None, Progress]:
        """Return what is to be posted, or None, and what is told when it is."""
        told = await self._subscriptions.told(standing.subscription)
        upcoming = await find_upcoming(self._looker, standing, told)
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
            written = await self.write([one.dataset for one in upcoming.news], subscription)
        outgoing = Outgoing(
            key,
            due.isoformat(),
            tuple(one.news.number for one in upcoming.news),
            upcoming.upto,
            upcoming.owed,
            written.parts,
            written.memory,
            written.chart,
            now,
            identities=tuple(one.identity for one in upcoming.news),
        )
        return outgoing, progress

    async def _resume(self, standing: Standing, outgoing: Outgoing, mandate: Mandate) -> bool:
        """Bring a digest to its end that was begun before; False where it had been posted, or there is nothing to."""
        subscription = standing.subscription
        if outgoing.post_id:
            await self._poster.post(standing, outgoing, mandate)
            return False
        found = await self._poster.found(standing, outgoing)
        if found is not None:
            logger.info("a digest was found to be posted already", extra={"subscription": subscription.subscription_id})
            await self._poster.post(standing, found, mandate)
            return False
        if self._clock() - outgoing.composed_at > STALE_S:
            outgoing = await self._verified(standing, outgoing, mandate)
            if not outgoing.parts:
                progress = replace(standing.progress, upto=outgoing.upto, owed=outgoing.owed)
                await self._subscriptions.finish(
                    subscription.subscription_id, outgoing.key, progress, (), mandate.attempt
                )
                return False
        await self._poster.post(standing, outgoing, mandate)
        return True

    async def _verified(self, standing: Standing, outgoing: Outgoing, mandate: Mandate) -> Outgoing:
        """Return a digest that waited for long, without what may not be told any more; its key stays."""
        news = await self._looker.known.news_after(outgoing.upto, outgoing.numbers)
        located = await self._looker.locate([one for one in news if one.number in outgoing.numbers])
        kept: list[tuple[int, str, Dataset]] = []
        for one in located:
            dataset = await self._looker.verify(one)
            if dataset is None:
                await self._looker.hide(one.news, mandate.attempt)
            else:
                kept.append((one.news.number, one.identity, dataset))
        if len(kept) == len(outgoing.numbers):
            return outgoing
        written = Written((), "")
        if kept:
            written = await self.write([dataset for _, _, dataset in kept], standing.subscription)
        changed = replace(
            outgoing,
            numbers=tuple(number for number, _, _ in kept),
            identities=tuple(identity for _, identity, _ in kept),
            parts=written.parts,
            memory=written.memory,
            chart=written.chart,
        )
        await self._subscriptions.note(standing.subscription.subscription_id, changed, mandate.attempt)
        return changed

    async def _pause(self, subscription: Subscription, error: RefusedError, due: datetime, mandate: Mandate) -> None:
        """Post nothing more in a channel that does not take it, and say so to those who look after the bot."""
        handle, at = subscription.subscription_id, datetime.fromtimestamp(self._clock(), UTC)
        event = digest("digest refused", handle, due.isoformat())
        noted = self._administrators.noting(event, refused_channel(subscription, error), chat=subscription.place.chat)
        if noted:
            await self._subscriptions.store.transaction(*noted)
        reason = f"The bot may not post in this channel since {at:%Y-%m-%d}: {error}"
        paused = await self._subscriptions.change(handle, lambda one: replace(one, paused=reason, refused=True))
        if paused is not None:
            logger.warning(
                "the digest %s is paused as the bot may not post in its channel: `locus digest list` shows which",
                handle,
            )
            self._refused(paused)
        await self._administrators.tell(mandate)
