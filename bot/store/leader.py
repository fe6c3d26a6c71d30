"""One process of many that leads: a lock with a lease, and a number that keeps a former leader from writing.

A lease alone is not enough: a process that is stopped for longer than its lease still believes that it leads when it
goes on. So whatever a leader writes goes through `Leader.commit`, which changes nothing once another one has led.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from bot.errors import BotError
from bot.store.client import Command, Reply, Store, Watch, number, text
from bot.store.keys import KeyKind
from bot.store.records import Record

T = TypeVar("T")

LEADER_KEYS = (
    KeyKind("leader:*", "string", "LOCUS_LEASE_S, renewed while it leads", "one per role", "who leads, with its fence"),
    KeyKind("leader:*:fence", "string", "for good", "one number per role", "grows with each change of the leader"),
)


class LostLeadershipError(BotError):
    """Another process leads now, or may: the lease of this one had ended."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who leads; `fence` grows with each change of the leader."""

    holder: str
    fence: int


LEASES = Record(Lease)


def seconds_awake_or_not() -> float:
    """Return a clock that no setting of the time changes and that goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Leader:
    """One process' view of a role that one process at a time has.

    Args:
        store: Where.
        role: What is led, such as "scheduler".
        holder: Name of this process; unique over all processes and starts.
        lease_s: How long it leads after `acquire` or `renew`.
        clock: Seconds, growing at the pace of the server's.
    """

    def __init__(
        self,
        store: Store,
        role: str,
        holder: str,
        *,
        lease_s: float = 15.0,
        clock: Callable[[], float] = seconds_awake_or_not,
    ) -> None:
        self.role = role
        self.holder = holder
        self.lease_s = lease_s
        self._store = store
        self._key = store.key("leader", role)
        self._counter = store.key("leader", role, "fence")
        self._lease_ms = max(1, int(lease_s * 1000))
        self._clock = clock
        self._fence: int | None = None
        self._until = 0.0

    @property
    def fence(self) -> int | None:
        """The fence while this process leads as far as it can know by itself, else None."""
        return self._fence if self._clock() < self._until else None

    async def acquire(self) -> bool:
        """Lead if nobody does, or go on leading; True when this process leads.

        Raises:
            UnavailableError: If the server is away; the lease may still hold.
        """
        begun = self._clock()

        async def body(watch: Watch) -> int | None:
            replies = await watch.read(("GET", self._key), ("GET", self._counter))
            known = LEASES.find(text(replies[0]))
            if known is not None and known != self._mine:
                return None
            commands: list[Command] = []
            fence = known.fence if known is not None else number(replies[1]) + 1
            if known is None:
                commands.append(("SET", self._counter, fence))
            await watch.commit(*commands, self._write(Lease(self.holder, fence)))
            return fence

        return self._note(await self._store.attempt(body, self._key, self._counter), begun)

    async def renew(self) -> bool:
        """Go on leading; False when this process does not lead any more, whoever does."""
        begun = self._clock()

        async def body(watch: Watch) -> int | None:
            known = LEASES.find(text((await watch.read(("GET", self._key)))[0]))
            if known is None or known != self._mine:
                return None
            await watch.commit(self._write(known))
            return known.fence

        return self._note(await self._store.attempt(body, self._key), begun)

    async def resign(self) -> None:
        """Stop leading, so that another process can at once; does nothing where this one does not lead."""
        mine = self._mine
        self._fence = None

        async def body(watch: Watch) -> None:
            known = LEASES.find(text((await watch.read(("GET", self._key)))[0]))
            if known is not None and known == mine:
                await watch.commit(("DEL", self._key))

        await self._store.attempt(body, self._key)

    async def commit(self, *commands: Command, fence: int | None = None) -> list[Reply]:
        """Run all commands in one transaction if this process leads at that very moment, else none.

        Args:
            commands: What to run.
            fence: The fence under which the work was begun: leading again after another has led is then not enough.

        Raises:
            LostLeadershipError: If it does not.
        """

        async def body(watch: Watch) -> list[Reply]:
            return await watch.commit(*commands)

        return await self.attempt(body, fence=fence)

    async def attempt(self, body: Callable[[Watch], Awaitable[T]], *keys: str, fence: int | None = None) -> T:
        """Do as `Store.attempt` while this process leads: the first commit of `body` fails if it does not.

        Raises:
            LostLeadershipError: If it does not lead.
        """

        async def guarded(watch: Watch) -> T:
            known = LEASES.find(text((await watch.read(("GET", self._key)))[0]))
            if known is None or known != self._mine:
                self._fence = None
            if self._fence is None or fence not in (None, self._fence):
                raise LostLeadershipError(f"Another process has the role {self.role!r} now; this one changed nothing.")
            return await body(watch)

        return await self._store.attempt(guarded, self._key, *keys)

    @property
    def _mine(self) -> Lease | None:
        """The lease as it stands in the server if it is still this process'."""
        return None if self._fence is None else Lease(self.holder, self._fence)

    def _write(self, lease: Lease) -> Command:
        return ("SET", self._key, LEASES.dump(lease), "PX", self._lease_ms)

    def _note(self, fence: int | None, begun: float) -> bool:
        """Remember until when this process leads: counted from before the server was asked."""
        self._fence = fence
        self._until = begun + self.lease_s
        return self.fence is not None
