"""What became of questions without a good answer: answered by now, or put aside by the steward.

Both are kept by the handle of the request that asked; neither holds the question or who asked it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from bot.evidence import Citation
from bot.messages import digest
from bot.plain_text import without_controls
from bot.store.client import Command, Store, Watch, text
from bot.store.digest_subscriptions import Writer
from bot.store.gaps import RECORD
from bot.store.keys import KeyKind
from bot.store.records import Record
from bot.store.timeline import Timeline

FINDINGS_LIMIT = 10_000  # 5,000 unanswered questions, and as many that were judged
ASIDES_LIMIT = 1000
MAX_REASON_CHARS = 500
MAX_REFERENCES = 5000

GAP_STATE_KEYS = (
    KeyKind(
        "finding:*",
        "string",
        "LOCUS_RETENTION_DAYS",
        "10,000, some 3 kB each",
        "what the documents say now to a question without a good answer; not the question",
    ),
    KeyKind("findings", "zset", "LOCUS_RETENTION_DAYS", "10,000", "these by time"),
    KeyKind(
        "aside:*",
        "string",
        "LOCUS_RETENTION_DAYS",
        "1,000, some 1 kB each",
        "handles of questions that the steward has put aside, and why",
    ),
    KeyKind("asides", "zset", "LOCUS_RETENTION_DAYS", "1,000", "these by time"),
    KeyKind("gaps:looked", "string", "for good", "one record", "under which documents open questions were asked again"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the documents say now to a question.

    Attributes:
        reference: The request that asked it.
        at: When that was found; seconds since 1970, UTC.
        text: The new answer, with markers; "" where there is none yet.
        citations: Its documents.
        rests_on: Scopes of what it cites.
        known: Handles of the passages that were found when a bad answer was judged; None where there was no answer.
    """

    reference: str
    at: float
    text: str = ""
    citations: tuple[Citation, ...] = ()
    rests_on: tuple[str, ...] = ()
    known: tuple[str, ...] | None = None

    @property
    def answered(self) -> bool:
        """True where there is a new answer."""
        return bool(self.text)


@dataclass(frozen=True, slots=True)
class Aside:
    """Questions that the steward has put aside.

    Attributes:
        handle: Of this decision.
        references: The requests that asked them.
        reason: In the steward's words.
        at: When; seconds since 1970, UTC.
    """

    handle: str
    references: tuple[str, ...]
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Looked:
    """When all open questions were asked again: under what signature, and seconds since 1970, UTC."""

    signature: str
    at: float


FINDINGS = Record(Finding)
ASIDES = Record(Aside)
LOOKED = Record(Looked)


class GapStates:
    """Keeps what became of questions.

    Args:
        store: Where.
        days: For how long.
        clock: Seconds since 1970.
    """

    def __init__(self, store: Store, *, days: float, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._looked = store.key("gaps", "looked")
        self._findings = Timeline(
            store,
            index="findings",
            name="finding",
            records=FINDINGS,
            days=days,
            limit=FINDINGS_LIMIT,
            clock=clock,
        )
        self._asides = Timeline(
            store, index="asides", name="aside", records=ASIDES, days=days, limit=ASIDES_LIMIT, clock=clock
        )

    async def findings(self) -> dict[str, Finding]:
        """Return what was found, by the request that asked."""
        async with aclosing(self._findings.newest()) as found:
            return {one.reference: one async for one in found}

    async def note(self, finding: Finding, write: Writer, *, unanswered: bool) -> None:
        """Store what was found.

        Args:
            finding: What.
            write: Runs it.
            unanswered: True for a question that the documents did not answer: nothing is stored where that was deleted
                meanwhile. What belongs to a judgement is looked after by `bot.mending.gap_questions`.
        """
        key = self._store.key(RECORD, finding.reference)
        commands = await self._findings.keep(finding.reference, finding)

        async def body(watch: Watch) -> None:
            if (await watch.read(("EXISTS", key)))[0] or not unanswered:
                await watch.commit(*commands)

        await write(body, key)

    def lose(self, references: Iterable[str]) -> list[Command]:
        """Return the commands that forget what was found for some questions."""
        return [command for reference in references for command in self._findings.forget(reference)]

    async def asides(self) -> list[Aside]:
        """Return what was put aside, the newest first."""
        async with aclosing(self._asides.newest()) as found:
            return [one async for one in found]

    async def put_aside(self, references: Sequence[str], reason: str) -> None:
        """Put questions aside."""
        now = self._clock()
        kept = tuple(references[:MAX_REFERENCES])
        handle = digest("aside", *sorted(kept), str(now))
        aside = Aside(handle, kept, without_controls(reason.strip()[:MAX_REASON_CHARS]), now)
        await self._store.transaction(*await self._asides.keep(handle, aside))

    async def take_back(self, references: Collection[str]) -> bool:
        """Undo every decision about one of these questions; False where there is none."""
        wanted = set(references)
        handles = [one.handle for one in await self.asides() if wanted & set(one.references)]
        if handles:
            await self._store.transaction(*(command for one in handles for command in self._asides.forget(one)))
        return bool(handles)

    async def looked(self) -> Looked | None:
        """Return when all open questions were asked again, or None."""
        return LOOKED.find(text(await self._store.call("GET", self._looked)))

    def looking_done(self, signature: str, at: float) -> Command:
        """Return the command that stores that they were."""
        return ("SET", self._looked, LOOKED.dump(Looked(signature, at)))
