"""Errors of the client, and what httpx raises as one sentence.

UnavailableError            bot/errors.py
├── ServiceDownError        it cannot be reached, breaks off, or a proxy says so (502, 503, 504, 429): ask again
└── ServiceFailedError      it answered, but with an error of its own or with something that is no data
NotFoundError               it does not know what was asked for, in whatever form it says so
InvalidRequestError         it does not understand the request
BusyError                   other requests of Locus take too long
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from bot.errors import UnavailableError


class ServiceDownError(UnavailableError):
    """The service does not answer now; the same request may succeed later."""


class ServiceFailedError(UnavailableError):
    """The service answers, but not with what was asked for; asking again at once is of no use.

    Args:
        message: One sentence for a person.
        status: HTTP status, where that is what failed.
    """

    retryable = False

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


# From special to general; every class of httpx that a request can raise is below one of them (a test walks them).
TRANSLATIONS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, "{name} cannot be reached: the connection took too long; try again later."),
    (httpx.ConnectError, "{name} cannot be reached: check the network, or its address in the settings."),
    (httpx.TimeoutException, "{name} took too long to answer: try again later."),
    (httpx.ProtocolError, "{name} broke off its answer: try again later."),
    (httpx.ReadError, "{name} broke off its answer: try again later."),
    (httpx.TransportError, "The connection to {name} failed: try again later."),
    (httpx.RequestError, "The connection to {name} failed: try again later."),
    (httpx.InvalidURL, "The address of {name} is no address of a service: check it in the settings."),
    (httpx.StreamError, "{name} broke off its answer: try again later."),
)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Raise what httpx raises as `ServiceDownError`."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        for kind, sentence in TRANSLATIONS:
            if isinstance(error, kind):
                raise ServiceDownError(sentence.format(name=name)) from error
        raise
