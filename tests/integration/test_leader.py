"""Leadership with fencing on a real Redis, with processes that are stopped beyond their lease."""

from __future__ import annotations

import asyncio
import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from bot.store.client import Store, Watch, number, text, texts
from bot.store.leader import Leader, LostLeadershipError
from tests.redis_servers import RedisServer

ROOT = Path(__file__).parents[2]


async def until(condition: Callable[[], Awaitable[object]], within_s: float = 20.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.002)


async def end_lease(store: Store, role: str = "test") -> None:
    """Let the lease end now, as it would by itself."""
    await store.call("PEXPIRE", store.key("leader", role), 1)
    await until(lambda: _gone(store, role))


async def _gone(store: Store, role: str) -> bool:
    return await store.call("EXISTS", store.key("leader", role)) == 0


async def test_one_of_many_leads(store: Store) -> None:
    """All try at the same time."""
    leaders = [Leader(store, "test", f"process {number}") for number in range(20)]

    won = await asyncio.gather(*(leader.acquire() for leader in leaders))

    assert 1 == sum(won)
    assert [1] == [leader.fence for leader in leaders if leader.fence is not None]


async def test_roles_are_led_on_their_own(store: Store) -> None:
    """Leading one says nothing about another."""
    assert await Leader(store, "one", "a").acquire()
    assert await Leader(store, "two", "b").acquire()


async def test_who_leads_goes_on_leading_with_the_same_fence(store: Store) -> None:
    """By acquiring again or renewing; the lease grows by it."""
    leader = Leader(store, "test", "a", lease_s=60)
    await leader.acquire()
    await store.call("PEXPIRE", store.key("leader", "test"), 1000)

    assert await leader.acquire()
    assert await leader.renew()
    assert 1 == leader.fence
    assert number(await store.call("PTTL", store.key("leader", "test"))) > 50_000


async def test_the_fence_grows_with_every_change(store: Store) -> None:
    """Also where the same process leads again after its lease had ended."""
    first, second = Leader(store, "test", "a"), Leader(store, "test", "b")
    fences = []
    for leader in (first, second, first, first):
        assert await leader.acquire()
        fences.append(leader.fence)
        await end_lease(store)

    assert [1, 2, 3, 4] == fences


async def test_resigning_lets_another_lead_at_once(store: Store) -> None:
    """Resigning again, or without leading, takes nothing from the other."""
    first, second = Leader(store, "test", "a"), Leader(store, "test", "b")
    await first.acquire()
    await first.resign()
    after = (first.fence, await second.acquire())
    await first.resign()

    assert (None, True) == after
    assert await second.renew()


async def test_renewing_without_leading_does_not_take_the_lead(store: Store) -> None:
    """Only `acquire` does."""
    leader = Leader(store, "test", "a")
    before = await leader.renew()
    await leader.acquire()
    await end_lease(store)

    assert (False, False, None) == (before, await leader.renew(), leader.fence)


async def test_a_process_of_the_same_name_does_not_inherit(store: Store) -> None:
    """One that was started again waits for the lease as everybody does."""
    await Leader(store, "test", "a").acquire()

    assert not await Leader(store, "test", "a").acquire()


async def test_by_its_own_clock_the_lead_ends_with_the_lease(store: Store) -> None:
    """Counted from before the server was asked, so earlier than the server's."""
    now = [100.0]
    leader = Leader(store, "test", "a", lease_s=10, clock=lambda: now[0])
    await leader.acquire()
    fences = [leader.fence]
    now[0] += 9.9
    fences.append(leader.fence)
    now[0] += 0.2
    fences.append(leader.fence)

    assert [1, 1, None] == fences


async def test_a_commit_of_who_does_not_lead_changes_nothing(store: Store) -> None:
    """Whether another leads, nobody does, or it never did."""
    first, second = Leader(store, "test", "a"), Leader(store, "test", "b")
    write = ("SET", store.key("x"), 1)
    with pytest.raises(LostLeadershipError):
        await first.commit(write)
    await first.acquire()
    await end_lease(store)
    with pytest.raises(LostLeadershipError):
        await first.commit(write)
    await second.acquire()
    with pytest.raises(LostLeadershipError):
        await first.commit(write)

    assert await store.call("GET", store.key("x")) is None
    await second.commit(write)
    assert "1" == await store.call("GET", store.key("x"))


async def test_work_begun_under_an_older_fence_is_refused(store: Store) -> None:
    """Leading again is not enough: another may have led in between."""
    leader = Leader(store, "test", "a")
    await leader.acquire()
    old = leader.fence
    await end_lease(store)
    await leader.acquire()

    with pytest.raises(LostLeadershipError):
        await leader.commit(("SET", store.key("x"), 1), fence=old)
    await leader.commit(("SET", store.key("x"), 2), fence=leader.fence)
    assert "2" == await store.call("GET", store.key("x"))


@pytest.mark.parametrize("taken", [True, False])
async def test_a_lease_that_ends_between_looking_and_writing_stops_the_writing(store: Store, *, taken: bool) -> None:
    """The moment that a lock without fencing misses; whether another took the lead or not."""
    first, second = Leader(store, "test", "a"), Leader(store, "test", "b")
    await first.acquire()

    async def slow(watch: Watch) -> None:
        await end_lease(store)
        if taken:
            await second.acquire()
        await watch.commit(("SET", store.key("x"), "by the former leader"))

    with pytest.raises(LostLeadershipError):
        await first.attempt(slow)
    assert await store.call("GET", store.key("x")) is None


async def test_a_commit_survives_its_own_renewals(store: Store) -> None:
    """They change the key that every commit watches; it is tried again."""
    leader = Leader(store, "test", "a")
    await leader.acquire()

    async def renewing() -> None:
        for _ in range(50):
            await leader.renew()

    writing = (leader.commit(("INCR", store.key("x"))) for _ in range(50))
    await asyncio.gather(renewing(), *writing)

    assert "50" == await store.call("GET", store.key("x"))


async def test_a_damaged_lease_is_replaced(store: Store) -> None:
    """What cannot be read names nobody; the fence grows all the same."""
    await Leader(store, "test", "a").acquire()
    await store.call("SET", store.key("leader", "test"), "{", "PX", 60_000)
    leader = Leader(store, "test", "b")

    assert await leader.acquire()
    assert 2 == leader.fence


async def test_stopped_beyond_its_lease_and_continued_a_process_never_writes_again_as_leader(
    store: Store, redis_server: RedisServer
) -> None:
    """Two processes write all they can; each in turn is stopped while the other takes the lead."""
    lease_s = 0.15
    command = [sys.executable, "-m", "tests.leading_process", redis_server.url, store.prefix]
    processes = {
        name: subprocess.Popen([*command, name, str(lease_s)], cwd=ROOT)  # noqa: ASYNC220 - two, short
        for name in ("a", "b")
    }

    async def leads(name: str) -> bool:
        return name == text(await store.call("LINDEX", store.key("log"), -1)).partition(" ")[0]

    async def written() -> int:
        return number(await store.call("LLEN", store.key("log")))

    async def more_than(count: int) -> bool:
        return await written() > count

    try:
        for _ in range(8):
            await until(written)
            name = text(await store.call("LINDEX", store.key("log"), -1)).partition(" ")[0]
            other = "b" if name == "a" else "a"
            processes[name].send_signal(signal.SIGSTOP)
            await until(partial(leads, other))
            processes[name].send_signal(signal.SIGCONT)
            await until(partial(more_than, await written() + 50))
    finally:
        for process in processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
    log = [entry.split(" ") for entry in texts(await store.call("LRANGE", store.key("log"), 0, -1))]
    turns = [(name, int(fence)) for (name, fence), _ in itertools.groupby(log, key=tuple)]

    assert sorted(turns, key=lambda turn: turn[1]) == turns
    assert len({fence for _, fence in turns}) == len(turns) >= 9
    assert number(await store.call("GET", store.key("lost"))) >= 1
