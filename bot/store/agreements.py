"""Who wants to be told when the documents answer what they did not answer, and the answers that are about to be told.

An agreement is used up by the message that tells the answer. What is about to be posted (an offer: all answers for one
conversation, in one message) is stored first, with the key of its post; see `bot.mending.offering`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from bot.evidence import Citation, CitedPassage
from bot.messages import Place, Sender, digest
from bot.store.client import Command, Store, Watch, text, texts
from bot.store.digest_subscriptions import Writer
from bot.store.keys import KeyKind
from bot.store.person_index import DAY_MS, PersonIndex
from bot.store.records import Record
from bot.store.timeline import Timeline

LIMIT = 5000
INDEX = "agreements"
RECORD = "agreement"

AGREEMENT_KEYS = (
    KeyKind(
        "agreement:*",
        "string",
        "LOCUS_RETENTION_DAYS, or until the answer is told",
        "5,000, some 2 kB each",
        "a question whose asker wants to be told when the documents answer it, and where",
    ),
    KeyKind("agreements", "zset", "LOCUS_RETENTION_DAYS", "5,000", "these by time"),
    KeyKind(
        "offer:*",
        "string",
        "LOCUS_RETENTION_DAYS, or until it is posted",
        "one per conversation, some 10 kB",
        "answers that are about to be told in a conversation",
    ),
    KeyKind("offers", "zset", "while it has members", "one member per offer", "these by time"),
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Somebody wants to be told.

    Attributes:
        request_id: The request that asked the question.
        place: Where it was asked, and where the answer will be told.
        sender: Who asked; without a name.
        question: As asked.
        at: When they said so; seconds since 1970, UTC.
        original: The request that asked the question first, see `bot.given.GivenAnswer.original`.
        known: Where the question had a bad answer: handles of the passages that were found for it then. None where the
            documents did not answer it.
        looked: Under what it was looked at last, or "": see `bot.mending.looking_again`.
    """

    request_id: str
    place: Place
    sender: Sender
    question: str
    at: float
    original: str
    known: tuple[str, ...] | None = None
    looked: str = ""

    @property
    def handle(self) -> str:
        """The same for the same question and person; it begins with the handle of the conversation."""
        return f"{self.place.conversation_id}.{digest('agreement', self.request_id, self.sender.person_id)}"


@dataclass(frozen=True, slots=True)
class OfferedAnswer:
    """One answer of an offer.

    Attributes:
        agreement: Who is told.
        text: The answer, with markers.
        citations: Ordered by n, from 1.
        passages: Behind the citations.
        confidence: As in `bot.evidence.Evidence`.
        scopes: What was searched.
        rests_on: Scopes of what it cites.
    """

    agreement: Agreement
    text: str
    citations: tuple[Citation, ...]
    passages: tuple[CitedPassage, ...]
    confidence: float
    scopes: tuple[str, ...]
    rests_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """What is about to be posted in a conversation.

    Attributes:
        key: Of the post; the same however often it is tried.
        handle: Of the answer, for its buttons.
        answers: In the order in which the questions were asked; never empty.
    """

    key: str
    handle: str
    answers: tuple[OfferedAnswer, ...]

    @property
    def place(self) -> Place:
        """Where."""
        return self.answers[0].agreement.place


AGREEMENTS = Record(Agreement)
OFFERS = Record(Offer)


class Agreements:
    """The agreements and offers of all conversations.

    Args:
        store: Where.
        days: Lifetime of an agreement.
        limit: Number of agreements; the oldest go.
        clock: Seconds since 1970.
    """

    def __init__(
        self, store: Store, *, days: float, limit: int = LIMIT, clock: Callable[[], float] = time.time
    ) -> None:
        self.days = days
        self._store = store
        self._clock = clock
        self._lifetime_ms = max(1, int(days * DAY_MS))
        self._offers = store.key("offers")
        self._people = PersonIndex(store, days=days, clock=clock)
        self._timeline = Timeline(
            store, index=INDEX, name=RECORD, records=AGREEMENTS, days=days, limit=limit, clock=clock
        )

    async def keep(self, agreement: Agreement) -> Sequence[Command]:
        """Return the commands that keep an agreement; keeping it again changes nothing but its lifetime."""
        return [
            *await self._timeline.keep(agreement.handle, agreement),
            *self._people.remember(agreement.sender.person_id, "agreement", agreement.handle),
        ]

    async def find(self, handle: str) -> Agreement | None:
        """Return an agreement, or None."""
        return await self._timeline.find(handle)

    async def of(self, person_id: str) -> Sequence[Agreement]:
        """Return the agreements of a person, newest first."""
        found = [await self.find(handle) for handle in await self._people.handles(person_id, "agreement")]
        return [one for one in found if one is not None]

    async def list(self, since: float | None = None) -> Sequence[Agreement]:
        """Return the agreements, newest first; `since` in seconds since 1970."""
        async with aclosing(self._timeline.newest(since)) as agreements:
            return [agreement async for agreement in agreements]

    async def note(self, agreement: Agreement, write: Writer) -> None:
        """Store how an agreement stands, unless it was withdrawn meanwhile."""
        key = self._key(agreement.handle)

        async def body(watch: Watch) -> None:
            if (await watch.read(("EXISTS", key)))[0]:
                await watch.commit(("SET", key, AGREEMENTS.dump(agreement), "KEEPTTL"))

        await write(body, key)

    async def forget(self, person_id: str, handle: str) -> bool:
        """Delete an agreement, and the answer that is about to be told for it; True when there was one."""
        conversation_id = handle.partition(".")[0]
        key, offer_key = self._key(handle), self._offer(conversation_id)

        async def body(watch: Watch) -> bool:
            known, stored = await watch.read(("EXISTS", key), ("GET", offer_key))
            await watch.commit(
                *self._timeline.forget(handle),
                self._people.gone(person_id, "agreement", handle),
                *self._without(conversation_id, OFFERS.find(text(stored)), {handle}),
            )
            return bool(known)

        return await self._store.attempt(body, key, offer_key)

    async def begin(self, offer: Offer, also: Sequence[Command], write: Writer) -> bool:
        """Store what is about to be posted; False when an agreement was withdrawn or another offer is on its way.

        Args:
            offer: What.
            also: Run in the same transaction.
            write: Runs it.
        """
        conversation_id = offer.place.conversation_id
        keys = [self._key(one.agreement.handle) for one in offer.answers]
        offer_key = self._offer(conversation_id)

        async def body(watch: Watch) -> bool:
            stored, *known = await watch.read(("EXISTS", offer_key), *(("EXISTS", key) for key in keys))
            if stored or not all(known):
                return False
            await watch.commit(
                ("SET", offer_key, OFFERS.dump(offer), "PX", self._lifetime_ms),
                ("ZADD", self._offers, self._clock(), conversation_id),
                *also,
            )
            return True

        return await write(body, offer_key, *keys)

    async def offers(self) -> Sequence[Offer]:
        """Return what is stored and not confirmed to be posted, the oldest first."""
        found: list[Offer] = []
        for conversation_id in texts(await self._store.call("ZRANGE", self._offers, 0, -1)):
            offer = await self.offer(conversation_id)
            if offer is None:
                await self._store.call("ZREM", self._offers, conversation_id)
            else:
                found.append(offer)
        return found

    async def offer(self, conversation_id: str) -> Offer | None:
        """Return what is about to be posted in a conversation, or None."""
        return OFFERS.find(text(await self._store.call("GET", self._offer(conversation_id))))

    async def take_back(self, offer: Offer, handles: Sequence[str], write: Writer) -> None:
        """Take answers out of an offer; their agreements stay."""
        conversation_id = offer.place.conversation_id
        offer_key = self._offer(conversation_id)

        async def body(watch: Watch) -> None:
            stored = OFFERS.find(text((await watch.read(("GET", offer_key)))[0]))
            await watch.commit(*self._without(conversation_id, stored, set(handles)))

        await write(body, offer_key)

    async def finish(self, offer: Offer, also: Sequence[Command], write: Writer) -> bool:
        """Store that an offer is visible, or never will be, which uses its agreements up; False when that was done.

        Args:
            offer: Which.
            also: Run in the same transaction where all that it tells is still stored.
            write: Runs it.
        """
        conversation_id = offer.place.conversation_id
        offer_key = self._offer(conversation_id)

        async def body(watch: Watch) -> bool:
            stored = OFFERS.find(text((await watch.read(("GET", offer_key)))[0]))
            if stored is None or stored.key != offer.key:
                return False
            used = [one.agreement for one in stored.answers]
            await watch.commit(
                ("DEL", offer_key),
                ("ZREM", self._offers, conversation_id),
                *(command for one in used for command in self._timeline.forget(one.handle)),
                *(self._people.gone(one.sender.person_id, "agreement", one.handle) for one in used),
                *(also if stored.answers == offer.answers else ()),
            )
            return True

        return await write(body, offer_key)

    def _without(self, conversation_id: str, offer: Offer | None, handles: set[str]) -> Sequence[Command]:
        """Return the commands that take answers out of an offer."""
        if offer is None:
            return []
        kept = tuple(one for one in offer.answers if one.agreement.handle not in handles)
        if kept == offer.answers:
            return []
        key = self._offer(conversation_id)
        if not kept:
            return [("DEL", key), ("ZREM", self._offers, conversation_id)]
        return [("SET", key, OFFERS.dump(replace(offer, answers=kept)), "KEEPTTL")]

    def _key(self, handle: str) -> str:
        return self._store.key(RECORD, handle)

    def _offer(self, conversation_id: str) -> str:
        return self._store.key("offer", conversation_id)
