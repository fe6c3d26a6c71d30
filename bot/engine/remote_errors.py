"""The border to a remote server: its statuses and httpx's exceptions become the errors of `bot.errors`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from pydantic import JsonValue

from bot.errors import BotError, BusyError, InvalidRequestError, SettingsError, UnavailableError
from bot.plain_text import without_controls

_SHOWN_CHARS = 200  # of what a server says, in a sentence of ours
_TOO_LONG = re.compile(
    r"exceed_context_size|exceeds? the (?:available )?context|context (?:length|size|window)|context_length_exceeded",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(r"model.{0,200}(?:not found|does not exist|is not available)", re.IGNORECASE | re.DOTALL)


class RemoteBusyError(BusyError):
    """The server has too much to do; `retry_after_s` is what it asks for, or None."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PromptTooLongError(InvalidRequestError):
    """The prompt and the answer do not fit the server's context."""


class NoAnswerInTimeError(UnavailableError):
    """The server took the request and wrote nothing in time; asking again would only add to its work."""


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn httpx's exceptions into ours.

    Raises:
        BusyError: If all connections are in use.
        UnavailableError: If the server cannot be reached or breaks off.
    """
    try:
        yield
    except httpx.PoolTimeout as error:
        raise RemoteBusyError("Too many questions are with the remote model already: try again soon.") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        reason = excerpt(str(error)) or type(error).__name__
        raise UnavailableError(
            f"The remote model at {url} cannot be reached or broke off ({reason}): "
            "see whether it runs, or check LOCUS_REMOTE_URL."
        ) from error


def error_for(url: str, model: str, status: int, headers: Mapping[str, str], body: bytes) -> BotError:
    """Return the error that an answer with another status than 200 stands for.

    Args:
        url: The API's address.
        model: Name of the model asked for.
        status: HTTP status, or the code of an error inside a stream.
        headers: Of the response, names in lower case.
        body: Its first bytes.
    """
    text = body.decode("utf-8", "replace")
    said = excerpt(_message(text))
    wait_s = retry_after_s(headers.get("retry-after"))
    if 300 <= status < 400:
        return SettingsError(
            f"The remote model at {url} redirects elsewhere, which is not followed: put the final address into "
            "LOCUS_REMOTE_URL."
        )
    if status in {401, 403}:
        return SettingsError(f"The remote model at {url} refuses the key ({status}): check LOCUS_REMOTE_KEY.")
    if status in {400, 404} and _NO_MODEL.search(text):
        return SettingsError(f"The server at {url} has no model {model!r}: check LOCUS_REMOTE_MODEL.")
    if status in {404, 405}:
        return SettingsError(
            f"Nothing answers chats at {url} ({status}): check LOCUS_REMOTE_URL, which mostly ends in /v1."
        )
    if status == 413 or (status in {400, 422, 500} and _TOO_LONG.search(text)):
        return PromptTooLongError(
            f"The question with its passages is too long for the remote model {model}: ask something shorter, or "
            "give the model a larger context."
        )
    if status == 429:
        when = f"in {wait_s:.0f} s" if wait_s is not None else "later"
        return RemoteBusyError(f"The remote model at {url} has too much to do: try again {when}.", retry_after_s=wait_s)
    if status >= 500 or status in {408, 425}:
        failed = UnavailableError(
            f"The remote model at {url} fails ({status}{f': {said}' if said else ''}): see its log.",
            retry_after_s=wait_s,
        )
        failed.may_quote = bool(said)
        return failed
    return InvalidRequestError(
        f"The remote model at {url} does not take the request ({status}: {said or 'no reason'})."
    )


def broken(url: str, what: str) -> UnavailableError:
    """Return the error for an answer that cannot be read."""
    return UnavailableError(
        f"The remote model at {url} {what}: see its log, or check that LOCUS_REMOTE_URL is an OpenAI-compatible server."
    )


def retry_after_s(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which is a number or a date, or None."""
    if not value:
        return None
    if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", value.strip()):
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def excerpt(text: str) -> str:
    """Return the beginning of a foreign text as one clean line."""
    line = " ".join(without_controls(text).split())
    return line if len(line) <= _SHOWN_CHARS else line[: _SHOWN_CHARS - 1] + "…"


def _message(body: str) -> str:
    """The sentence inside an error body, or nothing: a page of HTML is no help."""
    try:
        said: JsonValue = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    for name in ("error", "message", "detail"):
        if isinstance(said, dict) and name in said:
            said = said[name]
    return said if isinstance(said, str) else ""
