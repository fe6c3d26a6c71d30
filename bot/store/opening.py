"""Opening the shared state: a given server, checked before it is trusted, or a private one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from bot.errors import BotError, StorageError, UnavailableError
from bot.store.acl import USER
from bot.store.addresses import parse_address
from bot.store.binaries import find_program
from bot.store.client import Store
from bot.store.errors import AWAY
from bot.store.facts import ServerFacts, log_facts, read_facts, require_usable
from bot.store.permitted import forbidden_commands, require_permitted
from bot.store.server import PrivateServer
from bot.store.server_folder import ServerFolder

logger = logging.getLogger(__name__)

REACH_EVERY_S = 0.5
TAKE_EVERY_S = 0.01
REFUSE_AFTER_S = 0.3  # a Locus that is just ending, or a look at the lock, is no second Locus
COMMAND_S = 15.0  # how long a start waits for a command that uses the folder


class StoreSettings(Protocol):
    """The settings of the shared state."""

    @property
    def redis_url(self) -> SecretStr | None:
        """A server, or None for a private one."""

    @property
    def redis_prefix(self) -> str:
        """Begins every key."""

    @property
    def redis_fsync(self) -> str:
        """Of the private server: "everysec" or "always"."""

    @property
    def data_dir(self) -> Path:
        """Holds the private server's files."""


@asynccontextmanager
async def open_store(
    settings: StoreSettings, *, exclusive: bool = True, patience_s: float = 0.0
) -> AsyncIterator[Store]:
    """Yield the shared state, closed and, where it is private, ended at the end.

    Args:
        settings: Where it is.
        exclusive: False for a command that looks at the state while a service may be running; see `private_server`.
        patience_s: Seconds to wait for a given server that does not answer yet, as after a reboot of the machine.

    Raises:
        SettingsError: If the server is none to entrust questions to, or none is installed.
        StorageError: If another Locus holds the data folder, or the private server does not start.
        UnavailableError: If the given server does not answer.
    """
    if settings.redis_url is None:
        where = f"{ServerFolder(settings.data_dir).path} (private)"
        async with private_server(
            settings.data_dir, prefix=settings.redis_prefix, fsync=settings.redis_fsync, exclusive=exclusive
        ) as store:
            check(await read_facts(store, where=where, fsync=settings.redis_fsync), quiet=not exclusive)
            yield store
        return
    address = parse_address(settings.redis_url.get_secret_value())
    store = Store(address.url, prefix=settings.redis_prefix)
    try:
        check(await reach(store, address.shown, patience_s), quiet=not exclusive)
        if exclusive:
            require_permitted(await forbidden_commands(store))
        yield store
    finally:
        await store.close()


def check(facts: ServerFacts, *, quiet: bool) -> None:
    """Refuse a server that may lose state; say in the log which one it is unless `quiet`."""
    require_usable(facts)
    if not quiet:
        log_facts(facts)


async def reach(store: Store, shown: str, patience_s: float = 0.0) -> ServerFacts:
    """Return what a given server says of itself, asked again until `patience_s` is over.

    Raises:
        UnavailableError: If it does not answer; the sentence names its address, as `shown`, and the reason.
        SettingsError: If it does not let us in.
    """
    deadline = time.monotonic() + patience_s
    waiting = False
    while True:
        try:
            return await read_facts(store, where=shown)
        except UnavailableError as error:
            if time.monotonic() >= deadline:
                raise UnavailableError(_unreached(error, shown), retry_after_s=error.retry_after_s) from error
            if not waiting:
                logger.warning("waiting for the Redis server at %s", shown)
            waiting = True
        await asyncio.sleep(REACH_EVERY_S)


def _unreached(error: UnavailableError, shown: str) -> str:
    if str(error) != AWAY:
        return f"The Redis server at {shown} cannot be used. {error}"
    reason = str(error.__cause__ or "").rstrip(".") or type(error.__cause__).__name__
    return f"The Redis server at {shown} does not answer ({reason}): start it, or check LOCUS_REDIS_URL."


@asynccontextmanager
async def private_server(data_dir: Path, *, prefix: str, fsync: str, exclusive: bool) -> AsyncIterator[Store]:
    """Yield a store on the server of a data folder, which runs at least as long.

    Args:
        data_dir: The folder of all state.
        prefix: Of all keys.
        fsync: "everysec" or "always".
        exclusive: Whether this is a service, which owns the folder alone. A command (False) uses the server of the
            service that runs, and else has one started for its own time.

    Raises:
        StorageError: If another Locus holds the folder, or the server does not start.
        SettingsError: If no server is installed.
    """
    folder = ServerFolder(data_dir)
    await asyncio.to_thread(folder.prepare)
    begin = time.monotonic()
    while (handle := folder.take()) is None:
        waited = time.monotonic() - begin
        if not exclusive and (store := await _running(folder, prefix)) is not None:
            try:
                yield store
            finally:
                await store.close()
            return
        holder, command = await asyncio.to_thread(folder.holder)
        if waited > (COMMAND_S if command or not exclusive else REFUSE_AFTER_S):
            raise StorageError(_taken(folder, holder, exclusive=exclusive))
        await asyncio.sleep(TAKE_EVERY_S)
    try:
        await asyncio.to_thread(folder.sign, handle, command=not exclusive)
        server = PrivateServer(folder, await asyncio.to_thread(find_program), prefix=prefix, fsync=fsync)
        try:
            await server.start()
            store = server.connect()
            try:
                yield store
            finally:
                await store.close()
        finally:
            await server.stop()
    finally:
        folder.release(handle)


async def _running(folder: ServerFolder, prefix: str) -> Store | None:
    """Return a store on the server that another process has started, or None while it does not answer."""
    url, password = await asyncio.to_thread(folder.url), await asyncio.to_thread(folder.password)
    store = Store(url, prefix=prefix, username=USER, password=password)
    try:
        await store.call("PING")
    except BotError:  # it is starting, and the password may still be that of the time before
        await store.close()
        return None
    except BaseException:
        await store.close()
        raise
    return store


def _taken(folder: ServerFolder, holder: str, *, exclusive: bool) -> str:
    if exclusive:
        return (
            f"Another Locus (process {holder}) uses {folder.path.parent}: end it, give this one a folder of its own "
            "(LOCUS_DATA_DIR), or let both share a server (LOCUS_REDIS_URL)."
        )
    return f"The Redis of the Locus that runs (process {holder}) does not answer: look into {folder.log}."
