"""What the private server's only user may do: the commands that Locus runs, on its own keys and channels.

A test compares the list with the commands in the source. No scripting, no administration, no reading of other keys.
"""

from __future__ import annotations

import hashlib

USER = "locus"

# Connection, transactions and messages to other processes; the client library sends some of them by itself.
PROTOCOL = frozenset("AUTH EXEC INFO MULTI PING PUBLISH SELECT SUBSCRIBE UNSUBSCRIBE UNWATCH WATCH".split())

COMMANDS = PROTOCOL | frozenset(
    """
    BLPOP DEL EXISTS GET GETDEL HGETALL HINCRBY INCR LRANGE LREM LTRIM PEXPIRE PTTL RPUSH SADD SCAN SCARD SET SMEMBERS
    SREM TYPE XACK XADD XCLAIM XDEL XGROUP XINFO XLEN XPENDING XRANGE XREADGROUP XTRIM ZADD ZCARD ZINCRBY ZRANGE
    ZRANGEBYSCORE ZREM ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYSCORE ZSCORE
    """.split()
)


def acl_lines(password: str, prefix: str) -> str:
    """Return the file of users: nobody but `USER`, who has a password and sees keys below `prefix` only."""
    digest = hashlib.sha256(password.encode()).hexdigest()
    commands = " ".join(f"+{name.lower()}" for name in sorted(COMMANDS))
    return f"user default off -@all\nuser {USER} on #{digest} ~{prefix}:* resetchannels &{prefix}:* -@all {commands}\n"
