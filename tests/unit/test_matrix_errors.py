"""What homeservers, matrix-nio and aiohttp say becomes an error of Locus, every one of them."""

from __future__ import annotations

import inspect

import aiohttp.client_exceptions
import nio.exceptions
import pytest
from nio.responses import ErrorResponse, WhoamiResponse

from adapters.matrix.errors import (
    OutcomeUnknownError,
    RateLimitedError,
    SessionEndedError,
    TooLargeError,
    checked,
    error_for,
    translation,
)
from bot.errors import BotError, InvalidRequestError, NotFoundError, RefusedError, UnavailableError


def classes(module: object) -> list[type[Exception]]:
    """The exceptions that a module defines."""
    own = vars(module)["__name__"]
    return [
        each
        for each in vars(module).values()
        if inspect.isclass(each) and issubclass(each, Exception) and each.__module__ == own
    ]


@pytest.mark.parametrize("kind", [*classes(nio.exceptions), *classes(aiohttp.client_exceptions)])
def test_no_exception_of_the_libraries_goes_through(kind: type[Exception]) -> None:
    """Every class has a translation, also one that an upgrade brings."""
    if kind is aiohttp.client_exceptions.WSMessageTypeError:
        pytest.skip("of websockets, which Matrix does not use")

    assert isinstance(translation(kind.__new__(kind)), BotError)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "M_LIMIT_EXCEEDED", RateLimitedError),
        (429, "", RateLimitedError),
        (401, "M_UNKNOWN_TOKEN", SessionEndedError),
        (401, "M_MISSING_TOKEN", SessionEndedError),
        (403, "M_USER_DEACTIVATED", SessionEndedError),
        (403, "M_FORBIDDEN", RefusedError),
        (404, "M_NOT_FOUND", NotFoundError),
        (413, "M_TOO_LARGE", TooLargeError),
        (400, "M_BAD_JSON", InvalidRequestError),
        (400, "M_DUPLICATE_ANNOTATION", InvalidRequestError),
        (500, "M_UNKNOWN", OutcomeUnknownError),
        (502, "", OutcomeUnknownError),
        (200, "", OutcomeUnknownError),
        (418, "ORG_EXAMPLE_NEW", UnavailableError),
    ],
)
def test_a_code_becomes_the_error_that_says_what_to_do(status: int, code: str, kind: type[BotError]) -> None:
    """Nothing passing is refused for good, and nothing that is over is waited for."""
    assert kind is type(error_for(status, code))


@pytest.mark.parametrize(
    ("retry_after_ms", "headers", "expected"),
    [(2500, {}, 2.5), (None, {"Retry-After": "7"}, 7.0), (None, {}, 5.0), (10**9, {}, 600.0), (0, {}, 0.1)],
)
def test_a_rate_limit_knows_how_long_to_wait(
    retry_after_ms: int | None, headers: dict[str, str], expected: float
) -> None:
    """The body wins over the header; neither is believed beyond ten minutes."""
    error = error_for(429, "M_LIMIT_EXCEEDED", "", retry_after_ms, headers)

    assert isinstance(error, RateLimitedError)
    assert expected == error.retry_after_s


def test_what_is_returned_as_a_failure_is_raised() -> None:
    """matrix-nio returns failures; nobody can overlook them here."""
    with pytest.raises(RefusedError):
        checked(ErrorResponse("no", "M_FORBIDDEN"), WhoamiResponse)
    with pytest.raises(OutcomeUnknownError):
        checked(None, WhoamiResponse)
