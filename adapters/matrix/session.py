"""Locus's session on its homeserver: logged in once, the same device with the same keys ever after."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.matrix.cross_signing import CrossSigning, Standing
from adapters.matrix.errors import LOG_IN_AGAIN, SessionEndedError
from adapters.matrix.key_store import close_keys, open_keys, publish_keys, require_encryption
from adapters.matrix.logging_in import is_account, log_in, make_client, whoami
from adapters.matrix.nio_gaps import CarefulClient
from adapters.matrix.options import Credentials, Options
from adapters.matrix.private_files import private_folder
from adapters.matrix.stored_session import SessionFolder, StoredSession
from bot.errors import BotError, SettingsError, StorageError, UnavailableError

logger = logging.getLogger(__name__)

FOREIGN = (
    "The Matrix account has a cross-signing identity that was not made here, so strict clients give Locus no keys: run "
    "`locus matrix login --new-identity`."
)
UNSIGNED = (
    "The homeserver takes no cross-signing identity without the password, so strict clients give Locus no keys: run "
    "`locus matrix login` once more with it."
)


class Session:
    """An async context manager: inside, `client` is logged in and holds its keys.

    Args:
        options: What the lab has chosen.
        folder: Where the session is kept, such as DATA/matrix.
        credentials: What it logs in with when no session is kept there.

    Attributes:
        client: matrix-nio's client, without its gaps.
        standing: Whether the account vouches for this device; None without encryption.
    """

    client: CarefulClient

    def __init__(self, options: Options, folder: Path, credentials: Credentials | None = None) -> None:
        self.options = options
        self.folder = SessionFolder(folder)
        self.standing: Standing | None = None
        self._credentials = credentials or Credentials()
        self._stack = AsyncExitStack()

    @property
    def user_id(self) -> str:
        """Who Locus is, such as @locus:example.org."""
        return self.client.user_id

    @property
    def device_id(self) -> str:
        """Its device."""
        return self.client.device_id or ""

    async def __aenter__(self) -> Self:
        """Log in or go on with the session that is kept.

        Raises:
            SettingsError: If there is nothing to log in with, the session was ended, or settings and session differ.
            StorageError: If the keys are gone or damaged, or another process is connected.
            UnavailableError: If the homeserver does not answer.
        """
        if self.options.encryption:
            require_encryption()
        async with AsyncExitStack() as stack:
            stack.callback(os.close, await asyncio.to_thread(self._lock))
            stored = await self._stored()
            self.client = await self._connect(stored, stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _lock(self) -> int:
        private_folder(self.folder.path)
        handle = os.open(self.folder.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise StorageError(
                f"Another Locus is connected to Matrix from {self.folder.path}: stop it first."
            ) from None
        return handle

    async def _stored(self) -> StoredSession:
        """Return the session to go on with, checked against the settings and the homeserver."""
        stored = await asyncio.to_thread(self.folder.load)
        given = self._credentials.access_token
        if stored is None:
            stored = await log_in(self.options, self._credentials)
            await asyncio.to_thread(self.folder.save, stored)
            return stored
        same_place = stored.homeserver == self.options.homeserver and is_account(self.options.user, stored.user_id)
        if not same_place:
            raise SettingsError(
                f"Locus is logged in as {stored.user_id} on {stored.homeserver}, which is not what the settings say: "
                "run `locus matrix logout` first, or correct LOCUS_MATRIX_HOMESERVER and LOCUS_MATRIX_USER."
            )
        with suppress(SessionEndedError):
            if (stored.user_id, stored.device_id) == await whoami(self.options, stored.access_token):
                return stored
        if given is not None and given.get_secret_value() != stored.access_token:
            fresh = await log_in(self.options, self._credentials)
            if (fresh.user_id, fresh.device_id) == (stored.user_id, stored.device_id):
                fresh = StoredSession(stored.homeserver, *_who(stored), fresh.access_token, stored.fingerprint)
                await asyncio.to_thread(self.folder.save, fresh)
                return fresh
        raise SessionEndedError(f"The Matrix homeserver has ended Locus's session: {LOG_IN_AGAIN}.")

    async def _connect(self, stored: StoredSession, stack: AsyncExitStack) -> CarefulClient:
        if not self.options.encryption:
            client = make_client(self.options)
            stack.push_async_callback(client.close)
            client.user_id, client.device_id = _who(stored)
            client.access_token = stored.access_token
            return client
        passphrase = await asyncio.to_thread(self.folder.passphrase, self._credentials.store_passphrase)
        database = self.folder.database(stored)
        client = make_client(self.options, keys=str(database.parent), database=database.name, passphrase=passphrase)
        stack.push_async_callback(client.close)
        stack.callback(close_keys, client)
        # On the event loop, as everything else that touches the keys: SQLite's connection belongs to one thread.
        open_keys(client, self.folder, stored)
        await publish_keys(client)
        self.standing = await self._vouch(client)
        return client

    async def _vouch(self, client: CarefulClient) -> Standing | None:
        """Let the account vouch for the device, if it may; encrypted rooms work for most people without it."""
        try:
            standing = await CrossSigning(client, self.folder.identity, self._credentials.password).ensure()
        except (StorageError, UnavailableError):
            raise
        except BotError as error:
            logger.warning("no cross-signing: %s", error)
            return Standing.UNSIGNED
        if standing is Standing.FOREIGN:
            logger.warning(FOREIGN)
        elif standing is Standing.UNSIGNED:
            logger.warning(UNSIGNED)
        return standing


def _who(stored: StoredSession) -> tuple[str, str]:
    return stored.user_id, stored.device_id
