"""From what rooms hold to the records that the checker reads."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.matrix.fields import record, text
from adapters.matrix.marks import FIELD, read_mark
from bot.replies import Stage
from bot.texts import nothing_to_stop, stopped
from tests.chat_records import Body, ChatEvent, EventRecord, Post, Snapshot, Version
from tests.matrix_server.watched_proxy import WatchedProxy
from tests.soak.checker import REFUSALS

SENTENCES: Final = (stopped(), nothing_to_stop())
_REFERENCE = re.compile(r"^Reference (\w+)$", re.MULTILINE)

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Act:
    """Something a person did.

    Attributes:
        event: What, with the ids that it has in Matrix.
        sent_at: When, by `time.monotonic()`.
        event_id: Of the message, edit, redaction or reaction.
    """

    event: ChatEvent
    sent_at: float
    event_id: str


def read_snapshot(acts: Sequence[Act], rooms: Mapping[str, Iterable[Json]], bot: str, proxy: WatchedProxy) -> Snapshot:
    """Return what people did and saw.

    Args:
        acts: What they did.
        rooms: All events of each room in order, decrypted.
        bot: User id of Locus.
        proxy: Saw what Locus was given and when it was accepted.
    """
    records = [
        EventRecord(
            act.event_id,
            act.event,
            act.sent_at,
            sorted(proxy.deliveries[act.event_id]),
            sorted(proxy.accepted[act.event_id]),
        )
        for act in acts
    ]
    asked = {record.event.reference: record.event.message_id for record in records}
    posts = [post for room, events in rooms.items() for post in _posts(room, events, bot, asked)]
    return Snapshot(records, posts, 1)


def _posts(room: str, events: Iterable[Json], bot: str, asked: Mapping[str, str]) -> list[Post]:
    """Return what Locus has posted in a room; further messages of a long answer belong to the first."""
    posts: dict[str, Post] = {}
    for event in events:
        content, relation = record(event, "content"), record(record(event, "content"), "m.relates_to")
        kind, event_id, at = event.get("type"), text(event, "event_id"), monotonic(event)
        if kind == "m.room.redaction":
            removed = posts.get(text(content, "redacts") or text(event, "redacts"))
            if removed is not None:
                removed.removed_at = at
        elif event.get("sender") != bot or kind not in ("m.room.message", "m.room.encrypted") or not content:
            continue
        elif text(relation, "rel_type") == "m.replace":
            edited = posts.get(text(relation, "event_id"))
            if edited is not None:
                edited.versions.append(Version(at, _body(record(content, "m.new_content"))))
        else:
            mark = read_mark(event)
            if mark is None or not mark.part_of:
                key = mark.key if mark is not None else ""
                root = text(relation, "event_id") if text(relation, "rel_type") == "m.thread" else ""
                first = Version(at, _body(content))
                posts[event_id] = Post(event_id, room, root, key, asked.get(key, ""), [first])
    return list(posts.values())


def _body(content: Json) -> Body:
    """Return how a message looked: an answer carries a handle, another final sentence is known or has a reference."""
    words = text(content, "body")
    reference = found[1] if (found := _REFERENCE.search(words)) else ""
    answered = bool(text(record(content, FIELD), "handle"))
    final = answered or reference or words in SENTENCES or words.startswith(REFUSALS)
    return Body(Stage.FINAL if final else Stage.DRAFT, words, answered=not reference, reference=reference)


def monotonic(event: Json) -> float:
    """Return when the homeserver took an event, by `time.monotonic()`; both run on one machine."""
    taken = event.get("origin_server_ts")
    return (float(taken) / 1000 if isinstance(taken, int) else 0.0) - time.time() + time.monotonic()
