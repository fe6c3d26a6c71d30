"""Names of all keys. docs/state.md lists them with type, lifetime and size; a test compares the two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.store.client import Store

GROUP = "workers"  # the stream's consumer group
WAITING = "waiting"  # the consumer that holds what no worker has taken yet


class Keys:
    """Names of keys below a store's prefix."""

    def __init__(self, store: Store) -> None:
        self.inbox = store.key("inbox")
        self.counter = store.key("counter")
        self.ring = store.key("ring")
        self.round = store.key("round")
        self.quick = store.key("quick")
        self.delayed = store.key("delayed")
        self.dead = store.key("dead")
        self.bell = store.key("bell")
        self.signal = store.key("signal")
        self._store = store

    def request(self, request_id: str) -> str:
        """A request."""
        return self._store.key("request", request_id)

    def line(self, conversation_id: str) -> str:
        """The open requests of a conversation."""
        return self._store.key("line", conversation_id)

    def turns(self, person_id: str) -> str:
        """A person's requests whose turn it is in their conversation."""
        return self._store.key("turns", person_id)

    def worker(self, worker_id: str) -> str:
        """A worker's lease."""
        return self._store.key("worker", worker_id)

    def post_lock(self, request_id: str) -> str:
        """Held while the visible message of a request is posted."""
        return self._store.key("post", request_id)

    def rate(self, kind: str, handle: str) -> str:
        """When a person or channel asked lately."""
        return self._store.key("rate", kind, handle)


@dataclass(frozen=True, slots=True)
class KeyKind:
    """One kind of key, as docs/state.md shows it.

    Attributes:
        name: Below the prefix; * stands for a handle.
        type: Redis' type, or "channel".
        lifetime: In words.
        limit: What bounds its number or size, in words.
        holds: What is in it.
    """

    name: str
    type: Literal["string", "stream", "zset", "set", "hash", "list", "channel"]
    lifetime: str
    limit: str
    holds: str


INBOX_KEYS = (
    KeyKind(
        "inbox", "stream", "an entry until its answer is visible", "LOCUS_QUEUE_LIMIT, ten times over", "open requests"
    ),
    KeyKind("counter", "string", "for good", "one number", "position given to the last accepted message"),
    KeyKind(
        "request:*",
        "string",
        "while open; then LOCUS_DUPLICATES_H hours",
        "as many as messages in that time, up to 20 kB each",
        "a request; without its text once it is done",
    ),
    KeyKind("line:*", "zset", "while it has members", "open requests", "open requests of a conversation, in order"),
    KeyKind("turns:*", "zset", "while it has members", "open requests", "a person's requests that can be answered now"),
    KeyKind("ring", "zset", "while it has members", "people who wait", "whose turn is next"),
    KeyKind("round", "string", "for good", "one number", "counts turns"),
    KeyKind("quick", "zset", "while it has members", "open requests", "sentences to say, which take no turn"),
    KeyKind("delayed", "zset", "while it has members", "open requests", "requests and when they are tried again"),
    KeyKind("dead", "stream", "LOCUS_RETENTION_DAYS", "1,000 entries", "requests that were given up"),
    KeyKind("worker:*", "string", "LOCUS_LEASE_S", "one per worker", "lease: present while the worker lives"),
    KeyKind("post:*", "string", "30 s", "one per message being posted", "lock on posting a visible message"),
    KeyKind("rate:person:*", "zset", "the window", "the limit", "when a person asked lately"),
    KeyKind("rate:channel:*", "zset", "the window", "the limit", "when a channel asked lately"),
    KeyKind("bell", "channel", "", "", "rung when a worker may find something to do"),
    KeyKind("signal", "channel", "", "", "handles of requests that were edited or cancelled"),
)
