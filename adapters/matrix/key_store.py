"""The encryption keys on the disk: opened for the device that made them, and never made anew behind its back."""

from __future__ import annotations

import os
import sqlite3

import peewee
from nio.crypto import ENCRYPTION_ENABLED

from adapters.matrix.errors import checked_call, translated
from adapters.matrix.nio_gaps import CarefulClient
from adapters.matrix.private_files import private_folder
from adapters.matrix.stored_session import SessionFolder, StoredSession
from bot.errors import SettingsError, StorageError
from bot.extras import installing

KEYS_QUERY = "/_matrix/client/v3/keys/query"
WAY_OUT = "restore them from a backup, or run `locus matrix login --new-device`, which cannot read older messages"


def require_encryption() -> None:
    """Check that matrix-nio can encrypt.

    Raises:
        SettingsError: If a package it needs for that is missing.
    """
    if not ENCRYPTION_ENABLED:
        raise SettingsError(
            f"matrix-nio is installed without encryption: run `{installing('matrix')}`, or set "
            "LOCUS_MATRIX_ENCRYPTION=false to stay out of encrypted rooms."
        )


def open_keys(client: CarefulClient, folder: SessionFolder, session: StoredSession) -> StoredSession:
    """Load the keys of the device into the client; keys of a new device are made.

    Returns:
        The session, with the fingerprint of its device.

    Raises:
        StorageError: If the keys are gone, damaged, another device's, or encrypted with another passphrase.
    """
    path = folder.database(session)
    if session.fingerprint and not (path.is_file() and path.stat().st_size):
        raise StorageError(f"The keys of Locus's Matrix device are gone from {path}: {WAY_OUT}.")
    private_folder(folder.path)
    private_folder(folder.keys)
    # SQLite keeps the rights of a file that is there already, for its journals as well.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    try:
        client.restore_login(session.user_id, session.device_id, session.access_token)
    except (peewee.PeeweeException, sqlite3.Error) as error:
        close_keys(client)
        raise StorageError(f"The keys of Locus's Matrix device in {path} are damaged: {WAY_OUT}.") from error
    except ValueError as error:  # what vodozemac raises
        close_keys(client)
        raise StorageError(
            f"The keys of Locus's Matrix device in {path} cannot be decrypted: set "
            f"LOCUS_MATRIX_STORE_PASSPHRASE to the one they were made with; otherwise {WAY_OUT}."
        ) from error
    if client.olm is None:
        raise SettingsError(f"matrix-nio has not loaded its keys: run `{installing('matrix')}`.")
    fingerprint = str(client.olm.account.identity_keys["ed25519"])
    if not session.fingerprint:
        return folder.save_fingerprint(session, fingerprint)
    if session.fingerprint != fingerprint:
        close_keys(client)
        raise StorageError(f"{path} holds no keys of Locus's Matrix device: {WAY_OUT}.")
    return session


def close_keys(client: CarefulClient) -> None:
    """Close the file of the keys; matrix-nio leaves it open."""
    if client.store is not None:
        client.store.database.close()


async def publish_keys(client: CarefulClient) -> None:
    """Let the homeserver have the keys of this device.

    Raises:
        StorageError: If it has other keys for this device already.
        UnavailableError: If it does not answer.
    """
    olm = client.olm
    if olm is None:
        return
    with translated():
        body: dict[str, object] = {"device_keys": {client.user_id: [client.device_id]}}
        answer = checked_call(*await client.call("POST", KEYS_QUERY, body))
        known = answer.get("device_keys", {}).get(client.user_id, {}).get(client.device_id)
        if known is None:
            olm.account.shared = False  # the device was deleted there and logged in again
        else:
            theirs = known.get("keys", {}).get(f"ed25519:{client.device_id}")
            if theirs != olm.account.identity_keys["ed25519"]:
                raise StorageError(
                    f"The homeserver has other keys for Locus's Matrix device than this folder: {WAY_OUT}."
                )
        if client.should_upload_keys:
            await client.keys_upload()
