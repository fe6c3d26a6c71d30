"""Addresses of Redis servers: checked before anything is sent, and never shown with their password."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from bot.errors import SettingsError

SOCKET_PATH_BYTES = 107  # sun_path of unix(7), less its end

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_FORMS = "give it as redis://HOST:PORT, rediss://HOST:PORT (TLS) or unix:///PATH"
_ESCAPES = "in a user name or password, write @ as %40, : as %3A, / as %2F, # as %23, ? as %3F and % as %25"
_PORT = 6379
_OPTIONS = {
    "redis": {"db"},
    "rediss": {"db", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile"},
    "unix": {"db", "username", "password"},
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is.

    Attributes:
        url: For the client library, with user name and password.
        shown: For people, without them.
        host: "" for a unix socket.
        port: 0 for a unix socket.
        tls: Whether the connection is encrypted.
        has_password: Whether one is given.
    """

    url: str = field(repr=False)
    shown: str
    host: str = ""
    port: int = 0
    tls: bool = False
    has_password: bool = False

    @property
    def bare_url(self) -> str:
        """The address without user name and password."""
        parts = urlsplit(self.url)
        options = [pair for pair in parts.query.split("&") if not pair.startswith(("username=", "password="))]
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="&".join(options)).geturl()


def parse_address(url: str) -> Address:
    """Return the address that LOCUS_REDIS_URL names.

    Raises:
        SettingsError: If it is none, or names sentinels or a cluster; the sentence shows nothing of what may be secret.
    """
    found = _SCHEME.match(url.strip())
    if found is None:
        raise SettingsError(f"LOCUS_REDIS_URL is no address: {_FORMS}.")
    scheme = found[1].lower()
    if "sentinel" in scheme:
        raise SettingsError(
            "LOCUS_REDIS_URL names Redis Sentinels, which Locus does not ask for the primary server: give the primary "
            "itself, or a name or proxy that follows it, as redis://HOST:PORT."
        )
    if "cluster" in scheme:
        raise SettingsError(
            "LOCUS_REDIS_URL names a Redis cluster, over which Locus' transactions cannot run: give a single server, "
            "as redis://HOST:PORT."
        )
    if scheme not in _OPTIONS:
        raise SettingsError(f"LOCUS_REDIS_URL begins with {scheme}://, which is no Redis address: {_FORMS}.")
    parts = _split(url.strip())
    names = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    if not names <= _OPTIONS[scheme]:
        allowed = ", ".join(sorted(_OPTIONS[scheme]))
        raise SettingsError(
            f"LOCUS_REDIS_URL has something after its question mark that Locus does not know (it knows {allowed}); "
            f"{_ESCAPES}."
        )
    return _socket(parts) if scheme == "unix" else _host(parts, scheme)


def socket_url(path: str) -> str:
    """Return the address of a unix socket."""
    return f"unix://{quote(path)}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise SettingsError(f"LOCUS_REDIS_URL cannot be read: {_FORMS}; {_ESCAPES}.") from None
    if parts.fragment or url.endswith("#"):
        raise SettingsError(f"LOCUS_REDIS_URL contains a # that is not part of an address: {_ESCAPES}.")
    if "," in parts.netloc.rpartition("@")[2]:
        raise SettingsError(
            "LOCUS_REDIS_URL names several servers, as sentinels and clusters have them, which Locus cannot use: give "
            "the one primary server, as redis://HOST:PORT."
        )
    return parts


def _host(parts: SplitResult, scheme: str) -> Address:
    try:
        port = parts.port if parts.port is not None else _PORT
    except ValueError:
        port = 0
    if not port:
        raise SettingsError(f"The port in LOCUS_REDIS_URL is no number from 1 to 65535; {_ESCAPES}.")
    host = unquote(parts.hostname or "")
    if not host:
        raise SettingsError(f"LOCUS_REDIS_URL names no host: {_FORMS}; {_ESCAPES}.")
    database = parts.path.strip("/")
    if database and not (database.isascii() and database.isdigit()):
        raise SettingsError(
            f"What follows the port in LOCUS_REDIS_URL must be the number of a database, such as /0; {_ESCAPES}."
        )
    shown = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
    return Address(
        parts._replace(scheme=scheme).geturl(),
        f"{shown}/{database}" if database else shown,
        host,
        port,
        tls=scheme == "rediss",
        has_password=bool(parts.password),
    )


def _socket(parts: SplitResult) -> Address:
    path = unquote(parts.path)
    if parts.netloc.rpartition("@")[2] or not path.strip("/"):
        raise SettingsError("LOCUS_REDIS_URL names no socket: give its whole path after three slashes, unix:///PATH.")
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES:
        raise SettingsError(
            f"The socket's path in LOCUS_REDIS_URL is longer than {SOCKET_PATH_BYTES} bytes, which no system allows: "
            "move the socket or link to its folder."
        )
    password = bool(parts.password) or any(name == "password" for name, _ in parse_qsl(parts.query))
    return Address(parts._replace(scheme="unix").geturl(), socket_url(path), has_password=password)
