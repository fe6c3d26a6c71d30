"""What INFO says, and what it means for the questions that are entrusted to the server."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.store.binaries import ServerProgram
from bot.store.facts import log_facts, parse_info, require_usable, version_number

INFO = (
    "# Server\r\nredis_version:7.2.4\r\n{more}redis_mode:standalone\r\n# Memory\r\nused_memory:1048576\r\n"
    "maxmemory:0\r\nmaxmemory_policy:noeviction\r\n# Persistence\r\naof_enabled:1\r\n# Replication\r\nrole:master\r\n"
)


def test_a_valkey_server_is_told_from_redis() -> None:
    """Valkey names the Redis whose commands it has, and its own version."""
    facts = parse_info(INFO.format(more="server_name:valkey\r\nvalkey_version:8.1.4\r\n"), where="w", fsync="always")

    assert ("Valkey 8.1.4", "7.2.4", "append-only file, fsync always") == (facts.name, facts.speaks, facts.persistence)
    require_usable(facts)


def test_fsync_of_a_given_server_is_not_guessed() -> None:
    """Without CONFIG nobody knows it, and without an append-only file it means nothing."""
    text = INFO.format(more="")

    assert "append-only file" == parse_info(text).persistence
    assert "snapshots at most" == parse_info(text.replace("aof_enabled:1", "aof_enabled:0"), fsync="always").persistence


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("redis_version:7.2.4", "redis_version:6.0.16", "is Redis 6.0.16, and Locus needs 6.2 or later"),
        ("redis_version:7.2.4\r\n", "", "Locus needs 6.2 or later"),
        ("role:master", "role:slave", "read-only replica"),
        ("standalone", "cluster", "node of a cluster"),
        ("maxmemory:0\r\nmaxmemory_policy:noeviction", "maxmemory:9\r\nmaxmemory_policy:allkeys-lfu", "lose questions"),
    ],
)
def test_an_unfit_server_is_refused(old: str, new: str, sentence: str) -> None:
    """Each reason has a sentence that names the server and what to change."""
    facts = parse_info(INFO.format(more="").replace(old, new), where="redis://h:6379")
    with pytest.raises(SettingsError, match="redis://h:6379") as caught:
        require_usable(facts)

    assert sentence in str(caught.value)


def test_a_policy_without_a_limit_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """A server that would evict if it had a limit works today."""
    caplog.set_level(logging.WARNING, "bot.store.facts")
    facts = parse_info(INFO.format(more="").replace("noeviction", "allkeys-lru"), where="w")
    require_usable(facts)
    log_facts(facts)

    assert "(allkeys-lru): set maxmemory-policy noeviction" in caplog.text


def test_versions_compare_as_numbers() -> None:
    """7.10 is later than 7.9, and what is no version is earlier than all."""
    assert version_number("7.10.0-rc1") > version_number("7.9.9") > version_number("unknown") == ()


@pytest.mark.parametrize(
    ("kind", "version", "mended"),
    [
        ("redis", "6.2.14", False),
        ("redis", "6.2.20", True),
        ("redis", "7.0.15", False),
        ("redis", "8.2.1", False),
        ("redis", "8.4.0", True),
        ("valkey", "8.0.6", True),
        ("valkey", "7.2.5", False),
        ("valkey", "9.0.0", True),
    ],
)
def test_the_hole_in_scripting_is_known_by_number(kind: str, version: str, mended: bool) -> None:
    """Each line of versions has its own first mended one."""
    assert mended is ServerProgram(Path("/bin/redis-server"), kind, version).mended
