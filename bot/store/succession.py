"""What becomes of a worker's requests when it has died."""

from __future__ import annotations

from bot.store.claims import Claims, LostError
from bot.store.client import Watch, text
from bot.store.keys import GROUP, WAITING


class Succession:
    """Hands back what dead workers owned.

    Args:
        claims: Of the worker that looks.
    """

    def __init__(self, claims: Claims) -> None:
        self._inbox = claims.inbox
        self._store = claims.inbox.store
        self._keys = claims.inbox.keys
        self._worker_id = claims.worker_id

    async def take_over(self, *, everybody: bool = False) -> int:
        """Hand back what dead workers owned; returns how many requests that were.

        Args:
            everybody: Also of those whose lease has not ended: where it is known that no other process runs.
        """
        names = [name for name in await self._consumers() if name not in (WAITING, self._worker_id)]
        if not names:
            return 0
        if everybody:
            await self._store.call("DEL", *(self._keys.worker(name) for name in names))
        leases = await self._store.batch(*(("EXISTS", self._keys.worker(name)) for name in names))
        count = 0
        for name, lease in zip(names, leases, strict=True):
            if not lease:
                count += await self._bury(name)
        return count

    async def _bury(self, name: str) -> int:
        """Hand back a dead worker's requests and forget it."""
        dead = Claims(self._inbox, name)
        lease = self._keys.worker(name)
        count = 0
        for request in await dead.owned():
            try:
                await dead.hand_back(request, died=True)
                count += 1
            except LostError:
                continue

        async def body(watch: Watch) -> None:
            # One that was only slow and takes something now renews its lease by that, so nothing of it is forgotten.
            (alive,) = await watch.read(("EXISTS", lease))
            if not alive and not await dead.owned():
                await watch.commit(("XGROUP", "DELCONSUMER", self._keys.inbox, GROUP, name))

        await self._store.attempt(body, lease)
        return count

    async def _consumers(self) -> list[str]:
        replies = await self._store.call("XINFO", "CONSUMERS", self._keys.inbox, GROUP)
        names: list[str] = []
        for reply in replies if isinstance(replies, list) else []:
            fields = reply if isinstance(reply, list) else []
            names += [text(value) for name, value in zip(fields[::2], fields[1::2], strict=True) if name == "name"]
        return names
