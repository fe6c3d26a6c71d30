"""Locus's account on a homeserver, as an operator looks after it: log in, look, log out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from adapters.matrix.cross_signing import CrossSigning, Standing
from adapters.matrix.errors import SessionEndedError
from adapters.matrix.key_store import WAY_OUT
from adapters.matrix.logging_in import NOT_LOGGED_IN, is_account, log_in, log_out, make_client, whoami
from adapters.matrix.options import Credentials, Options
from adapters.matrix.session import Session
from adapters.matrix.stored_session import SessionFolder, StoredSession
from bot.errors import NotFoundError, SettingsError, StorageError


@dataclass(frozen=True, slots=True)
class AccountState:
    """What is known of the account.

    Attributes:
        homeserver: Address of the client-server API.
        user_id: Such as @locus:example.org.
        device_id: Its device.
        valid: Whether the homeserver still accepts the session.
        fingerprint: Public key of the device; "" without encryption.
        keys: Whether the keys of the device are there.
        standing: Whether the account vouches for the device; None without encryption or a valid session.
    """

    homeserver: str
    user_id: str
    device_id: str
    valid: bool
    fingerprint: str
    keys: bool
    standing: Standing | None


class MatrixAccount:
    """Works on the same folder as `Session`; logging in and out needs that no other process is connected.

    Args:
        options: What the lab has chosen.
        folder: Such as DATA/matrix.
        credentials: What it logs in with.
    """

    def __init__(self, options: Options, folder: Path, credentials: Credentials) -> None:
        self._options = options
        self._folder = SessionFolder(folder)
        self._credentials = credentials

    @property
    def needs_password(self) -> bool:
        """Whether somebody has to be asked for a password before `log_in`."""
        return self._credentials.password is None and self._credentials.access_token is None

    async def log_in(
        self, password: SecretStr | None = None, *, new_device: bool = False, new_identity: bool = False
    ) -> AccountState:
        """Log in, as the same device as before where its keys are still there, and let the account vouch for it.

        Args:
            password: Of the account; the one of the settings without it.
            new_device: Give up the device of before: what was written to it cannot be read any more.
            new_identity: Replace a cross-signing identity that was not made here; whoever verified it is told.

        Raises:
            SettingsError: If the homeserver does not accept it, or the settings name another account than is logged in.
            StorageError: If the keys of the device are gone and no new device is wanted.
            UnavailableError: If the homeserver does not answer.
        """
        credentials = replace(self._credentials, password=password or self._credentials.password)
        known = None if new_device else await asyncio.to_thread(self._folder.load)
        if known is not None and (
            known.homeserver != self._options.homeserver or not is_account(self._options.user, known.user_id)
        ):
            raise SettingsError(f"Locus is logged in as {known.user_id}: run `locus matrix logout` first.")
        if new_device:
            await self._give_up()
        elif known is not None and not await self._is_valid(known):
            await self._renew(known, credentials)
        async with Session(self._options, self._folder.path, credentials) as session:
            if new_identity and session.standing is not None:
                signing = CrossSigning(session.client, self._folder.identity, credentials.password)
                await signing.ensure(replace=True)
        return await self.state()

    async def _renew(self, known: StoredSession, credentials: Credentials) -> None:
        """Get another session for the same device, so that its keys go on."""
        database = self._folder.database(known)
        if known.fingerprint and not database.is_file():
            raise StorageError(f"The keys of Locus's Matrix device are gone from {database}: {WAY_OUT}.")
        fresh = await log_in(self._options, credentials, device_id=known.device_id)
        same = fresh.device_id == known.device_id and fresh.user_id == known.user_id
        kept = replace(fresh, fingerprint=known.fingerprint) if same else fresh
        await asyncio.to_thread(self._folder.save, kept)

    async def _give_up(self) -> None:
        """Log the device of before out, if it still is one, and forget it. Its keys stay in the folder."""
        try:
            known = await asyncio.to_thread(self._folder.load)
        except StorageError:
            known = None  # damaged: there is nothing to log out with
        if known is not None:
            await log_out(replace(self._options, homeserver=known.homeserver), known.access_token)
        await asyncio.to_thread(self._folder.forget)

    async def _is_valid(self, known: StoredSession) -> bool:
        try:
            return (known.user_id, known.device_id) == await whoami(self._options, known.access_token)
        except SessionEndedError:
            return False

    async def state(self) -> AccountState:
        """Return how the account stands, changing nothing; also while another process is connected.

        Raises:
            NotFoundError: If Locus is not logged in.
            StorageError: If what is stored is damaged.
            UnavailableError: If the homeserver does not answer.
        """
        known = await asyncio.to_thread(self._folder.load)
        if known is None:
            raise NotFoundError(NOT_LOGGED_IN)
        options = replace(self._options, homeserver=known.homeserver)
        valid = await MatrixAccount(options, self._folder.path, self._credentials)._is_valid(known)
        standing = None
        if valid and known.fingerprint:
            client = make_client(options)
            client.user_id, client.device_id, client.access_token = known.user_id, known.device_id, known.access_token
            try:
                standing = await CrossSigning(client, self._folder.identity).standing()
            finally:
                await client.close()
        keys = await asyncio.to_thread(self._folder.database(known).is_file)
        return AccountState(known.homeserver, known.user_id, known.device_id, valid, known.fingerprint, keys, standing)

    async def valid_state(self) -> AccountState | None:
        """Return how the account stands if it needs no login, else None. Raises as `state`, without NotFoundError."""
        try:
            state = await self.state()
        except NotFoundError:
            return None
        right = state.homeserver == self._options.homeserver and is_account(self._options.user, state.user_id)
        fine = state.standing in (None, Standing.SIGNED) and (state.keys or not state.fingerprint)
        return state if right and state.valid and fine else None

    async def log_out(self) -> str:
        """End the session on the homeserver and forget it; the keys stay in the folder. Return whose it was.

        Raises:
            NotFoundError: If Locus is not logged in.
            UnavailableError: If the homeserver does not answer; nothing has changed then.
        """
        known = await asyncio.to_thread(self._folder.load)
        if known is None:
            raise NotFoundError(NOT_LOGGED_IN)
        await self._give_up()
        # Another account would not know the position, and the same one begins anew.
        await asyncio.to_thread(self._folder.position.unlink, missing_ok=True)
        return known.user_id
