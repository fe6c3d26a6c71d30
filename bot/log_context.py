"""What a log line is about: the request that is worked on, known to all that is called for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_request: ContextVar[str] = ContextVar("request", default="")


@contextmanager
def logged_as(request_id: str) -> Iterator[None]:
    """Put a request's reference into every log line until the end, tasks begun meanwhile included."""
    token = _request.set(request_id)
    try:
        yield
    finally:
        _request.reset(token)


def current_request() -> str:
    """Return the reference of the request that is worked on, or ""."""
    return _request.get()
