"""The right of one process to post digests."""

from __future__ import annotations

from typing import Protocol

from bot.store.digest_subscriptions import Writer


class Mandate(Protocol):
    """The right to post and to write, which another process may have taken over: `bot.scheduling.jobs.Occasion`."""

    @property
    def attempt(self) -> Writer:
        """Run a transaction, if the right is still held."""
        ...

    def check(self) -> None:
        """Raise LostLeadershipError where the right is not held any more."""
        ...
