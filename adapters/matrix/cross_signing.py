"""Cross-signing: the account vouches for its device, so that strict clients give it their keys.

Clients that follow MSC4153 (Element since April 2026) give room keys only to devices that their owner's cross-signing
identity has signed. The identity is three Ed25519 keys; their seeds stand beside the encryption keys.

Source: Matrix client-server API 1.17, "Cross-signing"; key ids and signatures are unpadded base64.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa
from nio.api import Api
from pydantic import SecretStr

from adapters.matrix.errors import checked_call, translated
from adapters.matrix.nio_gaps import CarefulClient
from adapters.matrix.private_files import read_private, write_private
from bot.errors import SettingsError, StorageError

SEED_BYTES = 32  # RFC 8032, section 5.1.5
MASTER, SELF_SIGNING, USER_SIGNING = "master", "self_signing", "user_signing"
ROLES = (MASTER, SELF_SIGNING, USER_SIGNING)
KEYS_QUERY = "/_matrix/client/v3/keys/query"
IDENTITY_UPLOAD = "/_matrix/client/v3/keys/device_signing/upload"
SIGNATURES_UPLOAD = "/_matrix/client/v3/keys/signatures/upload"


class Standing(StrEnum):
    """How the account vouches for this device."""

    SIGNED = "signed"
    FOREIGN = "foreign"  # the account has an identity whose seeds are not here
    UNSIGNED = "unsigned"  # the homeserver asks for the password before it takes an identity


def unpadded(data: bytes) -> str:
    """Return unpadded base64; clients drop padded keys without a word."""
    return base64.b64encode(data).decode("ascii").rstrip("=")


def canonical(content: dict[str, object]) -> bytes:
    """Return the bytes of a JSON object that are signed: canonical JSON without signatures and unsigned parts."""
    bare = {name: value for name, value in content.items() if name not in ("signatures", "unsigned")}
    return str(Api.to_canonical_json(bare)).encode()


@dataclass(frozen=True, repr=False)
class SigningKey:
    """One Ed25519 key pair, from its seed of 32 bytes."""

    seed: bytes

    @property
    def public(self) -> str:
        """The public key."""
        return unpadded(self._key.public_key().export_key(format="raw"))

    def sign(self, content: dict[str, object]) -> str:
        """Return the signature of a JSON object."""
        return unpadded(eddsa.new(self._key, "rfc8032").sign(canonical(content)))

    @property
    def _key(self) -> ECC.EccKey:
        return ECC.construct(curve="Ed25519", seed=self.seed)


class Identity:
    """The three keys of an account.

    Args:
        user_id: Whose they are.
        keys: By role.
    """

    def __init__(self, user_id: str, keys: dict[str, SigningKey]) -> None:
        self._user_id = user_id
        self._keys = keys

    @classmethod
    def make(cls, user_id: str) -> Identity:
        """Return a new one."""
        return cls(user_id, {role: SigningKey(secrets.token_bytes(SEED_BYTES)) for role in ROLES})

    @classmethod
    def load(cls, path: Path, user_id: str) -> Identity | None:
        """Return the one of a file, or None where there is none.

        Raises:
            StorageError: If the file is damaged or another account's.
        """
        content = read_private(path)
        if content is None:
            return None
        try:
            if content["user_id"] != user_id:
                raise StorageError(f"{path} belongs to another Matrix account: restore the right one from a backup.")
            seeds = {role: base64.b64decode(f"{content[role]}===", validate=False) for role in ROLES}
        except (KeyError, ValueError) as error:
            raise StorageError(f"{path} is damaged: restore it from a backup.") from error
        if any(len(seed) != SEED_BYTES for seed in seeds.values()):
            raise StorageError(f"{path} is damaged: restore it from a backup.")
        return cls(user_id, {role: SigningKey(seed) for role, seed in seeds.items()})

    def save(self, path: Path) -> None:
        """Write the seeds to a file that only its owner can read."""
        seeds = {role: unpadded(key.seed) for role, key in self._keys.items()}
        write_private(path, {"version": 1, "user_id": self._user_id, **seeds})

    @property
    def master(self) -> str:
        """The public master key: what the account is known by."""
        return self._keys[MASTER].public

    @property
    def self_signing(self) -> str:
        """The public key that signs devices."""
        return self._keys[SELF_SIGNING].public

    def published(self) -> dict[str, object]:
        """Return the public keys as the homeserver takes them; the master key signs the other two."""
        published: dict[str, object] = {}
        for role in ROLES:
            public = self._keys[role].public
            key: dict[str, object] = {"user_id": self._user_id, "usage": [role], "keys": {f"ed25519:{public}": public}}
            if role != MASTER:
                key["signatures"] = {self._user_id: {f"ed25519:{self.master}": self._keys[MASTER].sign(key)}}
            published[f"{role}_key"] = key
        return published

    def sign_device(self, device_keys: dict[str, object]) -> dict[str, object]:
        """Return the keys of a device with the account's signature."""
        bare = {name: value for name, value in device_keys.items() if name not in ("signatures", "unsigned")}
        signature = self._keys[SELF_SIGNING].sign(bare)
        return {**bare, "signatures": {self._user_id: {f"ed25519:{self.self_signing}": signature}}}


class CrossSigning:
    """Gives the account an identity and lets it vouch for this device; doing it again changes nothing.

    Args:
        client: Logged in, with its device keys on the homeserver.
        path: Where the seeds are kept.
        password: For homeservers that ask for it; they do before an identity is replaced.
    """

    def __init__(self, client: CarefulClient, path: Path, password: SecretStr | None = None) -> None:
        self._client = client
        self._path = path
        self._password = password

    async def ensure(self, *, replace: bool = False) -> Standing:
        """Make the device a signed one.

        Args:
            replace: Whether an identity whose seeds are not here may be replaced; everybody who has verified the
                account sees that it changed.

        Raises:
            SettingsError: If the identity is to be replaced and the homeserver refuses the password, or wants more.
            StorageError: If the seeds are damaged.
            UnavailableError: If the homeserver does not answer.
        """
        user_id = self._client.user_id
        with translated():
            known = await self._known()
            identity = Identity.load(self._path, user_id)
            if known.master is None or (replace and (identity is None or known.master != identity.master)):
                identity = identity or Identity.make(user_id)
                identity.save(self._path)  # first: what the homeserver has and we have not is of no use
                if not await self._upload(identity):
                    return Standing.UNSIGNED
            elif identity is None or known.master != identity.master:
                return Standing.FOREIGN
            device = known.device
            signer = f"ed25519:{identity.self_signing}"
            if device is None:
                return Standing.UNSIGNED
            if signer not in device.get("signatures", {}).get(user_id, {}):
                signed = identity.sign_device(device)
                body = {user_id: {self._client.device_id: signed}}
                answer = checked_call(*await self._client.call("POST", SIGNATURES_UPLOAD, body))
                if answer.get("failures"):
                    return Standing.UNSIGNED
        return Standing.SIGNED

    async def standing(self) -> Standing:
        """Tell how it stands, changing nothing."""
        with translated():
            known = await self._known()
        identity = Identity.load(self._path, self._client.user_id)
        if known.master is None:
            return Standing.UNSIGNED
        if identity is None or known.master != identity.master:
            return Standing.FOREIGN
        signatures = (known.device or {}).get("signatures", {}).get(self._client.user_id, {})
        return Standing.SIGNED if f"ed25519:{identity.self_signing}" in signatures else Standing.UNSIGNED

    async def _known(self) -> _Known:
        user_id = self._client.user_id
        body: dict[str, object] = {"device_keys": {user_id: []}}
        answer = checked_call(*await self._client.call("POST", KEYS_QUERY, body))
        master = answer.get("master_keys", {}).get(user_id)
        device = answer.get("device_keys", {}).get(user_id, {}).get(self._client.device_id)
        return _Known(next(iter(master["keys"].values())) if master else None, device)

    async def _upload(self, identity: Identity) -> bool:
        """Upload the public keys; False when the homeserver wants a password that is not known here.

        Source: Matrix client-server API 1.17, "User-interactive authentication API".
        """
        body = identity.published()
        status, answer = await self._client.call("POST", IDENTITY_UPLOAD, body)
        if status == 401 and "flows" in answer:
            if self._password is None:
                return False
            if not any(flow.get("stages") == ["m.login.password"] for flow in answer["flows"]):
                raise SettingsError(
                    "The homeserver wants a person to confirm the identity of Locus's account: log in as Locus with "
                    "Element once, set up recovery there, and run `locus matrix login --new-identity` after it."
                )
            body["auth"] = {
                "type": "m.login.password",
                "identifier": {"type": "m.id.user", "user": self._client.user_id},
                "password": self._password.get_secret_value(),
                "session": answer.get("session", ""),
            }
            status, answer = await self._client.call("POST", IDENTITY_UPLOAD, body)
            if status in (401, 403):
                raise SettingsError("The homeserver does not accept the password of Locus's account.")
        checked_call(status, answer)
        return True


@dataclass(frozen=True)
class _Known:
    """What the homeserver knows: the public master key, and the keys of this device with their signatures."""

    master: str | None
    device: dict[str, Any] | None
