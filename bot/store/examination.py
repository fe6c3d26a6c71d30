"""The Redis side of `locus doctor`: a given server as it is, or what a private one would be."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from bot.checks import Finding, Level, clock_finding
from bot.errors import BotError, SettingsError
from bot.extras import installing
from bot.hosts import is_loopback
from bot.store.addresses import Address, parse_address
from bot.store.binaries import find_program
from bot.store.facts import ServerFacts, require_usable
from bot.store.permitted import forbidden_commands, require_permitted
from bot.store.server_folder import ServerFolder

PART = "redis"


async def examine_redis(url: str, *, prefix: str = "locus", clock: Callable[[], float] = time.time) -> list[Finding]:
    """Look at the server that LOCUS_REDIS_URL names; nothing there is changed.

    Args:
        url: Its address.
        prefix: Of all keys.
        clock: Seconds since 1970.
    """
    try:
        address = parse_address(url)
        if find_spec("redis") is None:
            fix = f"install it with `{installing('run')}`."
            return [Finding(Level.ERROR, PART, "The extra run is not installed.", fix)]
        facts = await _facts(address)
        findings = [*_state(facts)]
        require_usable(facts)
        await _require_permitted(address, prefix)
    except BotError as error:
        sentence, _, fix = str(error).rpartition(": ")
        return [Finding(Level.ERROR, PART, f"{sentence}.", fix)]
    if facts.time is not None and address.host and not is_loopback(address.host):
        findings.append(clock_finding("the Redis server's", clock() - facts.time))
    return [*findings, await _access(address)]


def examine_private_redis(data_dir: Path) -> list[Finding]:
    """Say which server would hold the state, and how much there is; looks at files and starts `--version`."""
    try:
        program = find_program()
    except SettingsError as error:
        sentence, _, fix = str(error).partition(": ")
        return [Finding(Level.WARNING, PART, f"{sentence}.", fix)]
    origin = "of the extra redis-server" if program.bundled else f"at {program.path}"
    text = f"A private {program.name} ({origin}) keeps the state of `locus run`."
    if not program.mended:
        text += (
            " By its number it has the hole in scripting that CVE-2025-49844 names; it serves Locus alone, behind a "
            "socket that only this account reaches, with scripting forbidden."
        )
    findings = [Finding(Level.OK, PART, text)]
    folder = ServerFolder(data_dir)
    if folder.path.exists():
        used = f"{folder.size_bytes() / 1e6:,.1f} MB of state in {folder.path}"
        if folder.held():
            used += f", in use by process {folder.holder()[0]}"
        findings.append(Finding(Level.OK, PART, f"{used}."))
    return findings


async def _facts(address: Address) -> ServerFacts:
    from bot.store.client import Store
    from bot.store.opening import reach

    store = Store(address.url)
    try:
        return await reach(store, address.shown)
    finally:
        await store.close()


async def _require_permitted(address: Address, prefix: str) -> None:
    from bot.store.client import Store

    store = Store(address.url, prefix=prefix)
    try:
        require_permitted(await forbidden_commands(store))
    finally:
        await store.close()


def _state(facts: ServerFacts) -> Iterator[Finding]:
    limit = f" of {facts.memory_limit_bytes / 1e6:,.0f}" if facts.memory_limit_bytes else ""
    yield Finding(
        Level.OK,
        PART,
        f"{facts.name} at {facts.where}: {facts.persistence}, {facts.policy}, "
        f"{facts.memory_bytes / 1e6:,.1f}{limit} MB of memory used.",
    )
    if not facts.append_only:
        yield Finding(
            Level.WARNING,
            PART,
            "Its append-only file is off, so a restart of Redis would lose open questions.",
            "set appendonly yes.",
        )
    if facts.evicts and not facts.memory_limit_bytes:
        yield Finding(
            Level.WARNING,
            PART,
            f"It would throw keys away if it had a memory limit ({facts.policy}).",
            "set maxmemory-policy noeviction.",
        )


async def _access(address: Address) -> Finding:
    """Say who else could use the server."""
    if not address.host:
        return Finding(Level.OK, PART, "It is reached through a socket of this machine.")
    if is_loopback(address.host):
        return Finding(Level.OK, PART, "It is on this machine.")
    if await _obeys_anybody(address):
        return Finding(
            Level.ERROR,
            PART,
            f"The server at {address.host} obeys anybody who reaches it: it asks for no password.",
            "set a password (requirepass or an ACL user) and use rediss://.",
        )
    if not address.tls:
        return Finding(Level.WARNING, PART, "The server asks for a password, sent in clear text.", "use rediss://.")
    return Finding(Level.OK, PART, "It asks for a password, and the connection is encrypted.")


async def _obeys_anybody(address: Address) -> bool:
    if not address.has_password:
        return True  # it has just answered without one
    try:
        await _facts(dataclasses.replace(address, url=address.bare_url))
    except BotError:
        return False
    return True
