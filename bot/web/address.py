"""Under which addresses the pages are reached, and which names of hosts they answer to."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import quote, urlencode, urlsplit


class PublicAddress:
    """The address under which people reach the pages, LOCUS_PUBLIC_URL.

    Args:
        url: Without a slash at the end; "" where none is configured, so that pages are reached by host and port.
    """

    def __init__(self, url: str = "") -> None:
        parts = urlsplit(url)
        self.url = url
        self.host = _plain(parts.netloc)
        self.prefix = parts.path.rstrip("/")  # "" or "/locus"
        self.origin = f"{parts.scheme}://{parts.netloc}".lower() if url else ""
        self.secure = parts.scheme == "https"

    def path(self, path: str, *segments: str, **query: str | int) -> str:
        """Return the path of a page as a browser asks for it, below the prefix of the public address.

        Args:
            path: As routes have it, such as "/answers"; plain characters.
            segments: Further parts of the path, which may be anything: they are percent-encoded.
            query: What follows the question mark.
        """
        whole = self.prefix + path + "".join(f"/{quote(segment, safe='')}" for segment in segments)
        return f"{whole}?{urlencode(query)}" if query else whole

    def full(self, path: str, *segments: str) -> str | None:
        """Return the whole address of a page, for a chat; None where no public address is configured."""
        if not self.url:
            return None
        return self.url + PublicAddress().path(path, *segments)

    def inside(self, path: str) -> str:
        """Return a path as routes have it: a proxy may have left the prefix on or taken it off."""
        if self.prefix and (path == self.prefix or path.startswith(self.prefix + "/")):
            return path[len(self.prefix) :] or "/"
        return path


class Hosts:
    """The names under which the pages may be asked for; a page elsewhere that lets its own name point here is refused.

    Args:
        listening: Address the server listens on, LOCUS_HEALTH_HOST.
        names: Further names and addresses.
    """

    def __init__(self, listening: str, names: Iterable[str] = ()) -> None:
        self._listening = listening
        self._names = {_plain(name) for name in (listening, "localhost", "127.0.0.1", "::1", *names) if name}

    def allow(self, host: str) -> bool:
        """True for a Host header with such a name; on a wildcard address with any address, as no name points to it."""
        name = _plain(host)
        if name in self._names:
            return True
        try:
            return ipaddress.ip_address(self._listening).is_unspecified and bool(ipaddress.ip_address(name))
        except ValueError:
            return False


def _plain(host: str) -> str:
    """Return the name or address of a Host header, without port, brackets, the dot at the end and capitals."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    if host.count(":") == 1:
        host = host.partition(":")[0]
    return host.rstrip(".")
