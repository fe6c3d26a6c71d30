"""The right of one process to ask questions again and to tell the answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from bot.store.client import Command, Watch, number
from bot.store.inbox import Inbox
from bot.store.leader import Leader, LostLeadershipError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lead:
    """The lead under which something was begun. Implements `bot.digest.mandates.Mandate`.

    Attributes:
        leader: Of this process.
        fence: Of the lead.
        inbox: Tells whether people wait.
    """

    leader: Leader
    fence: int
    inbox: Inbox

    async def attempt(self, body: Callable[[Watch], Awaitable[T]], *keys: str) -> T:
        """Read, decide and write as `Store.attempt`, if no other process has led since.

        Raises:
            LostLeadershipError: If one has; nothing was written.
        """
        return await self.leader.attempt(body, *keys, fence=self.fence)

    async def commit(self, *commands: Command) -> None:
        """Write under the same condition; raises as `attempt`."""
        await self.leader.commit(*commands, fence=self.fence)

    def check(self) -> None:
        """Go on only while this process leads as far as it can know by itself: before what cannot be taken back.

        Raises:
            LostLeadershipError: If its lease has ended, or another process has led since.
        """
        if self.leader.fence != self.fence:
            raise LostLeadershipError("The lease ended while answers were told; another process goes on with it.")

    async def may_go_on(self) -> bool:
        """Return whether nobody waits for an answer; keeps the lead meanwhile.

        Raises:
            LostLeadershipError: If another process leads by now.
        """
        if not await self.leader.renew():
            raise LostLeadershipError("Another process asks open questions again now.")
        self.check()
        return not number(await self.inbox.store.call("XLEN", self.inbox.keys.inbox))
