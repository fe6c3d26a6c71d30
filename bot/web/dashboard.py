"""Which pages there are, and what each is given."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, tzinfo

from bot.access import Access
from bot.application import Application
from bot.digest.roster import Roster
from bot.health import Health
from bot.metrics_page import MetricsPage
from bot.settings import Settings
from bot.store.given_answers import GivenAnswers
from bot.store.inbox import Inbox
from bot.store.schedules import Schedules
from bot.store.tally import Tally
from bot.store.web_secret import web_secret
from bot.web.answer_pages import AnswerPages
from bot.web.gap_pages import make_gap_pages
from bot.web.health_pages import HealthPages
from bot.web.opening import open_web
from bot.web.overview import OverviewReader
from bot.web.overview_pages import OverviewPages
from bot.web.server import WebServer
from bot.web.site import PageFamily
from bot.web.templating import Templates


@dataclass(frozen=True, slots=True)
class DashboardParts:
    """What the pages show.

    Attributes:
        health: How the parts of this process are.
        metrics: What /metrics shows.
        inbox: What is open; its store holds the rest.
        access: Who may see what.
        given: The answers that were given.
        tally: What happened on each day.
        application: Answers questions; None in a process that is no worker.
        roster: The digests; None in a process without.
        zone: Time zone that dates are shown in.
    """

    health: Health
    metrics: MetricsPage
    inbox: Inbox
    access: Access
    given: GivenAnswers
    tally: Tally
    application: Application | None = None
    roster: Roster | None = None
    zone: tzinfo = UTC


def open_dashboard(settings: Settings, parts: DashboardParts) -> AbstractAsyncContextManager[WebServer]:
    """Return the web pages, which are served while it is entered."""
    store = parts.inbox.store
    application = parts.application

    def make_pages(templates: Templates) -> Sequence[PageFamily]:
        reader = OverviewReader(
            parts.tally,
            parts.inbox,
            parts.health,
            Schedules(store),
            application.facts if application is not None else None,
            parts.roster,
        )
        library = application.library if application is not None else None
        return [
            OverviewPages(templates, reader),
            make_gap_pages(settings, templates, store, application),
            AnswerPages(templates, parts.given, parts.access.may_show, library),
            HealthPages(parts.health, parts.metrics),
        ]

    return open_web(settings, lambda: web_secret(store), parts.zone, make_pages)
