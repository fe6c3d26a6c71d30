"""Files that came with earlier messages of a conversation, for a "learn this" that follows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from bot.messages import FileReference, IncomingMessage
from bot.store.client import Command, Store, text
from bot.store.keys import KeyKind
from bot.store.person_index import PersonIndex
from bot.store.records import Record

HOUR_MS = 3_600_000

SENT_KEYS = (
    KeyKind(
        "sent:*",
        "string",
        "an hour",
        "10 files, one key per conversation and person, up to 40 kB",
        "by what the files are fetched that came with a person's last message with files; not the files",
    ),
)


@dataclass(frozen=True, slots=True)
class Sent:
    """The files of one message."""

    files: tuple[FileReference, ...] = ()


SENT = Record(Sent)


class SentFiles:
    """The last files of each person in each conversation.

    Args:
        store: Where.
        clock: Seconds since 1970.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._people = PersonIndex(store, days=1 / 24, clock=clock)

    def remember(self, message: IncomingMessage) -> list[Command]:
        """Return the commands that remember a message's files; none for a message without."""
        if not message.files:
            return []
        conversation_id, person_id = message.place.conversation_id, message.sender.person_id
        return [
            ("SET", self._key(conversation_id, person_id), SENT.dump(Sent(message.files)), "PX", HOUR_MS),
            *self._people.remember(person_id, "sent", conversation_id),
        ]

    async def find(self, conversation_id: str, person_id: str) -> tuple[FileReference, ...]:
        """Return the files that a person sent last in a conversation, within the hour."""
        sent = SENT.find(text(await self._store.call("GET", self._key(conversation_id, person_id))))
        return sent.files if sent is not None else ()

    async def forget(self, person_id: str, conversation_id: str) -> bool:
        """Forget the files of a person in a conversation."""
        replies = await self._store.transaction(
            ("DEL", self._key(conversation_id, person_id)), self._people.gone(person_id, "sent", conversation_id)
        )
        return bool(replies[0])

    def _key(self, conversation_id: str, person_id: str) -> str:
        return self._store.key("sent", conversation_id, person_id)
