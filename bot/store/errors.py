"""What the client library raises, as our own errors: one sentence that names the reason and what to do.

Every class of `redis.exceptions` has its line in `TRANSLATIONS` (a test walks them), and what the server says with a
code that has no class has its line in `CODES`.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from redis import exceptions

from bot.errors import BotError, SettingsError, StorageError, UnavailableError

RETRY_S = 2.0

AWAY = "Redis does not answer; Locus goes on as soon as it does."
LOADING = "Redis is still reading its data from disk; Locus goes on as soon as it has."
SCRIPT = "Redis is busy with another program's script; Locus goes on as soon as it has ended."
FULL_MEMORY = "Redis refuses to write because its memory is full (OOM): raise its maxmemory or give the machine more."
FULL_DISK = "Redis refuses to write because it cannot save to disk (MISCONF): free space on its disk."
READ_ONLY = "Redis refuses to write because it is a read-only replica: point LOCUS_REDIS_URL at the primary server."
NO_REPLICAS = "Redis refuses to write because too few of its replicas are up (NOREPLICAS): start them."
NO_PRIMARY = "The Redis server is a replica that has lost its primary: start the primary server."
TOO_MANY = "Redis takes no further connections: raise its maxclients, or find out who else is connected."
DOWN = "The Redis cluster is down: start its nodes."
CERTIFICATE = (
    "The certificate of the Redis server is not trusted: name its authority's file in LOCUS_REDIS_URL, as "
    "?ssl_ca_certs=PATH, or renew it."
)
PASSWORD = "Redis does not accept the user name or password of LOCUS_REDIS_URL: set the right one."  # noqa: S105
PERMISSION = "The Redis user may not run a command that Locus needs; docs/state.md lists them: {reason}."
CLUSTER = "This is a Redis cluster, on which Locus' transactions cannot run: set LOCUS_REDIS_URL to a single server."
OTHER_USE = "Another program uses a key of the same name: set another LOCUS_REDIS_PREFIX ({reason})."
REFUSED = "Redis refused a command: {reason}."
LIBRARY = "The connection to Redis failed in a way Locus does not know: {reason}."

Make = Callable[[str], BotError]


def _later(sentence: str) -> Make:
    return lambda _: UnavailableError(sentence, retry_after_s=RETRY_S)


def _setting(sentence: str) -> Make:
    return lambda reason: SettingsError(sentence.format(reason=reason))


def _storage(sentence: str) -> Make:
    return lambda reason: StorageError(sentence.format(reason=reason))


def _connection(reason: str) -> BotError:
    if "max number of clients" in reason:
        return _later(TOO_MANY)(reason)
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return _later(CERTIFICATE)(reason)
    return _later(AWAY)(reason)


def _by_code(reason: str) -> BotError:
    return CODES.get(reason.partition(" ")[0], _storage(REFUSED))(reason)


CODES: Mapping[str, Make] = {
    "BUSY": _later(SCRIPT),
    "CLUSTERDOWN": _later(DOWN),
    "CROSSSLOT": _setting(CLUSTER),
    "LOADING": _later(LOADING),
    "MASTERDOWN": _later(NO_PRIMARY),
    "MISCONF": _later(FULL_DISK),
    "MOVED": _setting(CLUSTER),
    "NOAUTH": _setting(PASSWORD),
    "NOPERM": _setting(PERMISSION),
    "NOREPLICAS": _later(NO_REPLICAS),
    "OOM": _later(FULL_MEMORY),
    "READONLY": _later(READ_ONLY),
    "WRONGPASS": _setting(PASSWORD),
    "WRONGTYPE": _storage(OTHER_USE),
}

TRANSLATIONS: Mapping[type[Exception], Make] = {
    exceptions.AskError: _setting(CLUSTER),
    exceptions.AuthenticationError: _setting(PASSWORD),
    exceptions.AuthenticationWrongNumberOfArgsError: _setting(PASSWORD),
    exceptions.AuthorizationError: _setting(PERMISSION),
    exceptions.BusyLoadingError: _later(LOADING),
    exceptions.ChildDeadlockedError: _storage(LIBRARY),
    exceptions.ClusterCrossSlotError: _setting(CLUSTER),
    exceptions.ClusterDownError: _later(DOWN),
    exceptions.ClusterError: _setting(CLUSTER),
    exceptions.ConnectionError: _connection,
    exceptions.CrossSlotTransactionError: _setting(CLUSTER),
    exceptions.DataError: _storage(LIBRARY),
    exceptions.ExecAbortError: _storage(REFUSED),
    exceptions.ExternalAuthProviderError: _setting(PASSWORD),
    exceptions.IncorrectPolicyType: _storage(LIBRARY),
    exceptions.InvalidPipelineStack: _storage(LIBRARY),
    exceptions.InvalidResponse: _later(AWAY),
    exceptions.LockError: _storage(LIBRARY),
    exceptions.LockNotOwnedError: _storage(LIBRARY),
    exceptions.MasterDownError: _later(NO_PRIMARY),
    exceptions.MaxConnectionsError: _later(AWAY),
    exceptions.ModuleError: _storage(REFUSED),
    exceptions.MovedError: _setting(CLUSTER),
    exceptions.NoPermissionError: _setting(PERMISSION),
    exceptions.NoScriptError: _storage(REFUSED),
    exceptions.NoSuchFieldsetError: _storage(REFUSED),
    exceptions.OutOfMemoryError: _later(FULL_MEMORY),
    exceptions.PubSubError: _later(AWAY),
    exceptions.ReadOnlyError: _later(READ_ONLY),
    exceptions.RedisClusterException: _setting(CLUSTER),
    exceptions.RedisError: _storage(LIBRARY),
    exceptions.ResponseError: _by_code,
    exceptions.SlotNotCoveredError: _setting(CLUSTER),
    exceptions.TimeoutError: _later(AWAY),
    exceptions.TryAgainError: _later(DOWN),
    exceptions.WatchError: _storage(LIBRARY),
    ssl.SSLError: _connection,
    OSError: _later(AWAY),
    TimeoutError: _later(AWAY),
}
FOREIGN = tuple(TRANSLATIONS)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the library's exceptions, and those of sockets, into ours; the cause is kept."""
    try:
        yield
    except BotError:
        raise
    except FOREIGN as error:
        raise translate(error) from error


def translate(error: Exception) -> BotError:
    """Return our error for one of the library's, by its most specific class that has a line."""
    if type(error) is exceptions.ConnectionError and isinstance(error.__cause__, exceptions.RedisError):
        error = error.__cause__  # the library wraps what a server says while a connection is made
    # What a refused command was given may be somebody's question, and errors are logged.
    reason = str(error).partition(", with args")[0].rstrip(".")
    for kind in type(error).__mro__:
        if issubclass(kind, Exception) and kind in TRANSLATIONS:
            return TRANSLATIONS[kind](reason)
    return StorageError(LIBRARY.format(reason=reason))
