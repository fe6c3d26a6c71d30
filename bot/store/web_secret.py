"""The secret that the web pages sign their cookies with: the same in all processes, and after a restart."""

from __future__ import annotations

import secrets

from bot.errors import StorageError
from bot.store.client import Store, text
from bot.store.keys import KeyKind

WEB_SECRET_KEYS = (
    KeyKind("web-secret", "string", "for good", "one, 64 characters", "what cookies of the web pages are signed with"),
)
_BYTES = 32


async def web_secret(store: Store) -> bytes:
    """Return the secret; the first who asks makes it.

    Raises:
        UnavailableError: If Redis is away.
        StorageError: If what is kept is no secret.
    """
    key = store.key("web-secret")
    await store.call("SET", key, secrets.token_hex(_BYTES), "NX")
    try:
        found = bytes.fromhex(text(await store.call("GET", key)) or "")
    except ValueError:
        found = b""
    if len(found) != _BYTES:
        raise StorageError(f"The key {key} in Redis is damaged: delete it, and everybody signs in again.")
    return found
