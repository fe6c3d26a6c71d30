"""Templates to pages. Everything that is put into a page is escaped; a name that is missing is an error, no blank."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from datetime import date as date_type
from pathlib import Path

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from bot.addresses import safe_url
from bot.web.address import PublicAddress
from bot.web.forms import FIELD
from bot.web.sessions import Role
from bot.web.visitor import find_visitor, visitor_of

FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class NavLink:
    """An entry of the navigation.

    Attributes:
        label: As people read it.
        path: As routes have it, such as "/gaps".
        role: Who sees it.
    """

    label: str
    path: str
    role: Role = Role.STEWARD


class Templates:
    """The templates of all pages, read and compiled once; make it in a thread, as it reads files.

    Args:
        address: Where people reach the pages.
        zone: Time zone that dates are shown in.
        files: Assets as `static("locus.css")` finds them: name to version.
    """

    def __init__(self, address: PublicAddress, zone: tzinfo = UTC, files: Mapping[str, str] | None = None) -> None:
        self.address = address
        self.links: Sequence[NavLink] = ()
        self._zone = zone
        self._files = dict(files or {})
        sources = {file.name: file.read_text("utf-8") for file in sorted(FOLDER.glob("*.html"))}
        self._environment = Environment(
            loader=DictLoader(sources),
            autoescape=True,
            undefined=StrictUndefined,
            cache_size=-1,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(url=address.path, static=self._static)
        self._environment.filters.update(
            date=self._date,
            day=_day,
            time=self._time,
            number=_number,
            seconds=_seconds,
            age=_age,
            percent=_percent,
            link=_link,
        )
        for name in sources:
            self._environment.get_template(name)

    def render(self, request: Request, name: str, status: int = 200, **context: object) -> HTMLResponse:
        """Return a page.

        Args:
            request: What it answers.
            name: Of the template, such as "gaps.html".
            status: Of HTTP.
            context: What the template shows. It also sees `url(path, *segments, **query)`, `static(name)`,
                `form_token()` (the hidden field every form needs), `visitor`, `links`, `here` (the path of the page),
                `status` and `zone`.
        """
        visitor = find_visitor(request)
        role = visitor.role if visitor is not None else Role.ANYBODY
        given: dict[str, object] = {
            "visitor": visitor,
            "links": [link for link in self.links if link.role <= role and role is not Role.ANYBODY],
            "status": status,
            "zone": str(self._zone),
            "here": request.scope["path"],
            "form_token": lambda: _field(request),
        }
        return HTMLResponse(self._environment.get_template(name).render({**given, **context}), status)

    def _static(self, name: str) -> str:
        return self.address.path("/static", name, v=self._files[name])

    def _date(self, seconds: float | None) -> Markup | str:
        """Show a time as its date: "21 Nov 2026"; a dash where there is none."""
        return self._moment(seconds, lambda when: f"{when.day} {when:%b %Y}")

    def _time(self, seconds: float | None) -> Markup | str:
        """Show a time with its date: "21 Nov 2026, 20:35"."""
        return self._moment(seconds, lambda when: f"{when.day} {when:%b %Y, %H:%M}")

    def _moment(self, seconds: float | None, shown: Callable[[datetime], str]) -> Markup | str:
        if seconds is None:
            return "\N{EN DASH}"
        when = datetime.fromtimestamp(seconds, self._zone)
        return Markup('<time datetime="{}">{}</time>').format(when.isoformat(timespec="seconds"), shown(when))


def _day(date: str) -> str:
    """Show a date as of `bot.daily.Day`: "21 Nov"."""
    when = date_type.fromisoformat(date)
    return f"{when.day} {when:%b}"


def _number(value: float | None, digits: int = 0) -> str:
    """Show a number with thousands apart: 12,345; a dash for none."""
    return "\N{EN DASH}" if value is None else f"{value:,.{digits}f}"


def _seconds(value: float | None) -> str:
    """Show a span of time as people say it: "0.4 s", "12 s", "3 min", "5 h", "12 days"."""
    if value is None:
        return "\N{EN DASH}"
    for limit, unit, name in ((10, 1, "s"), (100, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if value < limit:
            return f"{value / unit:.{1 if limit == 10 else 0}f} {name}"
    return f"{value / 86_400:.0f} days"


def _age(value: float) -> str:
    """Show how long ago something was: "just now", "12 min ago"."""
    return "just now" if value < 60 else f"{_seconds(value)} ago"


def _percent(value: float | None) -> str:
    """Show a share of 0 to 1 as "12 %"."""
    return "\N{EN DASH}" if value is None else f"{100 * value:.0f} %"


def _link(url: str | None) -> str:
    """Return an address from a document or a service if it may be linked (http, https), else ""."""
    return safe_url(url) or ""


def _field(request: Request) -> Markup:
    token = visitor_of(request).form_token()
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, token)
