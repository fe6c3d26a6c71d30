"""What the steward's overview shows, put together from the stores."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from bot.commands.sources import shown_name
from bot.daily import CitedDocument, Day
from bot.digest.roster import Roster
from bot.errors import BotError, UnavailableError
from bot.health import Health, Part
from bot.ports import PUBLIC_SCOPE, IndexFacts
from bot.store.digest_subscriptions import Standing
from bot.store.inbox import Inbox
from bot.store.schedules import Schedules
from bot.store.standing import Queue, read_queue
from bot.store.tally import Tally

DAYS = 30
MOST_CITED = 12
MOST_DIGESTS = 50
MOST_SOURCES = 100


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source of documents.

    Attributes:
        name: For people.
        documents: Number of them.
        synced_at: Seconds since 1970, or None.
        failed: Why the last sync failed, or "".
        problems: Files it left out.
        first: A sentence for each of the first few.
    """

    name: str
    documents: int
    synced_at: float | None
    failed: str
    problems: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IndexCard:
    """The index.

    Attributes:
        revision: Its number.
        published_at: Seconds since 1970, or None before the first.
        rows: Sources that everybody may see, and those that never came in.
        more: Further ones.
        own: Documents that belong to single channels.
        problem: Why it cannot be shown, or "".
    """

    revision: int = 0
    published_at: float | None = None
    rows: tuple[SourceRow, ...] = ()
    more: int = 0
    own: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DigestRow:
    """A digest.

    Attributes:
        channel: Chat and channel.
        wish: What it tells of, and when.
        next_at: Seconds since 1970, or None where it does not run.
        ran_at: When it was last due and done, or None.
        last: What came of it.
        paused: Why it is paused, or "".
    """

    channel: str
    wish: str
    next_at: float | None
    ran_at: float | None
    last: str
    paused: str


@dataclass(frozen=True, slots=True)
class Overview:
    """All of it."""

    days: list[Day]
    cited: list[CitedDocument]
    queue: Queue
    parts: dict[str, Part]
    index: IndexCard
    digests: tuple[DigestRow, ...]
    more_digests: int


class OverviewReader:
    """Reads the overview.

    Args:
        tally: What happened on each day.
        inbox: What is open.
        health: How the parts of this process are.
        schedules: When digests ran.
        facts: Returns what is indexed; None in a process that does not know.
        roster: The digests; None in a process without.
        clock: Seconds since 1970, UTC.
    """

    def __init__(
        self,
        tally: Tally,
        inbox: Inbox,
        health: Health,
        schedules: Schedules,
        facts: Callable[[], Awaitable[IndexFacts]] | None,
        roster: Roster | None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self._tally = tally
        self._inbox = inbox
        self._health = health
        self._schedules = schedules
        self._facts = facts
        self._roster = roster

    async def read(self) -> Overview:
        """Return how things stand now.

        Raises:
            UnavailableError: If Redis is away.
        """
        days, cited, queue, index, (digests, more) = await asyncio.gather(
            self._tally.days(DAYS),
            self._tally.cited_most(DAYS, MOST_CITED),
            read_queue(self._inbox),
            self._index(),
            self._digests(),
        )
        return Overview(days, cited, queue, dict(sorted(self._health.parts.items())), index, digests, more)

    async def _index(self) -> IndexCard:
        if self._facts is None:
            return IndexCard(problem="This process answers no questions: the page of a worker shows the documents.")
        try:
            facts = await self._facts()
        except UnavailableError:
            raise
        except BotError as error:
            return IndexCard(problem=str(error))
        shown = [one for one in facts.syncs if one.scope == PUBLIC_SCOPE]
        rows = tuple(
            SourceRow(
                shown_name(one.name),
                one.documents,
                _seconds(one.synced_at),
                one.failed,
                one.problems,
                one.first,
            )
            for one in sorted(shown, key=lambda one: (not one.failed, -one.documents))[:MOST_SOURCES]
        )
        own = sum(one.documents for one in facts.syncs if one.scope != PUBLIC_SCOPE)
        return IndexCard(facts.revision, _seconds(facts.published_at), rows, len(shown) - len(rows), own)

    async def _digests(self) -> tuple[tuple[DigestRow, ...], int]:
        if self._roster is None:
            return (), 0
        standings = await self._roster.subscriptions.list()
        rows = [await self._digest(self._roster, one) for one in standings[:MOST_DIGESTS]]
        return tuple(rows), len(standings) - len(rows)

    async def _digest(self, roster: Roster, standing: Standing) -> DigestRow:
        one = standing.subscription
        due: datetime | None = None
        try:
            if not one.paused:
                due = await roster.next_date(one)
        except BotError as error:
            return DigestRow(_channel(standing), f"{one.interest.words}, {one.when}", None, None, "", str(error))
        return DigestRow(
            _channel(standing),
            f"{one.interest.words}, {one.when} ({one.zone})",
            due.timestamp() if due is not None else None,
            await self._schedules.last_run(one.schedule_id),
            _outcome(standing),
            one.paused,
        )


def _channel(standing: Standing) -> str:
    place = standing.subscription.place
    return f"{place.chat} {place.channel}"


def _outcome(standing: Standing) -> str:
    """Return what came of the last digest, as people read it."""
    progress, outgoing = standing.progress, standing.outgoing
    if outgoing is not None:
        return f"being posted: message {outgoing.done + 1} of {len(outgoing.parts)}"
    if progress.skipped:
        return progress.skipped
    if not progress.posted_at:
        return "nothing posted yet"
    return f"posted; {progress.told:,} dataset{'' if progress.told == 1 else 's'} told so far"


def _seconds(moment: str) -> float | None:
    """Return an ISO 8601 time as seconds since 1970, or None for ""."""
    return datetime.fromisoformat(moment).timestamp() if moment else None
