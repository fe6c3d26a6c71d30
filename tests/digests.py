"""GeneNetwork's datasets in memory, and what digests need around them in tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from bot.digest.charting import Charting
from bot.digest.datasets import Dataset, GroupKey, Listed, Listing
from bot.digest.digests import Digests
from bot.digest.interests import Interest
from bot.digest.parts import DigestParts
from bot.digest.subscriptions import JOB, Subscription, subscription_id
from bot.errors import UnavailableError
from bot.messages import Audience, Place, Sender
from bot.replies import Attachment
from bot.store.client import Store, Watch
from bot.store.conversations import Conversations
from bot.store.schedules import Schedule, Schedules
from bot.store.threads import JoinedThreads
from tests.fakes import MemoryChat
from tests.opinions import FakeClock

T = TypeVar("T")

BXD: GroupKey = ("mouse", "BXD")
HXB: GroupKey = ("rat", "HXBBXH")
PLACE = Place("memory", "w1", "c1", "", Audience.PRIVATE)
MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)


@dataclass
class Row:
    """A dataset as the catalogue in memory holds it."""

    listed: Listed
    dataset: Dataset
    public: bool = True


@dataclass
class MemoryCatalogue:
    """GeneNetwork in memory.

    Attributes:
        rows: All datasets, also those that are not public.
        unknown: Groups that answer nothing.
        away: True while it answers nothing at all.
        mute: Ids of datasets whose details cannot be told.
        asked: Ids of datasets whose details were asked for.
        looks: How often all was listed.
    """

    rows: list[Row] = field(default_factory=list)
    unknown: set[GroupKey] = field(default_factory=set)
    away: bool = False
    mute: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    looks: int = 0

    def add(self, name: str, *, key: GroupKey = BXD, public: bool = True, **changes: object) -> Row:
        """Add a dataset and return its row."""
        number = str(changes.pop("dataset_id", len(self.rows) + 100))
        type_name = str(changes.pop("type_name", "Hippocampus mRNA"))
        title = f"Title of {name}"
        dataset = Dataset(*key, "mrna", type_name, number, name, title, url=f"https://genenetwork.org/datasets/{name}")
        row = Row(Listed(*key, type_name, number, name, title), replace(dataset, **changes), public)  # type: ignore[arg-type]
        self.rows.append(row)
        return row

    async def listed(self) -> Listing:
        """List everything but the unknown groups."""
        self.looks += 1
        if self.away:
            raise UnavailableError("GeneNetwork does not answer.")
        groups: dict[GroupKey, tuple[Listed, ...]] = {}
        for row in self.rows:
            key = (row.listed.species, row.listed.group)
            if key not in self.unknown:
                groups[key] = (*groups.get(key, ()), row.listed)
        return Listing(groups, frozenset(self.unknown))

    async def details(self, listed: Listed) -> Dataset | None:
        """Return a dataset by its number and type."""
        self.asked.append(listed.dataset_id)
        if self.away or listed.dataset_id in self.mute:
            raise UnavailableError("GeneNetwork does not answer.")
        for row in self.rows:
            if row.listed == listed:
                return row.dataset if row.public else None
        return None


class NoCharting:
    """Draws a picture of one byte, and remembers of what."""

    def __init__(self) -> None:
        self.drawn: list[tuple[tuple[str, int], ...]] = []

    async def draw(self, counts: object) -> tuple[Attachment, ...]:
        """Draw nothing."""
        self.drawn.append(tuple(counts))  # type: ignore[arg-type]
        return (Attachment("new-datasets.png", "image/png", b"x", alt="Bars"),)


class Mandated:
    """A right to post that nobody takes away."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def attempt(self, body: Callable[[Watch], Awaitable[T]], *keys: str) -> T:
        """Run a transaction."""
        return await self._store.attempt(body, *keys)

    def check(self) -> None:
        """Go on."""


class DigestStage:
    """Digests around a catalogue and a chat in memory, on a real Redis.

    Attributes:
        now: The time, which only tests change.
    """

    def __init__(self, store: Store, catalogue: MemoryCatalogue | None = None, chat: MemoryChat | None = None) -> None:
        self.store = store
        self.catalogue = catalogue or MemoryCatalogue()
        self.chat = chat or MemoryChat()
        self.clock = FakeClock()
        self.clock.now = MONDAY.timestamp()
        self.charting: Charting = NoCharting()
        self.conversations = Conversations(store, days=30, tokens=4000)
        self.threads = JoinedThreads(store, days=30)
        self.mandate = Mandated(store)
        self.administrators: tuple[Sender, ...] = (Sender("memory", "w1", "boss"), Sender("memory", "w1", "nobody"))
        self.digests = self.make()

    def make(self) -> Digests:
        """Return the digests of a process."""
        parts = DigestParts(self.catalogue, self.charting, zone="UTC")
        return Digests(
            parts,
            self.store,
            lambda _: self.chat,
            self.conversations,
            self.threads,
            administrators=self.administrators,
            clock=self.clock,
        )

    async def look(self, *, quietly: bool = False) -> tuple[str, ...]:
        """Take a look and return the names of what is new."""
        report = await self.digests.looker.look(self.store.attempt, quietly=quietly)
        assert report is not None
        return tuple(one.name for one in report.new)

    async def subscribe(
        self, interest: Interest | None = None, *, quiet: bool = True, place: Place = PLACE
    ) -> Subscription:
        """Subscribe a channel to Mondays at 9."""
        wish = interest or Interest()
        handle = subscription_id(place, wish, "0 9 * * 1", "UTC")
        made = Subscription(handle, place, wish, "every Monday at 9:00", "0 9 * * 1", "UTC", quiet, self.clock())
        await self.digests.roster.begin(made)
        return made

    async def schedules(self) -> list[Schedule]:
        """Return the schedules of subscriptions."""
        return [one for one in await Schedules(self.store).list() if one.kind == JOB]

    async def announce(self, subscription: Subscription, due: datetime | None = None) -> int:
        """Post what is due."""
        at = due or datetime.fromtimestamp(self.clock(), UTC)
        return await self.digests.announcer.announce(subscription.subscription_id, at, self.mandate)

    def said(self) -> list[str]:
        """Return the names of all datasets that were posted, in order, as their links name them."""
        return [
            entry.url.rpartition("/")[2]
            for post in self.chat.posts.values()
            for section in post.now.sections
            for entry in section.entries
        ]
