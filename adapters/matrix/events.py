"""What a homeserver delivers, as values: one function per kind of event. Nothing is raised, whatever arrives; what
means nothing to the bot becomes None.

Events are read from their source, as JSON has it, since matrix-nio knows neither mentions nor threads: pass
`event.source` of whatever object it made, a `BadEvent` too.

A thread is a conversation, in direct rooms too: a message outside of threads begins one, as in Slack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from adapters.matrix.events_values import (
    Bot,
    Edited,
    Event,
    Meaning,
    Member,
    Membership,
    Reacted,
    Redacted,
    Replaced,
    Undecryptable,
    Written,
)
from adapters.matrix.fields import Fields, event_id, record, room_id, text, user_id
from adapters.matrix.files import caption_of, read_file
from adapters.matrix.mentions import read_mentions

MEANINGS: Final[Mapping[str, Meaning]] = MappingProxyType(
    {"👍": "up", "👎": "down", "🛑": "stop", "🔁": "again", "📄": "passages"}
)
MEMBERSHIPS: Final[Mapping[str, Membership]] = MappingProxyType(
    {"invite": "invite", "join": "join", "leave": "leave", "ban": "ban", "knock": "knock"}
)
FILES: Final = frozenset(("m.file", "m.image", "m.audio", "m.video"))

# Variation selectors choose the colour of a sign, modifiers the tone of a hand; clients send both or neither.
_LOOKS: Final = dict.fromkeys([0xFE0E, 0xFE0F, *range(0x1F3FB, 0x1F400)])


def read_event(source: object, room: str, bot: Bot, *, position: int = 0, encrypted: bool = False) -> Event | None:
    """Return what an event says, or None where it is nothing that the bot acts upon.

    Args:
        source: The event as JSON, decrypted where that was possible.
        room: In which it was delivered; what it says itself about its room is not looked at.
        bot: What it did itself, and what those do whom it does not hear, is nothing.
        position: A number that grows with each event that is delivered; clocks of senders are not looked at.
        encrypted: True where it was decrypted.
    """
    if not isinstance(source, dict):
        return None
    read = READERS.get(text(source, "type"))
    return read(source, _Delivery(room, bot, position, encrypted)) if read is not None else None


@dataclass(frozen=True, slots=True)
class _Delivery:
    room: str
    bot: Bot
    position: int
    encrypted: bool


def _read_message(event: Fields, delivery: _Delivery) -> Event | None:
    content = record(event, "content")
    relation = record(content, "m.relates_to")
    if text(relation, "rel_type") != "m.replace":
        return _written(event, content, event_id(event), relation, delivery)
    original = event_id(relation)
    now = _written(event, record(content, "m.new_content"), original, {}, delivery)
    return Edited(now, event_id(event)) if now is not None and event_id(event) else None


def _written(event: Fields, content: Fields, own_id: str, relation: Fields, delivery: _Delivery) -> Written | None:
    user = user_id(event.get("sender"))
    kind, body = text(content, "msgtype"), text(content, "body")
    if not own_id or not delivery.bot.hears(user) or "state_key" in event or (kind != "m.text" and kind not in FILES):
        return None
    file = None
    if kind in FILES:
        file, body = read_file(content), caption_of(content)
        if file is None:
            return None
    thread = _thread(relation)
    reply = record(relation, "m.in_reply_to")
    return Written(
        delivery.room,
        own_id,
        user,
        body,
        html=text(content, "formatted_body") if text(content, "format") == "org.matrix.custom.html" else "",
        thread=thread or own_id,
        replies_to="" if thread else event_id(reply),
        mentions=read_mentions(content),
        position=delivery.position,
        file=file,
        encrypted=delivery.encrypted,
    )


def _thread(relation: Fields) -> str:
    return event_id(relation) if text(relation, "rel_type") == "m.thread" else ""


def _read_encrypted(event: Fields, delivery: _Delivery) -> Event | None:
    content, user, own_id = record(event, "content"), user_id(event.get("sender")), event_id(event)
    relation = record(content, "m.relates_to")
    if not own_id or not delivery.bot.hears(user) or not has_text(event):
        return None
    thread = "" if text(relation, "rel_type") == "m.replace" else _thread(relation) or own_id
    return Undecryptable(delivery.room, own_id, user, text(content, "session_id")[:255], thread, delivery.position)


def _read_redaction(event: Fields, delivery: _Delivery) -> Event | None:
    # Up to version 10 of rooms the id stands beside the content, from version 11 on within.
    target = event_id(record(event, "content"), "redacts") or event_id(event, "redacts")
    user = user_id(event.get("sender"))
    return Redacted(delivery.room, target, user) if target and user and user != delivery.bot.user_id else None


def _read_reaction(event: Fields, delivery: _Delivery) -> Event | None:
    relation = record(record(event, "content"), "m.relates_to")
    user, target = user_id(event.get("sender")), event_id(relation)
    meaning = meaning_of(text(relation, "key"))
    if text(relation, "rel_type") != "m.annotation" or meaning is None or not target:
        return None
    own_id = event_id(event)
    return Reacted(delivery.room, own_id, target, user, meaning) if own_id and delivery.bot.hears(user) else None


def _read_member(event: Fields, delivery: _Delivery) -> Event | None:
    content = record(event, "content")
    user, by = user_id(event.get("state_key")), user_id(event.get("sender"))
    membership = MEMBERSHIPS.get(text(content, "membership"))
    if not user or not by or membership is None:
        return None
    direct = content.get("is_direct") is True
    return Member(delivery.room, user, membership, by, direct, user == delivery.bot.user_id)


def _read_tombstone(event: Fields, delivery: _Delivery) -> Event | None:
    replacement = room_id(record(event, "content"), "replacement_room")
    by = user_id(event.get("sender"))
    if event.get("state_key") != "" or not by or not replacement or replacement == delivery.room:
        return None
    return Replaced(delivery.room, replacement, by)


def has_text(encrypted: Fields) -> bool:
    """Tell whether an encrypted event still holds something; one that was deleted does not."""
    return "ciphertext" in record(encrypted, "content")


def meaning_of(key: str) -> Meaning | None:
    """Return what the sign of a reaction asks for, in any colour and tone of skin; None for any other."""
    return MEANINGS.get(key.translate(_LOOKS)) if len(key) <= 8 else None


READERS: Final[Mapping[str, Callable[[Fields, _Delivery], Event | None]]] = MappingProxyType(
    {
        "m.room.message": _read_message,
        "m.room.encrypted": _read_encrypted,
        "m.room.redaction": _read_redaction,
        "m.reaction": _read_reaction,
        "m.room.member": _read_member,
        "m.room.tombstone": _read_tombstone,
    }
)
