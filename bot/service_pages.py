"""The web pages of a service: whether they are served, and where people find an answer's."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import tzinfo

from bot.access import Access
from bot.application import Application
from bot.digest.digests import Digests
from bot.errors import SettingsError
from bot.extras import installing
from bot.health import Health
from bot.metrics import Metrics
from bot.metrics_page import MetricsPage
from bot.service_state import ServiceState
from bot.settings import Settings
from bot.web.address import PublicAddress


def open_pages(
    settings: Settings,
    state: ServiceState,
    access: Access,
    health: Health,
    metrics: Metrics,
    application: Application | None,
    digests: Digests | None,
    zone: tzinfo,
) -> AbstractAsyncContextManager[object]:
    """Return the web pages, which are served while it is entered.

    Args:
        settings: All settings.
        state: What is kept in Redis.
        access: Who may see what.
        health: How the parts of this process are.
        metrics: What was counted in it.
        application: Answers questions; None in a process that is no worker.
        digests: None in a process without.
        zone: The lab's time zone.

    Raises:
        SettingsError: If the extra is not installed.
    """
    try:
        from bot.web.dashboard import DashboardParts, open_dashboard
    except ImportError as error:
        raise SettingsError(
            f"LOCUS_HEALTH_PORT needs the extra 'run' ({error.name} is missing): install it with "
            f"`{installing('run')}`, or set it to 0."
        ) from error
    numbers = MetricsPage(metrics, health, state.inbox, application)
    roster = digests.roster if digests is not None else None
    parts = DashboardParts(health, numbers, state.inbox, access, state.given, state.tally, application, roster, zone)
    return open_dashboard(settings, parts)


def answer_page(settings: Settings, handle: str, *, alone: bool) -> str:
    """Return the address of an answer's page, or "" where people cannot reach it.

    Args:
        settings: All settings.
        handle: Of the answer.
        alone: Whether no other process could serve the pages.
    """
    has_dashboard = settings.dashboard_token is not None or settings.proxy_user_header
    if not has_dashboard or (alone and not settings.health_port):
        return ""
    return PublicAddress(settings.public_url).full("/answers", handle) or ""
