"""What the handlers of GN2's API share."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time
from email.utils import format_datetime

from aiohttp import web

from tests.gn_server.answers import ServerError, error_page
from tests.gn_server.values import DatasetRow
from tests.gn_server.world import World

_SUFFIX = re.compile(r"\.(json|csv)$")
Handler = Callable[[web.Request], Awaitable[web.Response]]
Plain = Callable[[web.Request], web.Response]


def public_row(world: World, name: str) -> DatasetRow | None:
    """Return a dataset by name, None for one whose flags hide it."""
    row = world.find_dataset(name)
    return row if row is not None and row.public > 0 and row.confidentiality == 0 else None


def failing(handler: Plain) -> Handler:
    """Return a handler whose `ServerError` becomes GN2's page."""

    async def handle(request: web.Request) -> web.Response:
        try:
            return handler(request)
        except ServerError:
            return error_page()

    return handle


def name_of(request: web.Request, part: str) -> str:
    """Return a part of the path without .json or .csv."""
    return _SUFFIX.sub("", request.match_info.get(part, ""))


def number_or_text(name: str) -> int | str:
    """Return a trait's name as older releases send it: numbers as such."""
    return int(name) if name.isdigit() else name


def row_of(row: DatasetRow) -> dict[str, object]:
    """Return a row of /datasets/GROUP."""
    return {
        "AvgID": row.average_id,
        "CreateTime": format_datetime(datetime.combine(row.created, time(), UTC), usegmt=True),
        "DataScale": row.scale,
        "FullName": row.full_name,
        "Id": row.id,
        "Long_Abbreviation": row.long_name or row.name,
        "ProbeFreezeId": row.study,
        "ShortName": row.short_name or row.full_name,
        "Short_Abbreviation": row.name,
        "confidentiality": row.confidentiality,
        "public": row.public,
    }
