"""What Redis refuses, and its absence, as sentences; real servers are brought into each state."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr
from redis import exceptions

from bot.checks import Level
from bot.errors import BotError, SettingsError, StorageError, UnavailableError
from bot.settings import Settings
from bot.store import client, errors
from bot.store.acl import COMMANDS, PROTOCOL
from bot.store.client import Store
from bot.store.errors import translate
from bot.store.examination import examine_redis
from bot.store.opening import open_store
from bot.store.permitted import forbidden_commands
from tests.redis_servers import RedisServer, cluster_port, free_port


@asynccontextmanager
async def opened(url: str, *, username: str | None = None, password: str | None = None) -> AsyncIterator[Store]:
    """A store that is closed at the end."""
    store = Store(url, prefix="t", username=username, password=password)
    try:
        yield store
    finally:
        await store.close()


async def until(
    answers: Callable[[], Awaitable[object]], sentences: set[str] | None = None, *, timeout_s: float = 20.0
) -> None:
    """Wait until something no longer raises that Redis is away; collect what it said until then."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            await answers()
        except UnavailableError as error:
            (sentences if sentences is not None else set()).add(str(error))
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        else:
            return


def test_every_class_of_the_library_has_a_translation() -> None:
    """An upgrade of the client library cannot bring an error that nobody has thought of."""
    classes = {
        value
        for value in vars(exceptions).values()
        if inspect.isclass(value) and issubclass(value, Exception) and value.__module__ == exceptions.__name__
    }

    assert set() == classes - set(errors.TRANSLATIONS)


def test_translations_are_one_sentence_each() -> None:
    """Whatever the class, the result is one of our errors, and a sentence that ends."""
    for kind in errors.TRANSLATIONS:
        error = translate(kind("12 host:1") if issubclass(kind, exceptions.AskError) else kind("reason"))

        assert isinstance(error, BotError)
        assert str(error).endswith(".")


def test_what_a_refused_command_was_given_is_left_out() -> None:
    """Redis repeats the arguments of a command it does not know; they may be somebody's question."""
    error = exceptions.ResponseError("unknown command `X`, with args beginning with: `what is my`, `secret`, ")

    assert "Redis refused a command: unknown command `X`." == str(translate(error))


async def test_full_memory_is_named_and_passes() -> None:
    """A server at its limit refuses to write, in transactions too, and works again when there is room."""
    with RedisServer(maxmemory="3mb") as server:
        async with opened(server.url) as store:
            with pytest.raises(UnavailableError, match=r"memory is full \(OOM\)"):
                for number in range(100):
                    await store.call("SET", store.key(str(number)), "x" * 100_000)
            await store.call("CONFIG", "SET", "maxmemory", "1mb")
            with pytest.raises(UnavailableError, match=r"memory is full \(OOM\)"):
                await store.transaction(("DEL", store.key("0")), ("SET", store.key("a"), "1"))
            with pytest.raises(UnavailableError, match=r"memory is full \(OOM\)"):
                await store.attempt(lambda watch: watch.commit(("SET", store.key("a"), "1")), store.key("a"))
            kept = await store.call("EXISTS", store.key("0"))
            await store.call("FLUSHALL")
            await store.call("CONFIG", "SET", "maxmemory", "3mb")
            written = await store.call("SET", store.key("a"), "1")

    assert (1, "OK") == (kept, written)


async def test_a_replica_is_named_and_works_once_it_is_promoted() -> None:
    """A replica can be read and says why it cannot be written."""
    port = free_port()
    with RedisServer(port=str(port)) as primary, RedisServer(replicaof=f"127.0.0.1 {port}") as replica:
        async with opened(primary.url) as above, opened(replica.url) as below:
            await above.call("SET", above.key("a"), "1")
            with pytest.raises(UnavailableError, match="read-only replica"):
                await below.call("SET", below.key("a"), "2")
            await below.call("REPLICAOF", "NO", "ONE")

            assert "OK" == await below.call("SET", below.key("a"), "2")


async def test_a_replica_without_its_primary_is_named() -> None:
    """A replica that may not show old data says that its primary is gone."""
    with RedisServer(replicaof=f"127.0.0.1 {free_port()}", **{"replica-serve-stale-data": "no"}) as server:
        async with opened(server.url) as store:
            with pytest.raises(UnavailableError, match="lost its primary"):
                await store.call("GET", store.key("a"))


async def test_too_few_replicas_are_named() -> None:
    """A server told to write only with replicas says that they are missing."""
    with RedisServer(**{"min-replicas-to-write": "1"}) as server:
        async with opened(server.url) as store:
            with pytest.raises(UnavailableError, match="too few of its replicas"):
                await store.call("SET", store.key("a"), "1")


async def test_a_node_of_a_cluster_is_named() -> None:
    """A node without slots says so for every key."""
    with RedisServer(port=str(cluster_port()), **{"cluster-enabled": "yes"}) as server:
        async with opened(server.url) as store:
            with pytest.raises(UnavailableError, match="cluster is down"):
                await store.call("GET", store.key("a"))


async def test_a_wrong_password_is_a_setting() -> None:
    """No password and a wrong one give the same sentence, which does not show it."""
    with RedisServer(requirepass="right") as server:
        for password in (None, "wrong-one"):
            async with opened(server.url, password=password) as store:
                with pytest.raises(SettingsError, match="user name or password of LOCUS_REDIS_URL") as caught:
                    await store.call("GET", store.key("a"))

                assert "wrong-one" not in str(caught.value)
        async with opened(server.url, password="right") as store:
            assert await store.call("GET", store.key("a")) is None


async def test_a_forbidden_command_is_named() -> None:
    """The sentence names the command and the page that lists what is needed."""
    with RedisServer() as server:
        async with opened(server.url) as store:
            await store.call("ACL", "SETUSER", "lab", "on", ">pw", "~t:*", "+get", "+multi", "+exec")
        async with opened(server.url, username="lab", password="pw") as store:
            with pytest.raises(SettingsError, match=r"docs/state.md.*'set'"):
                await store.call("SET", store.key("a"), "1")
            with pytest.raises(SettingsError, match="docs/state.md"):
                await store.transaction(("GET", store.key("a")), ("SET", store.key("a"), "1"))


async def test_a_user_who_may_do_too_little_is_refused_at_the_start() -> None:
    """Every command is looked at, none is run: a question would else be accepted and never finished."""
    with RedisServer() as server:
        rights = ("resetkeys", "~t:*", "+@all", "-hgetall", "-zincrby")
        async with opened(server.url) as store:
            await store.call("ACL", "SETUSER", "none", "on", ">pw", "~t:*", "+multi", "+exec", "+info")
            await store.call("ACL", "SETUSER", "lab", "on", ">pw", *rights)
            mine = await forbidden_commands(store)
            keys = await store.call("KEYS", "*")
        async with opened(server.url, username="none", password="pw") as store:
            nobodys = await forbidden_commands(store)
        settings = Settings(redis_url=SecretStr(server.url.replace("unix://", "unix://lab:pw@")), redis_prefix="t")
        with pytest.raises(SettingsError, match="may not run HGETALL, ZINCRBY, which Locus needs"):
            async with open_store(settings):
                raise AssertionError("opened")
        findings = await examine_redis(server.url.replace("unix://", "unix://lab:pw@"), prefix="t")

    assert ([], []) == (mine, keys)
    assert sorted(COMMANDS - PROTOCOL) == nobodys
    assert [(Level.ERROR, "The Redis user may not run HGETALL, ZINCRBY, which Locus needs.")] == [
        (finding.level, finding.text) for finding in findings
    ]


async def test_a_key_of_another_program_is_named() -> None:
    """A key of another type points at the prefix, alone and within a transaction."""
    with RedisServer() as server:
        async with opened(server.url) as store:
            await store.call("RPUSH", store.key("a"), "1")
            with pytest.raises(StorageError, match="LOCUS_REDIS_PREFIX"):
                await store.call("GET", store.key("a"))
            with pytest.raises(StorageError, match="LOCUS_REDIS_PREFIX"):
                await store.transaction(("GET", store.key("a")), ("SET", store.key("b"), "1"))


async def test_too_many_connections_count_as_away() -> None:
    """The second client of a server for one may not even read the reason, and comes in when the first has left."""
    with RedisServer(maxclients="1") as server:
        async with opened(server.url) as late:
            async with opened(server.url) as store:
                await until(lambda: store.call("PING"))
                with pytest.raises(UnavailableError, match="does not answer|maxclients"):
                    await late.call("PING")
            await until(lambda: late.call("PING"))


async def test_a_server_that_still_loads_is_named() -> None:
    """Until a restarted server has read its file, the sentence says that it is reading."""
    with RedisServer() as server:
        async with opened(server.url) as store:
            await store.batch(*(("SET", store.key(str(number)), "1") for number in range(4000)))
            server.stop()
            # As documented in redis.conf: slows loading down so that tests see it.
            server.options = {"key-load-delay": "500"}
            server.start(loaded=False)
            sentences: set[str] = set()
            await until(lambda: store.call("PING"), sentences)

            assert any("still reading its data" in sentence for sentence in sentences)

            assert "1" == await store.call("GET", store.key("3999"))


async def test_a_server_that_went_is_named_and_found_again() -> None:
    """While it is away every call says so; afterwards all idle connections are made anew without an error."""
    with RedisServer() as server:
        async with opened(server.url) as store:
            await asyncio.gather(*(store.call("SET", store.key(str(number)), number) for number in range(8)))
            server.stop()
            with pytest.raises(UnavailableError, match="does not answer"):
                await store.call("GET", store.key("3"))
            server.start()
            await until(lambda: store.call("PING"))
            found = await asyncio.gather(*(store.call("GET", store.key(str(number))) for number in range(8)))

    assert [str(number) for number in range(8)] == found


async def test_a_frozen_server_is_given_up_on_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts and says nothing counts as away, and no late reply of it is taken for another."""
    monkeypatch.setattr(client, "REPLY_TIMEOUT_S", 0.2)
    with RedisServer() as server:
        async with opened(server.url) as store:
            await store.batch(("SET", store.key("a"), "a"), ("SET", store.key("b"), "b"))
            server.freeze()
            with pytest.raises(UnavailableError, match="does not answer"):
                await store.call("GET", store.key("a"))
            server.thaw()

            assert "b" == await store.call("GET", store.key("b"))
