"""JSON answers in the manner of Flask."""

from __future__ import annotations

import json

from aiohttp import web

from tests.gn_server.faults import ERROR_PAGE


class ServerError(Exception):
    """GN2 fails: an HTML page with a stack trace."""


def as_json(value: object, status: int = 200) -> web.Response:
    """Return JSON with sorted keys, as Flask sorts them."""
    body = json.dumps(value, sort_keys=True)
    return web.Response(text=body + "\n", status=status, content_type="application/json")


def body_error(rule: str, *, status: int = 204, title: str = "No Results", detail: str = "") -> web.Response:
    """Return GN2's "not found": HTTP 200 with the error in the body, which names the rule and not the path."""
    error = {"status": status, "source": {"pointer": f"/api/v_pre1/{rule}"}, "title": title, "detail": detail}
    return as_json({"errors": [error]})


def error_page(status: int = 500) -> web.Response:
    """Return GN2's error page."""
    return web.Response(text=ERROR_PAGE, status=status, content_type="text/html")


def gn3_error(status: int, error: str, description: str) -> web.Response:
    """Return an error of GN3, trace included."""
    return as_json(
        {"error": error, "error_description": description, "error-trace": "Traceback: /home/gn3/api.py"}, status
    )
