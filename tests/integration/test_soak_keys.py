"""The soak's count of what is left in Redis."""

from __future__ import annotations

from bot.store.client import Store
from tests.soak.keys import documented_kinds, kind_of, take_stock


async def test_keys_that_end_and_keys_that_stay_as_documented_are_no_leak(store: Store) -> None:
    """A lease is gone when its lifetime has passed; a counter stays."""
    await store.batch(("SET", store.key("worker", "w1"), "1", "PX", 60_000), ("SET", store.key("counter"), 7))

    leftovers = await take_stock(store)

    assert [] == leftovers.leaked
    assert {"worker:*": 1, "counter": 1} == dict(leftovers.open)
    assert {"counter": 1} == dict(leftovers.kept)


async def test_leaks_are_found(store: Store) -> None:
    """A key nobody documented, one of another type, one without its lifetime, and lanes that are not empty."""
    await store.batch(
        ("SET", store.key("unheard-of"), 1, "PX", 60_000),
        ("RPUSH", store.key("counter"), 1),
        ("SET", store.key("worker", "w1"), 1),
        ("ZADD", store.key("delayed"), 1, "r1"),
    )

    leaked = (await take_stock(store)).leaked

    assert [
        "counter: a list, documented as string",
        "unheard-of: not documented",
        "delayed: 1 members, though nothing is open",
        "worker:w1: no lifetime, documented as 'LOCUS_LEASE_S'",
    ] == leaked


def test_a_key_is_of_the_most_specific_kind() -> None:
    """Where two patterns fit, the longer one counts."""
    kinds = documented_kinds()

    assert ["leader:*:fence", "leader:*"] == [
        kind.name for name in ("leader:scheduler:fence", "leader:scheduler") if (kind := kind_of(name, kinds))
    ]
