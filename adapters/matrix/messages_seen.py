"""What people wrote lately, so that an edit, a deletion or "learn this" finds what it is about."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from adapters.matrix.events import read_event
from adapters.matrix.events_values import Edited, Written
from adapters.matrix.parts import Parts
from bot.messages import FileReference

MOST: Final = 5000
FILES_S: Final = 3600.0  # for which a file that was sent without words counts as "this"


class MessagesSeen:
    """The messages that were delivered last, as they are now.

    Args:
        parts: Of the session.
        clock: Seconds that only grow.
    """

    def __init__(self, parts: Parts, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._clock = clock
        self._messages: OrderedDict[str, Written] = OrderedDict()
        self._files: OrderedDict[tuple[str, str], tuple[FileReference, float]] = OrderedDict()

    def note(self, written: Written) -> None:
        """Keep a message, or what an edit has made of it."""
        self._messages[written.event_id] = written
        self._messages.move_to_end(written.event_id)
        while len(self._messages) > MOST:
            self._messages.popitem(last=False)
        if written.file is not None:
            self._files[written.room, written.user] = (written.file, self._clock())
            while len(self._files) > MOST:
                self._files.popitem(last=False)

    def get(self, event_id: str) -> Written | None:
        """Return a message that was delivered lately."""
        return self._messages.get(event_id)

    async def find(self, room: str, event_id: str) -> Written | None:
        """Return a message as it was first written, or as it is now if that is known; None for any other event.

        Raises:
            UnavailableError: If the homeserver does not answer.
        """
        known = self._messages.get(event_id)
        if known is not None:
            return known if known.room == room else None
        found = await self._parts.looking.event(room, event_id)
        if found is None:
            return None
        event = read_event(found[0], room, self._parts.bot, encrypted=found[1])
        if not isinstance(event, Written):
            return None
        self._messages[event_id] = event
        return event

    async def original(self, edited: Edited) -> tuple[Written, Written] | None:
        """Return a message before and after an edit; None where it is no edit by its author of what may be edited."""
        now = edited.now
        before = await self.find(now.room, now.event_id)
        if before is None or not edited.is_of(before):
            return None
        return before, replace(now, thread=before.thread, replies_to=before.replies_to)

    async def files_for(self, written: Written) -> tuple[FileReference, ...]:
        """Return the files that "this" means in a message: its own, else that of the message it answers, else that of
        the root of its thread, else the one that its author sent last in the room.

        Raises:
            UnavailableError: If the homeserver does not answer.
        """
        if written.file is not None:
            return (written.file,)
        for event_id in (written.replies_to, written.thread if written.is_reply else ""):
            meant = await self.find(written.room, event_id) if event_id else None
            if meant is not None and meant.file is not None:
                return (meant.file,)
        file, at = self._files.get((written.room, written.user), (None, 0.0))
        return (file,) if file is not None and self._clock() - at <= FILES_S else ()
