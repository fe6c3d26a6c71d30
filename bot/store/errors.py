"""What the client library raises, as our own errors: one sentence that names the reason and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions

from bot.errors import BotError, SettingsError, StorageError, UnavailableError

RETRY_S = 2.0

AWAY = "Redis does not answer; Locus goes on as soon as it does."
LOADING = "Redis is still reading its data from disk; Locus goes on as soon as it has."
FULL_MEMORY = "Redis refuses to write because its memory is full (OOM): raise its maxmemory or give the machine more."
FULL_DISK = "Redis refuses to write because it cannot save to disk (MISCONF): free space on its disk."
READ_ONLY = "Redis refuses to write because it is a read-only replica: point LOCUS_REDIS_URL at the primary server."
NO_REPLICAS = "Redis refuses to write because too few of its replicas are up (NOREPLICAS): start them."
DOWN = "The Redis cluster is down: start its nodes."
PASSWORD = "Redis does not accept the user name or password of LOCUS_REDIS_URL: set the right one."  # noqa: S105
PERMISSION = "The Redis user may not run a command that Locus needs; docs/state.md lists them: {reason}."
CLUSTER = "This is a Redis cluster, on which Locus' transactions cannot run: set LOCUS_REDIS_URL to a single server."


@contextmanager
def translated() -> Iterator[None]:
    """Turn the library's exceptions, and those of sockets, into ours; the cause is kept."""
    try:
        yield
    except BotError:
        raise
    except (exceptions.RedisError, OSError, TimeoutError) as error:
        raise translate(error) from error


def translate(error: Exception) -> BotError:
    """Return our error for one of the library's, the most specific first."""
    reason = str(error)
    for kind, sentence in (
        (exceptions.BusyLoadingError, LOADING),
        (exceptions.OutOfMemoryError, FULL_MEMORY),
        (exceptions.ReadOnlyError, READ_ONLY),
        (exceptions.ClusterDownError, DOWN),
        (exceptions.MasterDownError, AWAY),
        (exceptions.TryAgainError, AWAY),
    ):
        if isinstance(error, kind):
            return UnavailableError(sentence, retry_after_s=RETRY_S)
    if isinstance(error, (exceptions.AuthenticationError, exceptions.AuthenticationWrongNumberOfArgsError)):
        return SettingsError(PASSWORD)
    if isinstance(error, (exceptions.NoPermissionError, exceptions.AuthorizationError)):
        return SettingsError(PERMISSION.format(reason=reason))
    if isinstance(error, (exceptions.MovedError, exceptions.AskError, exceptions.RedisClusterException)):
        return SettingsError(CLUSTER)
    if isinstance(error, (exceptions.ConnectionError, exceptions.TimeoutError, TimeoutError, OSError)):
        return UnavailableError(AWAY, retry_after_s=RETRY_S)
    for code, sentence in (
        ("MISCONF", FULL_DISK),
        ("OOM", FULL_MEMORY),
        ("READONLY", READ_ONLY),
        ("LOADING", LOADING),
        ("NOREPLICAS", NO_REPLICAS),
        ("MASTERDOWN", AWAY),
        ("CLUSTERDOWN", DOWN),
    ):
        if code in reason:
            return UnavailableError(sentence, retry_after_s=RETRY_S)
    if "NOAUTH" in reason or "WRONGPASS" in reason:
        return SettingsError(PASSWORD)
    if "NOPERM" in reason:
        return SettingsError(PERMISSION.format(reason=reason))
    return StorageError(f"Redis refused a command: {reason}.")
