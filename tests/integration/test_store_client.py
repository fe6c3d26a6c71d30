"""The client: exchanges that are cut off, transactions that fail, subscriptions, many users of few connections."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from bot.errors import StorageError, UnavailableError
from bot.store import client
from bot.store.client import ConflictError, Store, Watch, number
from tests.redis_servers import RedisServer


async def test_a_cancelled_exchange_leaves_no_reply_behind() -> None:
    """Whoever gets the connection next reads its own reply, not the one nobody waited for."""
    with RedisServer() as server:
        store = Store(server.url, prefix="t")
        await store.batch(("SET", store.key("a"), "a"), ("SET", store.key("b"), "b"))
        for _ in range(client.CONNECTIONS + 5):
            server.freeze()
            task = asyncio.create_task(store.call("GET", store.key("a")))
            await asyncio.wait({task}, timeout=0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            server.thaw()
            assert "b" == await store.call("GET", store.key("b"))
        await store.close()


async def test_a_cancelled_transaction_is_whole_or_absent(store: Store) -> None:
    """Cancelling between sending and reading never leaves half of what belongs together."""
    for step in range(50):
        task = asyncio.create_task(
            store.transaction(("INCR", store.key("a")), ("SET", store.key("x"), step), ("INCR", store.key("b")))
        )
        for _ in range(step % 7):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        replies = await store.batch(("GET", store.key("a")), ("GET", store.key("b")))

        assert replies[0] == replies[1]


async def test_a_watched_key_that_changes_stops_the_transaction(store: Store) -> None:
    """The transaction does nothing and says that another was faster."""
    async with store.watch(store.key("a")) as watch:
        await watch.read(("GET", store.key("a")))
        await store.call("SET", store.key("a"), "theirs")
        with pytest.raises(ConflictError):
            await watch.commit(("SET", store.key("a"), "ours"))

    assert "theirs" == await store.call("GET", store.key("a"))


async def test_a_key_watched_later_counts_too(store: Store) -> None:
    """Keys that a reading step adds are watched from then on."""
    async with store.watch(store.key("a")) as watch:
        await watch.read(("GET", store.key("a")))
        await watch.read(("GET", store.key("b")), also=(store.key("b"),))
        await store.call("SET", store.key("b"), "theirs")
        with pytest.raises(ConflictError):
            await watch.commit(("SET", store.key("a"), "ours"))


async def test_what_one_user_watched_does_not_disturb_the_next(store: Store) -> None:
    """A block that is left without a commit gives its connection back with nothing watched."""
    async with store.watch(store.key("a")) as watch:
        await watch.read(("GET", store.key("a")))
    await store.call("SET", store.key("a"), "changed")

    assert ["OK"] == await store.transaction(("SET", store.key("c"), "1"))


async def test_attempts_from_many_sides_all_count(store: Store) -> None:
    """Thirty writers that read, add one and write lose none of their additions."""

    async def add(watch: Watch) -> None:
        (value,) = await watch.read(("GET", store.key("sum")))
        await watch.commit(("SET", store.key("sum"), number(value) + 1))

    await asyncio.gather(*(store.attempt(add, store.key("sum")) for _ in range(30)))

    assert "30" == await store.call("GET", store.key("sum"))


async def test_a_transaction_with_a_refused_command_does_nothing(store: Store) -> None:
    """A command that Redis does not take at all ends the transaction; the reason is what is raised."""
    with pytest.raises(StorageError, match=r"wrong number of arguments for 'set' command"):
        await store.transaction(("SET", store.key("a"), "1"), ("SET", store.key("b")))

    assert [None, "PONG"] == await store.batch(("GET", store.key("a")), ("PING",))


async def test_an_error_inside_a_transaction_is_raised(store: Store) -> None:
    """A command that fails while the transaction runs is an error, though Redis keeps the others' effect."""
    await store.call("SET", store.key("text"), "x")
    with pytest.raises(StorageError, match="LOCUS_REDIS_PREFIX"):
        await store.transaction(("SET", store.key("a"), "1"), ("RPUSH", store.key("text"), "1"))
    async with store.watch(store.key("a")) as watch:
        await watch.read(("GET", store.key("a")))
        with pytest.raises(StorageError, match="LOCUS_REDIS_PREFIX"):
            await watch.commit(("RPUSH", store.key("text"), "1"), ("SET", store.key("a"), "2"))

    assert "2" == await store.call("GET", store.key("a"))


async def test_an_error_among_others_is_raised_after_all_replies_were_read(store: Store) -> None:
    """The connection that had an error in the middle of a batch is in step afterwards."""
    await store.call("RPUSH", store.key("list"), "1")
    for _ in range(5):
        with pytest.raises(StorageError):
            await store.batch(("SET", store.key("a"), "1"), ("GET", store.key("list")), ("GET", store.key("a")))

        assert ["1", "PONG"] == await store.batch(("GET", store.key("a")), ("PING",))


async def test_more_users_than_connections_wait_for_their_turn(store: Store) -> None:
    """Ten times as many calls as connections are all answered."""
    calls = client.CONNECTIONS * 10
    replies = await asyncio.gather(*(store.call("INCR", store.key("n")) for _ in range(calls)))

    assert list(range(1, calls + 1)) == sorted(number(reply) for reply in replies)


async def test_texts_of_any_kind_come_back_as_they_were(store: Store) -> None:
    """Line ends, protocol marks and letters of all alphabets are data."""
    text = "a\r\n$3\r\n-ERR *1 µ θ 中 🧬 \x00 "
    await store.call("SET", store.key("t"), text)

    assert text == await store.call("GET", store.key("t"))


async def test_a_listener_hears_what_is_published(store: Store) -> None:
    """After the first None the subscription stands, and every text comes with its channel."""
    heard: list[tuple[str, str]] = []
    async with aclosing(store.listen(store.key("bell"), store.key("signal"))) as events:
        async for event in events:
            if event is None and not heard:
                await store.batch(("PUBLISH", store.key("signal"), "1"), ("PUBLISH", store.key("bell"), ""))
            elif event is not None:
                heard.append(event)
            if len(heard) == 2:
                break

    assert [(store.key("signal"), "1"), (store.key("bell"), "")] == heard


async def test_a_listener_says_that_the_server_went() -> None:
    """The listener ends with the error that every call has, so that its owner listens anew."""
    with RedisServer() as server:
        store = Store(server.url, prefix="t")
        async with aclosing(store.listen(store.key("bell"))) as events:
            assert await anext(events) is None
            server.stop()
            with pytest.raises(UnavailableError, match="does not answer"):
                while True:
                    await anext(events)
        await store.close()


async def test_closing_twice_and_after_the_server_has_gone_is_safe() -> None:
    """Closing raises nothing, whatever became of the server."""
    server = RedisServer()
    with server:
        store = Store(server.url, prefix="t")
        await store.call("PING")
    await store.close()
    await store.close()
