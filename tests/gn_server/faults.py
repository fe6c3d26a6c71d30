"""What the local GeneNetwork does instead of answering: pages of errors, cut-off and slow answers, redirects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

# What GN2's error page shows; none of it may reach a person.
STACK_TRACE = 'Traceback (most recent call last): File "/home/gn2/wqflask/api/router.py", line 42, in get_species'
ERROR_PAGE = (
    f"<!DOCTYPE html><html><body><h1>GeneNetwork error</h1><pre>{STACK_TRACE}</pre><img src=x.gif></body></html>"
)


@dataclass(slots=True)
class Fault:
    """What happens to the requests of a path.

    Attributes:
        status: HTTP status of the answer.
        body: Its body; None is the answer there would have been.
        content_type: Of that body.
        headers: Further headers.
        times: How many requests it happens to; None is every one.
        held: Requests wait until it is set; then they are answered.
        cut_at: The connection breaks after so many bytes of the body.
    """

    status: int = 200
    body: bytes | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int | None = None
    held: asyncio.Event | None = None
    cut_at: int | None = None

    @classmethod
    def page(cls, status: int = 500, *, times: int | None = None, **headers: str) -> Fault:
        """An HTML page with a stack trace, or a proxy's error."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, ERROR_PAGE.encode(), "text/html; charset=utf-8", named, times)

    @classmethod
    def json(cls, value: object, status: int = 200, *, times: int | None = None) -> Fault:
        """Another JSON body."""
        return cls(status, json.dumps(value).encode(), times=times)

    @classmethod
    def redirect(cls, target: str, status: int = 302) -> Fault:
        """A redirect."""
        return cls(status, b"", "text/html", {"Location": target})

    @classmethod
    def slow(cls, held: asyncio.Event, *, times: int | None = None) -> Fault:
        """The right answer, once the event is set."""
        return cls(held=held, times=times)

    @classmethod
    def cut_off(cls, at: int = 10, *, times: int | None = None) -> Fault:
        """The right answer, which breaks off after so many bytes."""
        return cls(cut_at=at, times=times)

    @classmethod
    def oversized(cls, size: int) -> Fault:
        """A list of so many bytes."""
        return cls(body=b"[" + b"1," * (size // 2) + b"1]")
