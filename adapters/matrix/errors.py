"""The border to Matrix: what a homeserver and matrix-nio answer, as the errors of `bot.errors`.

UnavailableError
├── RateLimitedError       nothing was done; knows `retry_after_s`
└── OutcomeUnknownError    it may have been done or not: no answer, a proxy's page, or a failure inside the homeserver
NotFoundError              the event, room or profile is gone
RefusedError               this place, and for good: no member, no right
└── ClearTextError         an encrypted room, and no keys to encrypt with: nothing was sent
SettingsError
└── SessionEndedError      the homeserver has ended the session: somebody has to log in again
InvalidRequestError        the homeserver does not understand the call, which is a mistake of ours
└── TooLargeError          the event is larger than 65,536 bytes

matrix-nio returns failures instead of raising them; `checked` raises them. What it raises, and what aiohttp below it
does, `translated` turns into one of these. A code without a line here becomes UnavailableError: homeservers gain codes
without notice, and the core gives up by itself after a day.

Source of the codes: Matrix client-server API 1.17, "Standard error response".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from aiohttp import ClientError, ClientSSLError, InvalidURL
from nio.exceptions import (
    EncryptionError,
    GroupEncryptionError,
    OlmTrustError,
    ProtocolError,
    TransferCancelledError,
    VerificationError,
)
from nio.responses import ErrorResponse

from bot.errors import BotError, InvalidRequestError, NotFoundError, RefusedError, SettingsError, UnavailableError
from bot.plain_text import without_controls

RATE_PAUSE_S: Final = 5.0  # where a homeserver names no time; Synapse's messages refill in 5 s
FAILURE_PAUSE_S: Final = 2.0  # after a failure inside the homeserver or on the way
STRANGE_PAUSE_S: Final = 60.0  # after a code that nobody knows here
LONGEST_PAUSE_S: Final = 600.0  # a longer pause is not believed

LOG_IN_AGAIN: Final = "run `locus matrix login`"

T = TypeVar("T")


class RateLimitedError(UnavailableError):
    """The homeserver asks to wait; nothing was done."""


class OutcomeUnknownError(UnavailableError):
    """Whether it was done is unknown; doing it again with the same transaction id is harmless."""


class ClearTextError(RefusedError):
    """The room is encrypted and the keys are not loaded."""


class SessionEndedError(SettingsError):
    """The access token is good for nothing any more."""


class TooLargeError(InvalidRequestError):
    """The event exceeds the size that servers accept."""


TOKEN_CODES: Final = frozenset({"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_USER_DEACTIVATED", "M_USER_LOCKED"})
REFUSED_CODES: Final = frozenset(
    {"M_FORBIDDEN", "M_GUEST_ACCESS_FORBIDDEN", "M_UNSUPPORTED_ROOM_VERSION", "M_INCOMPATIBLE_ROOM_VERSION"}
)
MISTAKE_CODES: Final = frozenset(
    {"M_BAD_JSON", "M_NOT_JSON", "M_INVALID_PARAM", "M_MISSING_PARAM", "M_DUPLICATE_ANNOTATION", "M_UNRECOGNIZED"}
)


def checked(response: object, kind: type[T]) -> T:
    """Return the response of a call if it is a success.

    Raises:
        BotError: What the homeserver answered instead.
    """
    if isinstance(response, ErrorResponse):
        raise error_of(response)
    if not isinstance(response, kind):
        raise OutcomeUnknownError(
            "The Matrix homeserver answered something else than was asked for: look whether it is healthy.",
            retry_after_s=FAILURE_PAUSE_S,
        )
    return response


def error_of(response: ErrorResponse) -> BotError:
    """Return what a failed call means."""
    transport: Any = response.transport_response
    status = int(getattr(transport, "status", 0) or 0)
    headers: Mapping[str, str] = getattr(transport, "headers", None) or {}
    return error_for(status, response.status_code or "", response.message, response.retry_after_ms, headers)


def error_for(
    status: int, code: str, said: str = "", retry_after_ms: int | None = None, headers: Mapping[str, str] | None = None
) -> BotError:
    """Return what an HTTP status and an error code mean.

    Args:
        status: HTTP status; 0 where it is not known.
        code: Such as "M_FORBIDDEN"; empty where the body was none of Matrix's.
        said: What the homeserver adds for developers.
        retry_after_ms: Milliseconds it asks to wait; also looked for in the header Retry-After.
        headers: Of the answer.
    """
    if code == "M_LIMIT_EXCEEDED" or status == 429:
        return RateLimitedError(
            "The Matrix homeserver asks to slow down.", retry_after_s=_pause(retry_after_ms, headers)
        )
    if code in TOKEN_CODES or (status == 401 and not code):
        return SessionEndedError(f"The Matrix homeserver has ended Locus's session: {LOG_IN_AGAIN}.")
    if code == "M_NOT_FOUND" or (status == 404 and not code):
        return NotFoundError("The Matrix homeserver knows no such event or room.")
    if code == "M_TOO_LARGE" or status == 413:
        return TooLargeError("The Matrix homeserver refuses events of that size.")
    if code in REFUSED_CODES:
        return RefusedError("The Matrix homeserver does not let Locus do this here: look at its rights in the room.")
    words = without_controls(said)[:200].strip()
    if code in MISTAKE_CODES or status == 400:
        return InvalidRequestError(f"The Matrix homeserver does not understand a call of Locus ({code}: {words}).")
    if status >= 500 or not code:
        shown = f"HTTP status {status}" if status else "no Matrix response"
        return OutcomeUnknownError(
            f"The Matrix homeserver does not answer as it should ({shown}).", retry_after_s=FAILURE_PAUSE_S
        )
    return UnavailableError(f"The Matrix homeserver refuses for now ({code}: {words}).", retry_after_s=STRANGE_PAUSE_S)


def _pause(retry_after_ms: int | None, headers: Mapping[str, str] | None) -> float:
    given = (headers or {}).get("Retry-After", "")
    if retry_after_ms is not None and retry_after_ms >= 0:
        wanted = retry_after_ms / 1000
    elif given.isdecimal():
        wanted = float(given)
    else:
        wanted = RATE_PAUSE_S
    return min(max(wanted, 0.1), LONGEST_PAUSE_S)


def translation(error: Exception) -> BotError | None:
    """Return what an exception of matrix-nio, aiohttp or the store means, or None for one that is none of theirs."""
    if isinstance(error, ClientSSLError):
        return SettingsError("The certificate of the Matrix homeserver is not valid: look at LOCUS_MATRIX_HOMESERVER.")
    if isinstance(error, InvalidURL):
        return SettingsError("LOCUS_MATRIX_HOMESERVER is no address: write it as https://matrix.example.org.")
    if isinstance(error, (ClientError, TimeoutError, ConnectionError)):
        return OutcomeUnknownError("The Matrix homeserver does not answer.", retry_after_s=FAILURE_PAUSE_S)
    if isinstance(error, (OlmTrustError, EncryptionError, GroupEncryptionError, VerificationError)):
        return UnavailableError(
            "A message could not be encrypted for everybody in the room.", retry_after_s=FAILURE_PAUSE_S
        )
    if isinstance(error, (ProtocolError, TransferCancelledError)):
        return UnavailableError("matrix-nio does not know this room yet.", retry_after_s=FAILURE_PAUSE_S)
    if isinstance(error, sqlite3.Error):
        return UnavailableError("The Matrix keys cannot be read or written now.", retry_after_s=STRANGE_PAUSE_S)
    return None


@contextmanager
def translated() -> Iterator[None]:
    """Turn what matrix-nio and aiohttp raise inside the block into errors of `bot.errors`.

    Raises:
        BotError: Instead; everything else goes through as it is.
    """
    try:
        yield
    except Exception as error:
        meant = translation(error)
        if meant is None:
            raise
        raise meant from error


def checked_call(status: int, body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a call made without matrix-nio if it is a success.

    Raises:
        BotError: What the homeserver answered instead.
    """
    if 200 <= status < 300:
        return body
    retry = body.get("retry_after_ms")
    raise error_for(
        status, str(body.get("errcode", "")), str(body.get("error", "")), retry if isinstance(retry, int) else None
    )
