"""The session that is kept in the data folder: who Locus is on its homeserver, and where its keys are."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr

from adapters.matrix.private_files import private_folder, read_private, write_private
from bot.errors import StorageError

SESSION_FILE = "session.json"
KEYS_FOLDER = "keys"
PASSPHRASE_FILE = "passphrase.json"  # noqa: S105 - a file name
IDENTITY_FILE = "cross-signing.json"
POSITION_FILE = "position.json"
LOCK_FILE = "lock"


@dataclass(frozen=True, repr=False)
class StoredSession:
    """A session on a homeserver.

    Attributes:
        homeserver: Address of the client-server API.
        user_id: Such as @locus:example.org.
        device_id: The device that the homeserver knows.
        access_token: What proves it.
        fingerprint: Public Ed25519 key of the device, as soon as its keys were made; "" before, and without encryption.
    """

    homeserver: str
    user_id: str
    device_id: str
    access_token: str
    fingerprint: str = ""


class SessionFolder:
    """The folder `matrix` of the data folder; made when it is first written to.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def identity(self) -> Path:
        """Seeds of the cross-signing keys."""
        return self.path / IDENTITY_FILE

    @property
    def position(self) -> Path:
        """Up to where events were accepted."""
        return self.path / POSITION_FILE

    @property
    def lock(self) -> Path:
        """Held by the process that is connected."""
        return self.path / LOCK_FILE

    @property
    def keys(self) -> Path:
        """Folder of the encryption keys."""
        return self.path / KEYS_FOLDER

    def database(self, session: StoredSession) -> Path:
        """File of the encryption keys of a session's device."""
        return self.keys / f"{quote(session.device_id, safe='')}.db"  # named by the homeserver

    def load(self) -> StoredSession | None:
        """Return the session, or None when nobody has logged in.

        Raises:
            StorageError: If its file is damaged.
        """
        content = read_private(self.path / SESSION_FILE)
        if content is None:
            return None
        names = ("homeserver", "user_id", "device_id", "access_token", "fingerprint")
        values = [content.get(name) for name in names]
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) != len(names) or not all(texts[:4]):
            raise StorageError(
                f"{self.path / SESSION_FILE} is damaged: restore it from a backup, or run "
                "`locus matrix login --new-device`."
            )
        return StoredSession(*texts)

    def save(self, session: StoredSession) -> None:
        """Keep a session."""
        private_folder(self.path)
        write_private(
            self.path / SESSION_FILE,
            {
                "version": 1,
                "homeserver": session.homeserver,
                "user_id": session.user_id,
                "device_id": session.device_id,
                "access_token": session.access_token,
                "fingerprint": session.fingerprint,
            },
        )

    def save_fingerprint(self, session: StoredSession, fingerprint: str) -> StoredSession:
        """Keep the public key of the device: keys that are others later are not taken for it."""
        known = replace(session, fingerprint=fingerprint)
        self.save(known)
        return known

    def forget(self) -> None:
        """Forget the session; its keys stay, and open nothing without it."""
        (self.path / SESSION_FILE).unlink(missing_ok=True)

    def passphrase(self, given: SecretStr | None) -> str:
        """Return what the keys are encrypted with on the disk: the given one, else a random one kept beside them."""
        if given is not None:
            return given.get_secret_value()
        path = private_folder(self.path) / PASSPHRASE_FILE
        stored = read_private(path)
        if stored is None:
            stored = {"version": 1, "passphrase": secrets.token_urlsafe(32)}
            write_private(path, stored)
        return str(stored["passphrase"])
