"""Every error Locus raises on purpose.

BotError                    exit code 1
├── InvalidRequestError     2   what was asked cannot be understood (an empty question, an unknown option value)
├── SettingsError           3   a setting is wrong, or an extra it needs is not installed
├── NotFoundError           4   a named thing is not there (a folder, a file, a trait)
├── UnreadableError         5   a document is there but cannot be read (binary, truncated, password-protected)
├── UnavailableError        6   a part Locus depends on does not answer; knows `retry_after_s`
├── BusyError               7   a bounded queue is full
├── RefusedError            8   not allowed (a host off the list, a private address)
└── StorageError            9   the data folder: disk full, damaged index, index made with other settings

The message of each is one sentence for a person: it names the file or setting and says what to do. "The documents do
not say" is an answer and no error. The exit codes are those of the command line (docs/command-line.md).
"""

from __future__ import annotations


class BotError(Exception):
    """Base of all errors Locus raises on purpose; `str(error)` is one sentence for a person.

    Attributes:
        may_quote: True where the sentence may quote what somebody wrote or named; the log of a request then has the
            error's kind alone.
    """

    exit_code: int = 1
    retryable: bool = False
    may_quote: bool = True


class InvalidRequestError(BotError):
    """The request itself is at fault and would fail again unchanged."""

    exit_code = 2


class SettingsError(BotError):
    """A setting is wrong or contradicts another, or an optional part is not installed."""

    exit_code = 3
    may_quote = False


class NotFoundError(BotError):
    """A thing named by the caller does not exist."""

    exit_code = 4


class UnreadableError(BotError):
    """A document exists but no text can be had from it."""

    exit_code = 5


class UnavailableError(BotError):
    """A part that Locus depends on does not answer.

    Args:
        message: One sentence for a person.
        retry_after_s: Seconds after which another attempt makes sense, or None when unknown.
    """

    exit_code = 6
    retryable = True
    may_quote = False

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BusyError(BotError):
    """A bounded queue is full."""

    exit_code = 7
    retryable = True
    may_quote = False


class RefusedError(BotError):
    """The caller, or a place on the network, is not allowed."""

    exit_code = 8
    may_quote = False


class StorageError(BotError):
    """The data folder cannot be used as it is: full, damaged, or made with other settings."""

    exit_code = 9
    may_quote = False
