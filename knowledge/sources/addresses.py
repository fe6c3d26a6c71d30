"""Which addresses Locus may connect to: the policy, and the checks of a URL and of what its host leads to.

Used by the fetcher (`knowledge.fetching`, which exports all of this) and by the git source.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx

from bot.errors import InvalidRequestError, RefusedError, SettingsError, UnavailableError

MIB = 1024 * 1024
DEFAULT_PORTS = {"http": 80, "https": 443}

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

# What `ipaddress` of some supported Python calls global although a connection may end inside: protocol assignments
# (Oracle's metadata service lives there), the 6to4 relay, Azure's wire server, and IPv6 ranges that carry an IPv4
# address or are not in use (Teredo, documentation, 6to4). IPv6 outside 2000::/3 (so NAT64 and mapped) is never public.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "2001::/23", "2002::/16", "3fff::/20")
)
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_HOST_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")  # a last label of this form makes old resolvers read an IPv4 address


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """What may be fetched, and how much of it.

    Attributes:
        allowed_hosts: Exact hosts, or "*.example.org" for all hosts below example.org (not example.org itself).
        private_hosts: "host" or "host:port" that may lead to addresses that are not public; naming a host here
            also allows it. IPv6 addresses with a port are written "[::1]:8080".
        max_bytes: Limit of one download, counted after decompression.
        timeout_s: Limit of one download, from the name look-up to the last byte, redirects included.
        max_redirects: Redirects followed before giving up.
        user_agent: Sent with every request.
    """

    allowed_hosts: tuple[str, ...] = (
        "genenetwork.org",
        "*.genenetwork.org",
        "github.com",
        "raw.githubusercontent.com",
    )
    private_hosts: tuple[str, ...] = ()
    max_bytes: int = 25 * MIB
    timeout_s: float = 60.0
    max_redirects: int = 5
    user_agent: str = "Locus (GeneNetwork documentation bot)"

    def __post_init__(self) -> None:
        """Refuse entries that could never match, or would match everything."""
        for entry in self.allowed_hosts:
            host = _normal_host(entry.removeprefix("*."))
            if not _HOST_NAME.fullmatch(host) and not _is_address(host):
                raise SettingsError(
                    f"LOCUS_FETCH_ALLOWED_HOSTS: {entry!r} is no host; write example.org or *.example.org."
                )

    def allows(self, host: str, port: int) -> bool:
        """Tell whether a normalised host is on either list."""
        for entry in self.allowed_hosts:
            wanted = _normal_host(entry.removeprefix("*."))
            if host == wanted if not entry.startswith("*.") else host.endswith("." + wanted):
                return True
        return self.allows_private(host, port)

    def allows_private(self, host: str, port: int) -> bool:
        """Tell whether a normalised host may lead to addresses that are not public."""
        spellings = {host, f"{host}:{port}", f"[{host}]:{port}", f"[{host}]"}
        return any(entry.lower() in spellings for entry in self.private_hosts)


def shown_url(url: httpx.URL | str) -> str:
    """Render a URL for messages: without user, password, query and fragment, at most 200 characters."""
    text = re.sub(r"//[^/?#]*@", "//", str(url))
    text = re.split(r"[?#]", text, maxsplit=1)[0]
    text = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return text if len(text) <= 200 else text[:199] + "\u2026"


def _normal_host(host: str) -> str:
    """Return a host of the settings as `httpx.URL` would give it: lower case, IDNA, no trailing dot, no brackets."""
    try:
        return httpx.URL(scheme="http", host=host.strip().rstrip(".")).raw_host.decode("ascii")
    except httpx.InvalidURL:
        return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def port_of(url: httpx.URL) -> int:
    """Return the port a URL names or implies."""
    return url.port or DEFAULT_PORTS.get(url.scheme, 443)


def check_url(text: str, policy: FetchPolicy) -> httpx.URL:
    """Parse a URL and check everything that needs no network.

    Returns:
        The URL to use from here on: host normalised, fragment dropped. The text is not parsed again.

    Raises:
        InvalidRequestError: The text is no URL.
        RefusedError: Scheme, user information, spelling or host are not allowed.
    """
    shown = shown_url(text)
    try:
        url = httpx.URL(text.strip())
        host = url.raw_host.decode("ascii").rstrip(".")
        url = url.copy_with(host=host, fragment=None)
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidRequestError(f"{shown!r} is no web address; give one that starts with https://.") from error
    if url.scheme not in DEFAULT_PORTS:
        raise RefusedError(f"{shown} was not fetched: only http and https addresses are.")
    if url.userinfo:
        raise RefusedError(f"{shown} was not fetched: an address must not carry a user name or password.")
    if not host:
        raise InvalidRequestError(f"{shown!r} names no host; give an address like https://genenetwork.org/.")
    if not _is_address(host) and (not _HOST_NAME.fullmatch(host) or _NUMBER.fullmatch(host.rsplit(".", 1)[-1])):
        raise RefusedError(f"{shown} was not fetched: {host} is no host name and no plainly written address.")
    if not policy.allows(host, port_of(url)):
        raise RefusedError(
            f"{shown} was not fetched: {host} is not among the allowed hosts; add it to LOCUS_FETCH_ALLOWED_HOSTS."
        )
    return url


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the public internet and hides no other address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if parsed.version == 6 and parsed not in _GLOBAL_UNICAST:
        return False
    if any(parsed in network for network in _NOT_PUBLIC):
        return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver for the addresses of a host, in its order of preference."""
    answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


async def check_address(host: str, port: int, policy: FetchPolicy, *, resolver: Resolver = resolve) -> list[str]:
    """Return the addresses of a host, if all of them may be connected to.

    Raises:
        RefusedError: An address is not public and the host is not among `private_hosts`.
        UnavailableError: The name leads nowhere at present.
    """
    try:
        addresses = [str(ipaddress.ip_address(host))]
    except ValueError:
        try:
            addresses = list(await resolver(host, port))
        except (OSError, UnicodeError) as error:
            raise UnavailableError(f"the host name {host} could not be resolved") from error
    if not addresses:
        raise UnavailableError(f"the host name {host} could not be resolved")
    if not policy.allows_private(host, port):
        for address in addresses:
            if not is_public(address):
                raise RefusedError(
                    f"{host} leads to {address}, which is not a public address; if that is meant to be, "
                    f"add {host}:{port} to LOCUS_FETCH_PRIVATE_HOSTS"
                )
    return addresses
