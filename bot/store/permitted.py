"""Whether the user of a given server may run what Locus needs, found out without running any of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from bot.errors import SettingsError, StorageError
from bot.store.acl import COMMANDS, PROTOCOL

if TYPE_CHECKING:  # the doctor runs without the client library
    from bot.store.client import Store

KEY: Final = "permission"
NO_COMMAND: Final = "NO-SUCH-COMMAND"

# What follows a command's name, {} for the key. The server checks the number of arguments before the permission.
ARGUMENTS: Final[Mapping[str, str]] = {
    **dict.fromkeys("DEL EXISTS GET GETDEL HGETALL INCR PTTL SCARD SMEMBERS TYPE XLEN ZCARD".split(), "{}"),
    **dict.fromkeys("RPUSH SADD SET SREM ZREM ZSCORE".split(), "{} a"),
    **dict.fromkeys("LRANGE LTRIM ZRANGE ZRANGEBYSCORE ZREMRANGEBYRANK ZREMRANGEBYSCORE".split(), "{} 0 0"),
    **dict.fromkeys("ZREVRANGE ZREVRANGEBYSCORE".split(), "{} 0 0"),
    **dict.fromkeys("BLPOP PEXPIRE".split(), "{} 1"),
    "HINCRBY": "{} a 1",
    "LREM": "{} 0 a",
    "SCAN": "0",
    "XACK": "{} a 0-1",
    "XADD": "{} * a b",
    "XCLAIM": "{} a b 0 0-1",
    "XDEL": "{} 0-1",
    "XGROUP": "CREATE {} a $",
    "XINFO": "STREAM {}",
    "XPENDING": "{} a",
    "XRANGE": "{} - +",
    "XREADGROUP": "GROUP a b STREAMS {} >",
    "XTRIM": "{} MAXLEN 0",
    "ZADD": "{} 1 a",
    "ZINCRBY": "{} 1 a",
}


async def forbidden_commands(store: Store) -> list[str]:
    """Return the commands that Locus needs and its user may not run, sorted.

    Each is put into a transaction that cannot be carried out, so that only its permission is looked at.

    Raises:
        UnavailableError: If the server does not answer.
    """
    forbidden = []
    for name in sorted(COMMANDS - PROTOCOL):
        arguments = [part.format(store.key(KEY)) for part in ARGUMENTS[name].split()]
        try:
            await store.batch(("MULTI",), (name, *arguments), (NO_COMMAND,), ("EXEC",))
        except SettingsError:
            forbidden.append(name)
        except StorageError:
            continue  # the command that there is not was the first to be refused
    return forbidden


def require_permitted(forbidden: list[str]) -> None:
    """Refuse a user who may do too little: questions would be accepted and never finished.

    Raises:
        SettingsError: With the commands.
    """
    if forbidden:
        raise SettingsError(
            f"The Redis user may not run {', '.join(forbidden)}, which Locus needs: allow it what docs/state.md lists."
        )
