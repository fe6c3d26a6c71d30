"""A process that leads whenever it can and writes all the time; started by the tests of the leader.

Run as `python -m tests.leading_process URL PREFIX NAME LEASE_S`. What it commits as leader is appended to the list
`log` as "NAME FENCE"; how often it was refused is counted in `lost`.
"""

from __future__ import annotations

import asyncio
import sys

from bot.store.client import Store
from bot.store.leader import Leader, LostLeadershipError


async def main(url: str, prefix: str, name: str, lease_s: float) -> None:
    """Lead and write until killed."""
    store = Store(url, prefix=prefix)
    leader = Leader(store, "test", name, lease_s=lease_s)
    while True:
        if not await leader.acquire():
            await asyncio.sleep(lease_s / 20)
            continue
        try:
            for _ in range(20):
                await leader.commit(("RPUSH", store.key("log"), f"{name} {leader.fence}"))
        except LostLeadershipError:
            await store.call("INCR", store.key("lost"))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])))
