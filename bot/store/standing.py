"""How much is open at the moment."""

from __future__ import annotations

from dataclasses import dataclass

from bot.store.client import number, text, texts
from bot.store.inbox import Inbox
from bot.store.lanes import REQUESTS


@dataclass(frozen=True, slots=True)
class Queue:
    """What is open, in all processes that share the state.

    Attributes:
        length: Requests that were accepted and have not ended.
        accepted_at: When the first of them was, in seconds since 1970; None where it cannot be told, or none is open.
        given_up: Requests that were given up and are kept for the operator.
    """

    length: int
    accepted_at: float | None
    given_up: int


async def read_queue(inbox: Inbox) -> Queue:
    """Return what is open.

    Raises:
        UnavailableError: If Redis is away.
    """
    store, keys = inbox.store, inbox.keys
    length, dead, found = await store.batch(
        ("XLEN", keys.inbox), ("XLEN", keys.dead), ("XRANGE", keys.inbox, "-", "+", "COUNT", 1)
    )
    fields = texts(found[0][1]) if isinstance(found, list) and found and isinstance(found[0], list) else []
    first = REQUESTS.find(text(await store.call("GET", keys.request(fields[1])))) if fields[1:] else None
    return Queue(number(length), None if first is None else first.accepted_at, number(dead))
