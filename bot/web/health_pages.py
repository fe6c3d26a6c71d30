"""For machines: /healthz while the event loop turns, /readyz with the state of every part, /metrics with numbers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.health import Health
from bot.web.access import everybody
from bot.web.templating import NavLink

METRICS = "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"  # Prometheus' text format


class HealthPages:
    """The pages for probes and Prometheus.

    Args:
        health: What they show.
        metrics: Returns what /metrics shows, or None for nothing.
    """

    def __init__(self, health: Health, metrics: Callable[[], Awaitable[bytes | None]] | None = None) -> None:
        self._health = health
        self._metrics = metrics

    def routes(self) -> Sequence[Route]:
        """Three paths."""
        return [
            Route("/healthz", self._turning),
            Route("/readyz", self._ready),
            Route("/metrics", self._counted),
        ]

    def links(self) -> Sequence[NavLink]:
        """Nowhere in the navigation."""
        return ()

    @everybody
    async def _turning(self, _: Request) -> Response:
        return _json({"turning": True})

    @everybody
    async def _ready(self, _: Request) -> Response:
        return _json(self._health.as_json(), 200 if self._health.ready() else 503)

    @everybody
    async def _counted(self, _: Request) -> Response:
        data = await self._metrics() if self._metrics is not None else None
        if data is None:
            raise HTTPException(404)
        return Response(data, headers={"content-type": METRICS})


def _json(value: object, status: int = 200) -> Response:
    data = json.dumps(value, ensure_ascii=False).encode() + b"\n"
    return Response(data, status, media_type="application/json")
