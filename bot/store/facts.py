"""What a Redis server says of itself, and whether state can be entrusted to it."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import SettingsError

if TYPE_CHECKING:  # the doctor runs without the client library
    from bot.store.client import Store

logger = logging.getLogger(__name__)

OLDEST = (6, 2)
KEEPS_ALL = "noeviction"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server as it is now.

    Attributes:
        kind: "redis" or "valkey".
        version: Its own version.
        where: Its address for people, without password.
        append_only: Whether every write goes to an append-only file.
        fsync: "everysec" or "always" where it is known, else "".
        policy: What it does when its memory is full.
        memory_bytes: What it uses.
        memory_limit_bytes: What it may use; 0 is no limit.
        primary: False for a replica.
        cluster: Whether it is a node of a cluster.
        speaks: The version of Redis whose commands it has.
        time: Its clock, in seconds since 1970; None where it does not say.
    """

    kind: str
    version: str
    where: str
    append_only: bool
    fsync: str
    policy: str
    memory_bytes: int
    memory_limit_bytes: int
    primary: bool
    cluster: bool
    speaks: str
    time: float | None = None

    @property
    def name(self) -> str:
        """Kind and version, as "Redis 7.2.5"."""
        return f"{self.kind.capitalize()} {self.version}"

    @property
    def persistence(self) -> str:
        """How it keeps what was written, in words."""
        if not self.append_only:
            return "snapshots at most"
        return f"append-only file, fsync {self.fsync}" if self.fsync else "append-only file"

    @property
    def evicts(self) -> bool:
        """Whether it would throw keys away when its memory is full."""
        return self.policy not in ("", KEEPS_ALL)


async def read_facts(store: Store, *, where: str = "", fsync: str = "") -> ServerFacts:
    """Ask a server once; INFO is enough, as managed servers forbid CONFIG.

    Raises:
        UnavailableError: If it does not answer.
        SettingsError: If it does not let us in, or forbids INFO.
    """
    return parse_info(str(await store.call("INFO")), where=where, fsync=fsync)


def parse_info(text: str, *, where: str = "", fsync: str = "") -> ServerFacts:
    """Return the facts of INFO's text; what is missing there counts as what Redis has by default."""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    speaks = fields.get("redis_version", "")
    valkey = fields.get("valkey_version", "")
    append_only = fields.get("aof_enabled", "0") == "1"
    return ServerFacts(
        kind="valkey" if valkey or fields.get("server_name") == "valkey" else "redis",
        version=valkey or speaks,
        where=where,
        append_only=append_only,
        fsync=fsync if append_only else "",
        policy=fields.get("maxmemory_policy", ""),
        memory_bytes=_whole(fields.get("used_memory", "")),
        memory_limit_bytes=_whole(fields.get("maxmemory", "")),
        primary=fields.get("role", "master") == "master",
        cluster=fields.get("redis_mode") == "cluster" or fields.get("cluster_enabled") == "1",
        speaks=speaks,
        time=_whole(fields["server_time_usec"]) / 1e6 if fields.get("server_time_usec", "").strip().isdigit() else None,
    )


def require_usable(facts: ServerFacts) -> None:
    """Refuse a server that could lose what is entrusted to it, or lacks what Locus needs.

    Raises:
        SettingsError: With the sentence that says what to change.
    """
    if version_number(facts.speaks) < OLDEST:
        raise SettingsError(
            f"The server at {facts.where} is {facts.name}, and Locus needs 6.2 or later: upgrade it, or unset "
            "LOCUS_REDIS_URL for a private server."
        )
    if facts.cluster:
        raise SettingsError(
            f"The server at {facts.where} is a node of a cluster, over which Locus' transactions cannot run: set "
            "LOCUS_REDIS_URL to a single server."
        )
    if not facts.primary:
        raise SettingsError(
            f"The server at {facts.where} is a read-only replica: point LOCUS_REDIS_URL at the primary server."
        )
    if facts.evicts and facts.memory_limit_bytes:
        raise SettingsError(
            f"The server at {facts.where} throws keys away when its memory is full ({facts.policy}), and an evicting "
            "Redis would lose questions: set maxmemory-policy noeviction."
        )


def log_facts(facts: ServerFacts) -> None:
    """Say in the log which server it is, and warn where it could lose something."""
    logger.info("state is kept by %s at %s (%s)", facts.name, facts.where, facts.persistence)
    if not facts.append_only:
        logger.warning(
            "the append-only file of the server at %s is off, so a restart of Redis would lose open questions: set "
            "appendonly yes",
            facts.where,
        )
    if facts.evicts:
        logger.warning(
            "the server at %s would throw keys away if it had a memory limit (%s): set maxmemory-policy noeviction",
            facts.where,
            facts.policy,
        )


def version_number(version: str) -> tuple[int, ...]:
    """Return "7.2.5-rc1" as (7, 2, 5); () for what is no version."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _whole(value: str) -> int:
    return int(value) if value.strip().isdigit() else 0
