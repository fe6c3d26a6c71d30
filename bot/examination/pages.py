"""The web pages: whether there is a dashboard, who may see it, and whether it can be read on the way."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from bot.checks import Finding, Level
from bot.hosts import is_loopback
from bot.settings import Settings

PART = "dashboard"
GUIDE = "docs/dashboard.md"


def examine_pages(settings: Settings) -> Iterator[Finding]:
    """Yield how the web pages are set up; nothing where there are none and none were meant."""
    has_access = settings.dashboard_token is not None or bool(settings.proxy_user_header)
    if not settings.health_port:
        if has_access or settings.public_url:
            text = "The dashboard's settings are there and LOCUS_HEALTH_PORT is 0, so this process shows no pages."
            yield Finding(Level.WARNING, PART, text, f"set LOCUS_HEALTH_PORT to a port, such as 8080 ({GUIDE}).")
        return
    if not has_access:
        text = f"It is off; LOCUS_DASHBOARD_TOKEN turns it on, on port {settings.health_port} ({GUIDE})."
        yield Finding(Level.OK, PART, text)
        return
    yield Finding(Level.OK, PART, f"It is on, on {settings.health_host} port {settings.health_port}; {_who(settings)}.")
    if settings.dashboard_token is None and not settings.stewards:
        text = "Nobody may see the overview: there is no LOCUS_DASHBOARD_TOKEN, and LOCUS_STEWARDS names nobody."
        yield Finding(Level.WARNING, PART, text, "name the data steward in LOCUS_STEWARDS, as the proxy does.")
    if any(ipaddress.ip_network(one).prefixlen == 0 for one in settings.trusted_proxies):
        text = "LOCUS_TRUSTED_PROXIES is every address, so that anybody can claim to be anybody."
        yield Finding(Level.ERROR, PART, text, "name the proxy's own address.")
    address = urlsplit(settings.public_url)
    if not settings.public_url:
        yield Finding(
            Level.OK, PART, "Answers in chats do not link to their pages; they do where LOCUS_PUBLIC_URL is set."
        )
    elif address.scheme == "http" and not is_loopback(address.hostname or ""):
        text = "LOCUS_PUBLIC_URL is http, so that tokens and answers can be read on the way."
        yield Finding(Level.WARNING, PART, text, f"put a proxy with https before it ({GUIDE}).")


def _who(settings: Settings) -> str:
    ways = []
    if settings.dashboard_token is not None:
        ways.append("a token" if settings.reader_token is None else "a token for the steward and one for readers")
    if settings.proxy_user_header:
        ways.append(f"the header {settings.proxy_user_header} of the lab's proxy")
    return f"people come in with {' or '.join(ways)}"
