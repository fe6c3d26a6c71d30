"""The steward's first page: what was asked and how it went, what is open, how documents and digests stand."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.daily import percentile, together
from bot.web.access import needs
from bot.web.charts import HEIGHT, WIDTH, bars_of, lines_of
from bot.web.overview import OverviewReader
from bot.web.sessions import Role
from bot.web.templating import NavLink, Templates
from bot.web.visitor import visitor_of


class OverviewPages:
    """The overview.

    Args:
        templates: Render it.
        reader: Knows how things stand.
    """

    def __init__(self, templates: Templates, reader: OverviewReader) -> None:
        self._templates = templates
        self._reader = reader

    def routes(self) -> Sequence[Route]:
        """The first page."""
        return [Route("/", self._show)]

    def links(self) -> Sequence[NavLink]:
        """The first of the navigation."""
        return [NavLink("Overview", "/")]

    @needs(Role.READER)
    async def _show(self, request: Request) -> Response:
        if visitor_of(request).role < Role.STEWARD:
            return self._templates.render(request, "welcome.html")
        overview = await self._reader.read()
        total = together(overview.days)
        bars, most = bars_of(overview.days)
        lines, slowest = lines_of(overview.days)
        waits = [(percentile(day.waits, 0.5), percentile(day.waits, 0.95)) for day in overview.days]
        return self._templates.render(
            request,
            "overview.html",
            overview=overview,
            total=total,
            median=percentile(total.waits, 0.5),
            slow=percentile(total.waits, 0.95),
            days=list(zip(overview.days, waits, strict=True)),
            bars=bars,
            most=most,
            lines=lines,
            slowest=slowest,
            width=WIDTH,
            height=HEIGHT,
            now=self._reader.clock(),
        )
