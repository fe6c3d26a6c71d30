"""A real Synapse on loopback, from the environment that `make setup-synapse` builds; AGPL, so nothing is imported."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.redis_servers import free_port

SYNAPSE_PYTHON = Path(__file__).parents[2] / ".venv-synapse" / "bin" / "python"
MISSING = "Synapse is not installed: run `make setup-synapse`."
START_PATIENCE_S = 60.0  # about 1 s on a quiet machine
SHARED_SECRET = "test-secret"
SERVER_NAME = "localhost"
FAST = {"per_second": 1000, "burst_count": 10000}


@dataclass(frozen=True)
class Account:
    """A user of the server and the device that registering made."""

    user_id: str
    device_id: str
    access_token: str
    password: str

    @property
    def name(self) -> str:
        """Local part of the user id."""
        return self.user_id[1:].partition(":")[0]


class Synapse:
    """A homeserver with SQLite; a context manager. `kill` and `start` are an outage, `restart` a short one.

    All of it blocks; a test whose event loop must go on meanwhile calls it in a thread.

    Args:
        limits: Whether Synapse's own rate limits hold (0.2 messages a second, 10 at once); off by default.
        federated: Whether it talks to other homeservers on loopback.
        settings: Further lines of homeserver.yaml, such as {"default_room_version": "10"}.
    """

    def __init__(self, *, limits: bool = False, federated: bool = False, **settings: object) -> None:
        self._limits = limits
        self._federation_port = free_port() if federated else 0
        self.name = f"localhost:{self._federation_port}" if federated else SERVER_NAME
        self._settings = settings
        self._folder = tempfile.TemporaryDirectory(prefix="synapse-")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._write_files()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(signal.SIGKILL)
        self._folder.cleanup()

    @property
    def folder(self) -> Path:
        """Where the server keeps everything."""
        return Path(self._folder.name)

    @property
    def database(self) -> Path:
        """The SQLite file, to look at what is stored."""
        return self.folder / "hs.db"

    @property
    def resident_mib(self) -> float:
        """Resident memory of the server, in MiB."""
        assert self._process is not None
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def start(self) -> None:
        """Start, and wait until it answers; what was stored before a `kill` or `stop` is there again."""
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        with (self.folder / "stderr.log").open("ab") as errors:
            self._process = subprocess.Popen(
                [str(SYNAPSE_PYTHON), "-m", "synapse.app.homeserver", "-c", str(self.folder / "homeserver.yaml")],
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=self.folder,
                env=environment,
            )
        deadline = time.monotonic() + START_PATIENCE_S
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                said = (self.folder / "stderr.log").read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"Synapse did not start: {said[-2000:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop; does nothing when it does not run."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """End it from one moment to the next, as a failing machine would."""
        self.stop(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def register(self, name: str, *, admin: bool = False, unique: bool = True) -> Account:
        """Make a user; the reply to registering is a first login.

        Args:
            name: Beginning of the local part.
            admin: Whether it may use the admin API.
            unique: Whether something random is added to the name, so that tests do not meet.
        """
        user = f"{name}-{secrets.token_hex(3)}" if unique else name
        password = secrets.token_hex(8)
        address = f"{self.url}/_synapse/admin/v1/register"
        with httpx.Client(trust_env=False, timeout=30) as client:
            nonce = client.get(address).raise_for_status().json()["nonce"]
            words = [nonce, user, password, "admin" if admin else "notadmin"]
            mac = hmac.new(SHARED_SECRET.encode(), "\0".join(words).encode(), hashlib.sha1).hexdigest()
            wanted = {"nonce": nonce, "username": user, "password": password, "admin": admin, "mac": mac}
            made = client.post(address, json=wanted).raise_for_status().json()
        return Account(made["user_id"], made["device_id"], made["access_token"], password)

    def exempt(self, account: Account) -> None:
        """Lift the rate limits of one user, as the administrator of a lab's server would."""
        admin = self.register("admin", admin=True)
        httpx.post(
            f"{self.url}/_synapse/admin/v1/users/{account.user_id}/override_ratelimit",
            json={"messages_per_second": 0, "burst_count": 0},
            headers={"Authorization": f"Bearer {admin.access_token}"},
            trust_env=False,
        ).raise_for_status()

    def _write_files(self) -> None:
        """Write the configuration; JSON is YAML. Source of the keys: Synapse's configuration manual."""
        base = self.folder
        key = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        (base / "signing.key").write_text(f"ed25519 a_test {key}\n", encoding="ascii")
        handler = {"class": "logging.FileHandler", "filename": str(base / "hs.log"), "encoding": "utf-8"}
        log = {"version": 1, "handlers": {"file": handler}, "root": {"level": "WARNING", "handlers": ["file"]}}
        (base / "log.yaml").write_text(json.dumps(log), encoding="utf-8")
        resources = [{"names": ["client"], "compress": False}]
        listener = {"port": self.port, "bind_addresses": ["127.0.0.1"], "type": "http", "x_forwarded": False}
        config: dict[str, object] = {
            "server_name": self.name,
            "public_baseurl": f"{self.url}/",
            "listeners": [{**listener, "resources": resources}],
            "database": {"name": "sqlite3", "args": {"database": str(self.database)}},
            "log_config": str(base / "log.yaml"),
            "media_store_path": str(base / "media"),
            "signing_key_path": str(base / "signing.key"),
            "registration_shared_secret": SHARED_SECRET,
            "macaroon_secret_key": "macaroons",
            "form_secret": "forms",
            "report_stats": False,
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "federation_domain_whitelist": [],
            "url_preview_enabled": False,
            "bcrypt_rounds": 4,
            "presence": {"enabled": False},
            # Two initial syncs of one device would else be answered with the same, old, response.
            "caches": {"global_factor": 0.5, "sync_response_cache_duration": "0s"},
        }
        if self._federation_port:
            config |= self._federation(listener)
        if not self._limits:
            one = {"address": FAST, "account": FAST, "failed_attempts": FAST}
            two = {"local": FAST, "remote": FAST}
            three = {"per_room": FAST, "per_user": FAST, "per_issuer": FAST}
            config |= dict.fromkeys(("rc_message", "rc_registration", "rc_joins_per_room"), FAST)
            config |= dict.fromkeys(("rc_room_creation", "rc_admin_redaction"), FAST)
            config |= {"rc_login": one, "rc_joins": two, "rc_invites": three}
        (base / "homeserver.yaml").write_text(json.dumps(config | self._settings), encoding="utf-8")

    def _federation(self, listener: Mapping[str, object]) -> dict[str, object]:
        """Return what differs in the configuration of a server that others reach, under its name and port, by TLS."""
        certificate, key = self.folder / "tls.crt", self.folder / "tls.key"
        write_certificate(certificate, key)
        client = {**listener, "resources": [{"names": ["client"], "compress": False}]}
        others = {"port": self._federation_port, "tls": True, "resources": [{"names": ["federation"]}]}
        return {
            "listeners": [client, {**listener, **others}],
            "tls_certificate_path": str(certificate),
            "tls_private_key_path": str(key),
            "federation_verify_certificates": False,
            "federation_domain_whitelist": None,
            "ip_range_blacklist": [],
        }


def write_certificate(certificate: Path, key: Path) -> None:
    """Write a certificate for localhost that nobody vouches for, and its key."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(secret, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    key.write_bytes(secret.private_bytes(serialization.Encoding.PEM, form, plain))
