"""What GeneNetwork said before is given again, and asked whether it changed: in memory and in a real Redis."""

from __future__ import annotations

import asyncio
import zlib

import pytest

from bot.response_cache import CachedResponse, ResponseCache
from bot.store.client import Store
from bot.store.genenetwork_cache import LARGE_CHARS, SMALL_CHARS, SMALL_SLOTS, GeneNetworkCache
from knowledge.genenetwork.cache import MemoryCache
from tests.genenetwork import Clocks, client_of
from tests.gn_server import GeneNetworkServer
from tests.redis_servers import RedisServer

SPECIES = "/api/v_pre1/species"


@pytest.fixture(params=["memory", "redis"])
def cache(request: pytest.FixtureRequest, store: Store) -> ResponseCache:
    """Both of them."""
    return MemoryCache() if request.param == "memory" else GeneNetworkCache(store)


def answer(url: str = "http://a/b", body: str = '{"a": 1}', fetched_at: float = 5.0) -> CachedResponse:
    """An answer to keep."""
    return CachedResponse(url, "application/json", body, '"tag"', "Sat, 21 Nov 2026 10:00:00 GMT", fetched_at)


async def test_an_answer_is_kept_as_it_is(cache: ResponseCache) -> None:
    """With its validators and its time; another URL has none."""
    kept = answer(body='{"name": "Zürich 🐭"}')
    await cache.put(kept)

    assert kept == await cache.get("http://a/b")
    assert await cache.get("http://a/c") is None


async def test_a_later_answer_takes_the_place_of_an_earlier(cache: ResponseCache) -> None:
    """Also when it moves to another slot for its size."""
    large = answer(body="".join(chr(33 + zlib.crc32(b"%d" % n) % 90) for n in range(2 * SMALL_CHARS)), fetched_at=6.0)
    await cache.put(answer())
    await cache.put(large)

    assert large == await cache.get("http://a/b")


async def test_fresh_answers_cost_no_request_and_stale_ones_a_question(cache: ResponseCache) -> None:
    """The server says "not changed" and sends nothing again; the time becomes that of its word."""
    clocks = Clocks()
    async with GeneNetworkServer() as server, client_of(server, clocks=clocks, cache=cache) as opened:
        first = await opened.client.species()
        clocks.advance(3599)
        assert first == await opened.client.species()
        assert 1 == server.paths.count(SPECIES)
        clocks.advance(2)
        again = await opened.client.species()

        assert first.value == again.value
        assert 3601 == pytest.approx((again.fetched_at - first.fetched_at).total_seconds())
        assert "If-None-Match" in server.requests[-1].headers
        assert 2 == server.paths.count(SPECIES)


@pytest.mark.parametrize("validators", ["etag", "modified", "none"])
async def test_a_change_is_seen_with_every_kind_of_validator(cache: ResponseCache, validators: str) -> None:
    """Also where the server knows none."""
    clocks = Clocks()
    async with (
        GeneNetworkServer(validators=validators) as server,  # type: ignore[arg-type]
        client_of(server, clocks=clocks, cache=cache) as opened,
    ):
        before = (await opened.client.datasets("BXD")).value.total
        server.world.add_dataset("New_BXD_Liver_1126")
        clocks.advance(3601)

        assert before + 1 == (await opened.client.datasets("BXD")).value.total


async def test_two_processes_share_what_they_know(store: Store) -> None:
    """A second client asks nothing."""
    async with GeneNetworkServer() as server:
        async with client_of(server, cache=GeneNetworkCache(store)) as opened:
            await opened.client.map_trait("BXD", "10001")
        asked = len(server.requests)
        async with client_of(server, cache=GeneNetworkCache(store)) as opened:
            await opened.client.map_trait("BXD", "10001")

        # Only where GN3 stands is looked up by each process.
        assert ["/api3/version"] == server.paths[asked:]


async def test_errors_are_not_kept(cache: ResponseCache) -> None:
    """What was not there may be there a moment later."""
    async with GeneNetworkServer() as server, client_of(server, cache=cache) as opened:
        for _ in range(2):
            with pytest.raises(Exception, match="no public dataset"):
                await opened.client.dataset("Late_BXD_1126")
        server.world.add_dataset("Late_BXD_1126")
        server.world.publish("Late_BXD_1126")
        assert server.paths.count("/api/v_pre1/dataset/Late_BXD_1126") == 2


async def test_every_key_has_a_lifetime_and_their_number_a_limit(store: Store) -> None:
    """Three thousand answers take at most the slots there are."""
    cache = GeneNetworkCache(store)
    await asyncio.gather(*(cache.put(answer(f"http://a/{n}")) for n in range(3000)))
    cursor, keys = "0", set[str]()
    while True:
        reply = await store.call("SCAN", cursor, "MATCH", store.key("genenetwork", "*"), "COUNT", 1000)
        assert isinstance(reply, list)
        cursor = str(reply[0])
        assert isinstance(reply[1], list)
        keys |= {str(key) for key in reply[1]}
        if cursor == "0":
            break

    assert SMALL_SLOTS * 0.9 < len(keys) <= SMALL_SLOTS
    assert all(int(str(life)) > 0 for life in await store.batch(*(("PTTL", key) for key in sorted(keys))))


async def test_an_answer_that_is_too_large_is_not_kept(store: Store) -> None:
    """It would push out the others."""
    cache = GeneNetworkCache(store)
    body = "".join(chr(33 + zlib.crc32(b"%d" % n) % 90) for n in range(LARGE_CHARS))
    await cache.put(answer(body=body))
    small = MemoryCache(most_bytes=100)
    await small.put(answer(body="x" * 101))
    await small.put(answer("http://a/1", "x" * 60))
    await small.put(answer("http://a/2", "x" * 60))

    assert await cache.get("http://a/b") is None
    assert [None, None] == [await small.get("http://a/b"), await small.get("http://a/1")]
    assert await small.get("http://a/2") is not None


async def test_a_damaged_answer_counts_as_none(store: Store) -> None:
    """Whatever is in its place."""
    cache = GeneNetworkCache(store)
    await cache.put(answer())
    key = store.key("genenetwork", "small", str(zlib.crc32(b"http://a/b") % SMALL_SLOTS))
    good = str(await store.call("GET", key))
    for damaged in ("x", "{}", good.replace('"packed":"', '"packed":"!'), good.replace('"packed":"e', '"packed":"f')):
        await store.call("SET", key, damaged)
        assert await cache.get("http://a/b") is None


async def test_without_redis_the_service_still_answers() -> None:
    """A memory that is away costs time, not answers."""
    redis = RedisServer()
    with redis:
        store = Store(redis.url, prefix="t")
        async with GeneNetworkServer() as server, client_of(server, cache=GeneNetworkCache(store)) as opened:
            redis.stop()
            assert 3 == len((await opened.client.species()).value)
            assert 3 == len((await opened.client.species()).value)
            assert 2 == server.paths.count(SPECIES)
        await store.close()
