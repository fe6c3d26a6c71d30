"""Channels as they were seen, and for which audience somebody vouched that it may see the channel's own documents.

A channel that is seen for the first time is confirmed for those who can read it then. Once it is seen with a wider
audience it waits for an administrator; seen with a narrower one, it is confirmed for that one only.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from bot.errors import InvalidRequestError, NotFoundError
from bot.messages import Audience, Place
from bot.store.client import Command, Store, Watch, number, text, texts
from bot.store.keys import KeyKind
from bot.store.records import Record
from bot.texts import place_changed, unknown_place

logger = logging.getLogger(__name__)

LIMIT = 10_000
SEEN_EVERY_S = 3600.0  # how exact the time is at which a channel was last seen
NEVER = "+inf"  # in place of a time: never forgotten
PIECE = 500

PLACE_KEYS = (
    KeyKind("place:*", "string", "while among the 10,000 seen last", "1 kB each", "a channel and its audiences"),
    KeyKind("places", "zset", "for good", "10,000 members", "all channels and when they were seen last"),
    KeyKind("places:forgotten", "string", "for good", "one number", "channels that were forgotten at that limit"),
)


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """A channel as it was seen last.

    Attributes:
        channel_id: Handle of the channel.
        chat: Name of the adapter.
        workspace: As in `Place`.
        channel: As in `Place`.
        confirmed: The widest audience that may see the channel's own documents; None for nobody.
        seen: Its audience when it was seen last.
        at: When that was, to the hour; seconds since 1970.
        since: When it was seen with this audience first after another.
    """

    channel_id: str
    chat: str
    workspace: str
    channel: str
    confirmed: Audience | None
    seen: Audience
    at: float
    since: float = 0.0

    @property
    def open(self) -> bool:
        """True when the channel's own documents may be seen in it."""
        return self.confirmed is not None and self.seen.width <= self.confirmed.width


PLACES = Record(KnownPlace)


class Places:
    """The table of channels.

    Args:
        store: Where.
        limit: Channels that are kept. The one that was not seen for longest goes, but none that waits for an
            administrator; after that a first sight proves nothing any more and confirms direct conversations only.
        clock: Seconds since 1970.
    """

    def __init__(self, store: Store, *, limit: int = LIMIT, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._limit = limit
        self._clock = clock
        self._index = store.key("places")
        self._forgotten = store.key("places", "forgotten")

    async def see(self, place: Place, at: float | None = None) -> KnownPlace:
        """Note how a channel is seen and return what is known of it.

        Args:
            place: The channel, with its audience as the chat said.
            at: When the chat said so, if that was not now: later news is not undone by what waited in a queue.
        """
        key = self._key(place.channel_id)
        # Nearly always nothing changes, and then one reading is all.
        known = PLACES.find(text(await self._store.call("GET", key)))
        if known is not None and self._seen(known, place, at) == known:
            return known

        async def body(watch: Watch) -> KnownPlace:
            now = self._clock() if at is None else at
            stored = text((await watch.read(("GET", key)))[0])
            known = PLACES.find(stored)
            if known is None:
                # What cannot be read, of a newer version say, is no first sight.
                return _described(place, None, now) if stored else await self._add(watch, place, now)
            seen = self._seen(known, place, at)
            if seen != known:
                await watch.commit(*self._writes(seen))
            return seen

        return await self._store.attempt(body, key)

    def _seen(self, known: KnownPlace, place: Place, at: float | None) -> KnownPlace:
        """Return what is known of a channel after it was seen; the same where nothing worth noting changed."""
        now = self._clock() if at is None else at
        if at is not None and at < known.since:
            return known
        if place.audience is not known.seen:
            confirmed = _narrower(known.confirmed, place.audience)
            return dataclasses.replace(known, seen=place.audience, confirmed=confirmed, at=now, since=now)
        return dataclasses.replace(known, at=now) if abs(now - known.at) >= SEEN_EVERY_S else known

    async def _add(self, watch: Watch, place: Place, now: float) -> KnownPlace:
        """Store a channel that is not known, in the place of another where there are too many."""
        replies = await watch.read(
            ("ZCARD", self._index),
            ("ZRANGE", self._index, 0, 0, "WITHSCORES"),
            ("GET", self._forgotten),
            also=(self._index, self._forgotten),
        )
        first_sight = place.audience if place.audience is not Audience.SHARED else Audience.PUBLIC
        confirmed = first_sight if not number(replies[2]) or place.audience is Audience.DIRECT else None
        new = _described(place, confirmed, now)
        commands = self._writes(new)
        if number(replies[0]) >= self._limit:
            oldest = texts(replies[1])
            if not oldest or oldest[1] == "inf":
                logger.error("all %d channels wait for an administrator; no further one is noted", self._limit)
                return dataclasses.replace(new, confirmed=None)
            commands = [
                ("DEL", self._key(oldest[0])),
                ("ZREM", self._index, oldest[0]),
                ("INCR", self._forgotten),
                *commands,
            ]
        await watch.commit(*commands)
        return new

    def _writes(self, known: KnownPlace) -> list[Command]:
        return [
            ("SET", self._key(known.channel_id), PLACES.dump(known)),
            ("ZADD", self._index, known.at if known.open else NEVER, known.channel_id),
        ]

    async def confirm(self, channel_id: str, audience: Audience) -> KnownPlace:
        """Let an audience see the channel's own documents: the one that the channel has now.

        Raises:
            NotFoundError: If the channel is not known.
            InvalidRequestError: If its audience is another one by now.
        """

        def confirmed(known: KnownPlace) -> KnownPlace:
            if known.seen is not audience:
                raise InvalidRequestError(place_changed(channel_id, known.seen))
            return dataclasses.replace(known, confirmed=audience)

        return await self._change(channel_id, confirmed)

    async def revoke(self, channel_id: str) -> KnownPlace:
        """Let nobody see the channel's own documents, in whatever audience, until it is confirmed.

        Raises:
            NotFoundError: If the channel is not known.
        """
        return await self._change(channel_id, lambda known: dataclasses.replace(known, confirmed=None))

    async def _change(self, channel_id: str, change: Callable[[KnownPlace], KnownPlace]) -> KnownPlace:
        key = self._key(channel_id)

        async def body(watch: Watch) -> KnownPlace:
            known = PLACES.find(text((await watch.read(("GET", key)))[0]))
            if known is None:
                raise NotFoundError(unknown_place(channel_id))
            changed = change(known)
            await watch.commit(*self._writes(changed))
            return changed

        return await self._store.attempt(body, key)

    async def find(self, channel_id: str) -> KnownPlace | None:
        """Return what is known of a channel, or None."""
        return PLACES.find(text(await self._store.call("GET", self._key(channel_id))))

    async def list(self) -> list[KnownPlace]:
        """Return all channels: those that wait for an administrator first, then those seen last."""
        members = texts(await self._store.call("ZREVRANGE", self._index, 0, -1))
        places: list[KnownPlace] = []
        for begin in range(0, len(members), PIECE):
            replies = await self._store.batch(*(("GET", self._key(one)) for one in members[begin : begin + PIECE]))
            found = (PLACES.find(text(reply)) for reply in replies)
            places += [place for place in found if place is not None]
        return places

    def _key(self, channel_id: str) -> str:
        return self._store.key("place", channel_id)


def _described(place: Place, confirmed: Audience | None, now: float) -> KnownPlace:
    return KnownPlace(place.channel_id, place.chat, place.workspace, place.channel, confirmed, place.audience, now, now)


def _narrower(confirmed: Audience | None, seen: Audience) -> Audience | None:
    return min(confirmed, seen, key=lambda audience: audience.width) if confirmed is not None else None
