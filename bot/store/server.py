"""The private server: started with Locus, watched, started again when it dies, and ended when Locus ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time

from bot.errors import BotError, StorageError, UnavailableError
from bot.store import redis_child
from bot.store.acl import USER
from bot.store.binaries import ServerProgram
from bot.store.child import Child
from bot.store.client import Store
from bot.store.errors import LOADING
from bot.store.server_folder import ServerFolder

logger = logging.getLogger(__name__)

STOP_S = 10.0  # a server that has not ended this long after SIGTERM is killed
START_S = 30.0  # a server that says nothing at all for this long will not start
ASK_EVERY_S = 0.01
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 10.0
STEADY_S = 10.0  # after living this long a server that dies is started again at once

_KEPT = ("PATH", "TZ", "LD_LIBRARY_PATH")


class PrivateServer:
    """A server for this process alone, on a socket in its folder.

    Args:
        folder: Whose lock this process holds.
        program: What to start.
        prefix: Of the keys that it gives access to.
        fsync: "everysec" or "always".
    """

    def __init__(self, folder: ServerFolder, program: ServerProgram, *, prefix: str, fsync: str) -> None:
        self.program = program
        self._folder = folder
        self._prefix = prefix
        self._fsync = fsync
        self._password = ""
        self._url = ""
        self._process: Child | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def process_id(self) -> int | None:
        """Of the running server."""
        return self._process.pid if self._process is not None and self._process.running else None

    def connect(self) -> Store:
        """Return a store on this server; the caller closes it."""
        return Store(self._url, prefix=self._prefix, username=USER, password=self._password)

    async def start(self) -> None:
        """Start, and wait until it has read its data.

        Raises:
            StorageError: If it does not start; the sentence says why.
        """
        await asyncio.to_thread(self._refuse_older)
        lock = await self._former_server_gone()
        try:
            # Only now: a former server reads and removes files of the same names until it has ended.
            self._password = await asyncio.to_thread(self._folder.write, prefix=self._prefix, fsync=self._fsync)
            self._url = await asyncio.to_thread(self._folder.url)
        finally:
            os.close(lock)
        await self._launch()
        self._watcher = asyncio.create_task(self._watch(), name="private-redis")

    async def stop(self) -> None:
        """Let it finish writing and end it; the files stay."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
            self._watcher = None
        await self._end()
        await asyncio.to_thread(self._folder.remove_socket)

    async def _launch(self) -> None:
        lock = await self._former_server_gone()
        try:
            offset = await asyncio.to_thread(self._folder.log_size)
            self._process = await self._spawn(lock)
        finally:
            os.close(lock)
        try:
            await self._ready(self._process, offset)
        except BaseException:
            await self._end()
            raise

    async def _spawn(self, lock: int) -> Child:
        with self._folder.writing():
            log = os.open(self._folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            return await Child.start(
                [
                    *(sys.executable, "-I", "-S", redis_child.__file__, str(os.getpid())),
                    *(str(self.program.path), str(self._folder.config)),
                ],
                output=log,
                keep=lock,
                environment={name: os.environ[name] for name in _KEPT if name in os.environ} | {"LC_ALL": "C"},
            )
        except OSError as error:
            raise StorageError(f"{self.program.path} cannot be started: {error.strerror or error}.") from error
        finally:
            os.close(log)

    async def _ready(self, process: Child, offset: int) -> None:
        """Wait until the server answers; as long as it reads its data, however much that is."""
        deadline = time.monotonic() + START_S
        store = self.connect()
        ended = asyncio.ensure_future(process.wait())
        try:
            while not ended.done():
                try:
                    await store.call("PING")
                except UnavailableError as error:
                    if str(error) == LOADING:
                        deadline = time.monotonic() + START_S
                    elif time.monotonic() > deadline:
                        raise StorageError(
                            f"{self.program.path} does not answer on its socket: look into {self._folder.log}."
                        ) from error
                    await asyncio.wait({ended}, timeout=ASK_EVERY_S)
                else:
                    return
            raise await asyncio.to_thread(self._failure, offset)
        finally:
            ended.cancel()
            await store.close()

    async def _former_server_gone(self) -> int:
        """Wait until a server of an earlier run has ended, which may still write; returns the lock for the new one."""
        begin = time.monotonic()
        asked: set[signal.Signals] = set()
        while (lock := self._folder.take_for_server()) is None:
            waited = time.monotonic() - begin
            how = signal.SIGKILL if waited > STOP_S else signal.SIGTERM
            process = await asyncio.to_thread(self._folder.former_server)
            if process is not None and how not in asked:
                asked.add(how)
                logger.info("waiting for the Redis of an earlier run (process %d) to end", process)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process, how)
            if waited > 2 * STOP_S:
                raise StorageError(
                    f"The Redis of an earlier run (process {process or 'unknown'}) still uses {self._folder.path} and "
                    "does not end: end it."
                )
            await asyncio.sleep(ASK_EVERY_S)
        return lock

    async def _watch(self) -> None:
        pause_s = FIRST_PAUSE_S
        while (process := self._process) is not None:
            begin = time.monotonic()
            code = await process.wait()
            ending = _ending(code, await asyncio.to_thread(self._folder.last_words, 0))
            logger.error("the private Redis ended (%s); it is started again", ending)
            if time.monotonic() - begin > STEADY_S:
                pause_s = FIRST_PAUSE_S
            told = ""
            while self.process_id is None:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                try:
                    await self._launch()
                except BotError as error:
                    if told != str(error):
                        logger.error("%s", error)
                    told = str(error)
            logger.warning("the private Redis is back")

    async def _end(self) -> None:
        process = self._process
        if process is None or not process.running:
            return
        process.send(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            logger.warning("the private Redis did not end within %.0f s and is killed", STOP_S)
            process.send(signal.SIGKILL)
            await process.wait()

    def _refuse_older(self) -> None:
        """Redis 7 moved the file into a folder, which older ones overlook: they would begin with nothing."""
        if self.program.number < (7,) and (self._folder.path / "appendonlydir").exists():
            raise StorageError(
                f"The state in {self._folder.path} was written by Redis 7 or later, which {self.program.name} cannot "
                "read: install a newer Redis or Valkey, or set LOCUS_REDIS_URL."
            )

    def _failure(self, offset: int) -> StorageError:
        words = self._folder.last_words(offset)
        reason = f" ({words})" if words else ""
        path = self._folder.append_only_file()
        begin = f"The private {self.program.name} does not start{reason}"
        if any(hint in words for hint in ("No space left", "Disk quota", "File too large")):
            return StorageError(f"{begin}: free space on the disk of {self._folder.path}.")
        if "RDB format version" in words:
            return StorageError(f"{begin}: the state was written by a newer server; install that one.")
        if path is not None and any(hint in words.lower() for hint in ("append only file", "aof", "rdb")):
            return StorageError(
                f"{begin}: {path} is damaged; copy {self._folder.path} to a safe place, then run "
                f"`redis-check-aof --fix {path}`, which cuts off what cannot be read."
            )
        return StorageError(f"{begin}: look into {self._folder.log}.")


def _ending(code: int, last_words: str) -> str:
    if code < 0:
        return f"signal {-code}"
    return f"exit code {code}: {last_words}" if last_words else f"exit code {code}"
