"""Puts the web pages together and serves them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import tzinfo

from pydantic import SecretStr

from bot.web.access import Access
from bot.web.address import Hosts, PublicAddress
from bot.web.files import Files
from bot.web.server import WebServer
from bot.web.sessions import Role
from bot.web.sign_in_pages import SignInPages
from bot.web.site import PageFamily, make_site
from bot.web.templating import Templates
from bot.web_settings import WebSettings

logger = logging.getLogger(__name__)

MakePages = Callable[[Templates], Sequence[PageFamily]]


@asynccontextmanager
async def open_web(
    settings: WebSettings, secret: Callable[[], Awaitable[bytes]], zone: tzinfo, make_pages: MakePages
) -> AsyncIterator[WebServer]:
    """Serve the pages on LOCUS_HEALTH_PORT.

    Args:
        settings: Where, and who may see them.
        secret: Returns what cookies are signed with.
        zone: Time zone that dates are shown in.
        make_pages: Returns the pages, in the order of the navigation.

    Raises:
        SettingsError: If the address cannot be listened on.
    """
    address = PublicAddress(settings.public_url)
    access = make_access(settings, address, secret)
    files = await asyncio.to_thread(Files)
    templates = await asyncio.to_thread(Templates, address, zone, files.versions)
    hosts = Hosts(settings.health_host, [address.host])
    pages = [*make_pages(templates), SignInPages(access, templates), files]
    site = make_site(pages, access=access, templates=templates, hosts=hosts)
    if not access.on:
        logger.info("the dashboard is off: neither LOCUS_DASHBOARD_TOKEN nor LOCUS_PROXY_USER_HEADER is set")
    async with WebServer(site, settings.health_host, settings.health_port) as server:
        yield server


def make_access(settings: WebSettings, address: PublicAddress, secret: Callable[[], Awaitable[bytes]]) -> Access:
    """Return who may see the pages, as the settings have it."""
    return Access(
        address,
        secret,
        {
            role: token.get_secret_value()
            for role, token in (
                (Role.STEWARD, settings.dashboard_token),
                (Role.READER, settings.reader_token),
            )
            if isinstance(token, SecretStr)
        },
        header=settings.proxy_user_header,
        proxies=settings.trusted_proxies,
        stewards=settings.stewards,
    )
