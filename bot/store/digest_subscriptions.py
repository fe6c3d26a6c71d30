"""Subscriptions to digests: who wants what, how far they have been told, and what is about to be posted."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from bot.digest.news import Outgoing, Progress
from bot.digest.subscriptions import Subscription
from bot.errors import BusyError
from bot.messages import Place
from bot.store.client import Command, Store, Watch, number, text, texts
from bot.store.keys import KeyKind
from bot.store.records import Record

T = TypeVar("T")

MAX_SUBSCRIPTIONS = 1000
MAX_IN_CHANNEL = 10
IN_A_BATCH = 100  # subscriptions read at once

DIGEST_SUBSCRIPTION_KEYS = (
    KeyKind("digest:subscriptions", "set", "for good", "1,000 members", "handles of all subscriptions to digests"),
    KeyKind("digest:subscription:*", "string", "until it ends", "1,000, some 2 kB each", "who is told of what, when"),
    KeyKind("digest:progress:*", "string", "until it ends", "one per subscription", "how far a channel has been told"),
    KeyKind("digest:told:*", "set", "until it ends", "one per dataset told", "datasets that a channel has heard of"),
    KeyKind(
        "digest:outgoing:*", "string", "until it is posted", "one per subscription, some 100 kB", "what will be posted"
    ),
)

SUBSCRIPTIONS = Record(Subscription)
PROGRESS = Record(Progress)
OUTGOING = Record(Outgoing)


class Writer(Protocol):
    """Reads, decides and writes, as `Store.attempt` or under a fence."""

    async def __call__(self, body: Callable[[Watch], Awaitable[T]], *keys: str) -> T:
        """Run `body`."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """A subscription with how far it is."""

    subscription: Subscription
    progress: Progress
    outgoing: Outgoing | None = None


class Subscriptions:
    """The subscriptions of all channels.

    Args:
        store: Where.
        counter_key: Key of the number of the last news: a new subscription begins behind it.
    """

    def __init__(self, store: Store, counter_key: str) -> None:
        self.store = store
        self._counter = counter_key
        self._index = store.key("digest", "subscriptions")

    async def add(self, subscription: Subscription) -> bool:
        """Add a subscription, or change the one of its handle; False when nothing changed.

        Raises:
            BusyError: If there are too many.
        """
        handle = subscription.subscription_id
        key, progress_key = self._key(handle), self._progress(handle)
        in_channel = len(await self.of_channel(subscription.place))

        async def body(watch: Watch) -> bool:
            replies = await watch.read(
                ("GET", key), ("SCARD", self._index), ("GET", self._counter), ("GET", progress_key)
            )
            known = SUBSCRIPTIONS.find(text(replies[0]))
            if known is not None:
                kept = dataclasses.replace(subscription, created_at=known.created_at)
                if kept == known:
                    return False
                await watch.commit(("SET", key, SUBSCRIPTIONS.dump(kept)))
                return True
            if number(replies[1]) >= MAX_SUBSCRIPTIONS:
                raise BusyError(f"There are {MAX_SUBSCRIPTIONS:,} digests already: end some that nobody reads.")
            if in_channel >= MAX_IN_CHANNEL:
                raise BusyError(f"This channel has {MAX_IN_CHANNEL} digests already: `digest unsubscribe N` ends one.")
            progress = text(replies[3]) or PROGRESS.dump(Progress(number(replies[2])))
            await watch.commit(
                ("SET", key, SUBSCRIPTIONS.dump(subscription)),
                ("SET", progress_key, progress),
                ("SADD", self._index, handle),
            )
            return True

        return await self.store.attempt(body, key, progress_key, self._index)

    async def change(self, handle: str, change: Callable[[Subscription], Subscription]) -> Subscription | None:
        """Change a subscription and return it; None where it has ended."""
        key = self._key(handle)

        async def body(watch: Watch) -> Subscription | None:
            known = SUBSCRIPTIONS.find(text((await watch.read(("GET", key)))[0]))
            if known is None:
                return None
            changed = change(known)
            if changed != known:
                await watch.commit(("SET", key, SUBSCRIPTIONS.dump(changed)))
            return changed

        return await self.store.attempt(body, key)

    async def remove(self, handle: str) -> bool:
        """End a subscription; False when there is none of this handle."""
        standing = await self.find(handle)
        heirs: list[Command] = []
        if standing is not None:
            # What the channel has heard of is remembered by its other digests.
            told = await self._told_by([handle])
            others = [one.subscription.subscription_id for one in await self.of_channel(standing.subscription.place)]
            heirs = [command for one in others if one != handle for command in self.telling(one, sorted(told))]
        replies = await self.store.transaction(
            ("DEL", self._key(handle)),
            ("DEL", self._progress(handle)),
            ("DEL", self._outgoing(handle)),
            ("DEL", self._told(handle)),
            ("SREM", self._index, handle),
            *heirs,
        )
        return bool(number(replies[0]))

    async def find(self, handle: str) -> Standing | None:
        """Return a subscription with how far it is, or None."""
        return next(iter(await self._find_several([handle])), None)

    async def _find_several(self, handles: Sequence[str]) -> Sequence[Standing]:
        keys = [(self._key(one), self._progress(one), self._outgoing(one)) for one in handles]
        replies = await self.store.batch(*(("GET", key) for three in keys for key in three)) if keys else []
        found: list[Standing] = []
        for place in range(0, len(replies), 3):
            subscription, progress, outgoing = map(text, replies[place : place + 3])
            known = SUBSCRIPTIONS.find(subscription)
            if known is not None:
                found.append(Standing(known, PROGRESS.find(progress) or Progress(0), OUTGOING.find(outgoing)))
        return found

    async def list(self) -> Sequence[Standing]:
        """Return all subscriptions, the oldest first."""
        handles = sorted(texts(await self.store.call("SMEMBERS", self._index)))
        found: list[Standing] = []
        for begin in range(0, len(handles), IN_A_BATCH):
            found += await self._find_several(handles[begin : begin + IN_A_BATCH])
        return sorted(
            found,
            key=lambda one: (one.subscription.created_at, one.subscription.subscription_id),
        )

    async def of_channel(self, place: Place) -> Sequence[Standing]:
        """Return the subscriptions of a channel, the oldest first: their places in the list are their numbers."""
        return [one for one in await self.list() if one.subscription.place.channel_id == place.channel_id]

    async def begin(self, handle: str, outgoing: Outgoing, write: Writer) -> bool:
        """Store what is about to be posted; False when the subscription has ended or something is on its way."""
        key = self._outgoing(handle)

        async def body(watch: Watch) -> bool:
            replies = await watch.read(("EXISTS", self._key(handle)), ("EXISTS", key))
            if not number(replies[0]) or number(replies[1]):
                return False
            await watch.commit(("SET", key, OUTGOING.dump(outgoing)))
            return True

        return await write(body, self._key(handle), key)

    async def note(self, handle: str, outgoing: Outgoing, write: Writer) -> bool:
        """Store how far a post is; False when the subscription has ended."""
        key = self._outgoing(handle)

        async def body(watch: Watch) -> bool:
            known = OUTGOING.find(text((await watch.read(("GET", key)))[0]))
            if known is None or known.key != outgoing.key:
                return False
            await watch.commit(("SET", key, OUTGOING.dump(outgoing)))
            return True

        return await write(body, key)

    async def finish(self, handle: str, key: str, progress: Progress, also: Sequence[Command], write: Writer) -> bool:
        """Store that all of a post is visible and how far the channel has been told; False when that was done before.

        Args:
            handle: Of the subscription.
            key: Of the post; "" where nothing was posted.
            progress: From now on.
            also: Run in the same transaction.
            write: Runs it.
        """
        outgoing_key = self._outgoing(handle)

        async def body(watch: Watch) -> bool:
            replies = await watch.read(("EXISTS", self._key(handle)), ("GET", outgoing_key))
            known = OUTGOING.find(text(replies[1]))
            if not number(replies[0]) or (known.key if known is not None else "") != key:
                return False
            await watch.commit(("SET", self._progress(handle), PROGRESS.dump(progress)), ("DEL", outgoing_key), *also)
            return True

        return await write(body, self._key(handle), outgoing_key)

    async def told(self, subscription: Subscription) -> frozenset[str]:
        """Return what stands for the datasets that the channel of a subscription has been told of.

        Every digest of the channel counts, and what another one of it is about to post.
        """
        here = await self.of_channel(subscription.place)
        told = await self._told_by([one.subscription.subscription_id for one in here])
        others = [one for one in here if one.subscription.subscription_id != subscription.subscription_id]
        return told.union(*(one.outgoing.identities for one in others if one.outgoing is not None))

    async def _told_by(self, handles: Sequence[str]) -> frozenset[str]:
        replies = await self.store.batch(*(("SMEMBERS", self._told(one)) for one in handles)) if handles else []
        return frozenset(identity for reply in replies for identity in texts(reply))

    def telling(self, handle: str, identities: Sequence[str]) -> Sequence[Command]:
        """Return the commands that store that datasets are told."""
        return (("SADD", self._told(handle), *identities),) if identities else ()

    async def skip_to(self, handle: str, upto: int) -> None:
        """Take everything up to a number as told."""
        key = self._progress(handle)

        async def body(watch: Watch) -> None:
            known = PROGRESS.find(text((await watch.read(("GET", key)))[0])) or Progress(0)
            await watch.commit(
                ("SET", key, PROGRESS.dump(dataclasses.replace(known, upto=max(upto, known.upto), owed=())))
            )

        await self.store.attempt(body, key)

    def _key(self, handle: str) -> str:
        return self.store.key("digest", "subscription", handle)

    def _progress(self, handle: str) -> str:
        return self.store.key("digest", "progress", handle)

    def _told(self, handle: str) -> str:
        return self.store.key("digest", "told", handle)

    def _outgoing(self, handle: str) -> str:
        return self.store.key("digest", "outgoing", handle)
