"""Events of a sync become requests; when this is done, the position of the sync may be stored."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from nio.responses import RoomInfo, SyncResponse

from adapters.matrix.addressing import Addressee, addressee, command_of, said
from adapters.matrix.answers_touched import AnswersTouched, is_aside
from adapters.matrix.events import read_event
from adapters.matrix.events_values import (
    Edited,
    Event,
    Member,
    Reacted,
    Redacted,
    Replaced,
    Undecryptable,
    Written,
)
from adapters.matrix.memberships import Memberships
from adapters.matrix.messages_seen import MessagesSeen
from adapters.matrix.parts import Parts
from adapters.matrix.text_incoming import read_text
from adapters.matrix.unreadable import Unreadable
from bot.commands import find_command
from bot.errors import BotError, BusyError, InvalidRequestError, NotFoundError, RefusedError, UnavailableError
from bot.messages import FileReference, IncomingMessage, Place
from bot.threads import LoopGuard

logger = logging.getLogger(__name__)

ROOMS_AT_ONCE: Final = 64
TRIES: Final = 3  # at an event that fails here and not in the store; then it is left out
_ASK: Final = "ask "


class Acceptor:
    """Decides for whom events are, and hands those for Locus to the reception.

    Args:
        parts: Of the session.
        guard: Ends talks of bots.
        memberships: Joins and leaves rooms.
    """

    def __init__(self, parts: Parts, guard: LoopGuard, memberships: Memberships) -> None:
        self._parts = parts
        self._guard = guard
        self._memberships = memberships
        self._seen = MessagesSeen(parts)
        self._touched = AnswersTouched(parts)
        self._unreadable = Unreadable(parts, self._read_at_last)
        self._position = 0
        self._failures: Counter[str] = Counter()
        self._done: set[str] = set()  # of the sync that is being accepted, so that a second try does the rest only

    async def begin(self) -> None:
        """Go on with what an earlier process has left."""
        await self._unreadable.begin()

    async def accept(self, response: SyncResponse, first: bool) -> None:
        """Take what a sync brought; when this returns, what has to be done for it is stored.

        Args:
            response: Completed and decrypted.
            first: True where its timelines are the past.

        Raises:
            BusyError: If it cannot be stored now.
            UnavailableError: The same, or the homeserver does not answer.
        """
        self._memberships.take(response)
        await self._parts.book.save()
        if not first:
            limit = asyncio.Semaphore(ROOMS_AT_ONCE)
            rooms = [self._accept_room(room_id, room, limit) for room_id, room in response.rooms.join.items()]
            failures = [one for one in await asyncio.gather(*rooms, return_exceptions=True) if one is not None]
            for failure in failures:
                raise failure
        self._done.clear()
        self._failures.clear()
        await self._unreadable.keys_came(response.to_device_events)
        await self._parts.book.save()
        self._memberships.go_on()

    async def _accept_room(self, room_id: str, room: RoomInfo, limit: asyncio.Semaphore) -> None:
        async with limit:
            sources = [event.source for event in room.timeline.events]
            decrypted = [bool(getattr(event, "decrypted", False)) for event in room.timeline.events]
            for source, encrypted, expected in zip(sources, decrypted, self._expected(room_id, sources), strict=True):
                event = read_event(source, room_id, self._parts.bot, position=self._next(), encrypted=encrypted)
                event_id = source.get("event_id", "")
                if event is None or event_id in self._done:
                    continue
                await self._accept_event(event, event_id, forged=expected and not encrypted)
                self._done.add(event_id)

    def _expected(self, room_id: str, sources: Iterable[Mapping[str, object]]) -> list[bool]:
        """Return for each event whether a message in its place had to be encrypted."""
        room = self._parts.client.rooms.get(room_id)
        now = room is not None and room.encrypted and self._parts.client.olm is not None
        kinds = [source.get("type") for source in sources]
        since = kinds.index("m.room.encryption") if "m.room.encryption" in kinds else -1
        return [now and index > since for index in range(len(kinds))]

    async def _accept_event(self, event: Event, event_id: str, *, forged: bool) -> None:
        try:
            await self._act(event, forged=forged)
        except (UnavailableError, BusyError):
            raise
        except (InvalidRequestError, NotFoundError, RefusedError) as error:
            logger.warning("an event was not understood: %s", error)
        except BotError:
            raise
        except Exception:
            self._failures[event_id] += 1
            if self._failures[event_id] < TRIES:
                raise
            logger.exception("an event fails again and again, and is left out")

    async def _act(self, event: Event, *, forged: bool) -> None:
        match event:
            case Written():
                await (self._unreadable.not_encrypted(event) if forged else self._accept_message(event))
            case Edited():
                if not forged:
                    await self._accept_edit(event)
            case Redacted():
                await self._accept_deletion(event)
            case Reacted():
                await self._touched.react(event)
            case Undecryptable():
                if self._parts.places.answers_in(event.room):
                    self._unreadable.note(event)
            case Member() | Replaced():
                self._memberships.see(event)

    async def _accept_message(self, written: Written) -> None:
        written = await self._placed(written)
        self._parts.showing.saw(written.room, written.thread, written.event_id)
        self._seen.note(written)
        place = await self._meant(written)
        if place is not None:
            await self._ask(written, place)

    async def _placed(self, written: Written) -> Written:
        """Return a message as one of the thread of Locus's message that it answers as a reply outside of threads."""
        target = written.replies_to
        if not target or self._seen.get(target) is not None or not self._parts.places.answers_in(written.room):
            return written
        own = await self._parts.posts.own(written.room, target)
        return replace(written, thread=own.root or target) if own is not None else written

    async def _accept_edit(self, edited: Edited) -> None:
        if edited.edit_id in self._done:
            return
        versions = await self._seen.original(edited)
        if versions is None:
            return
        was, now = versions
        before, place = await self._meant(was), await self._meant(now)
        if place is None:
            if before is not None:  # the mention was taken out: it is for somebody else now
                await self._parts.reception.delete(before, now.event_id)
        elif before is None:
            await self._ask(now, place)
        else:
            message = await self._message(now, place)
            await self._parts.reception.edit(replace(message, version=edited.version))
        self._seen.note(now)

    async def _accept_deletion(self, redacted: Redacted) -> None:
        if self._parts.posts.redacted(redacted.event_id) or await self._touched.withdrawn(redacted):
            return
        self._parts.book.waiting.pop(redacted.event_id, None)
        known = self._seen.get(redacted.event_id)
        if known is not None and await self._meant(known) is None:
            return
        # What it said is gone; who asked it before a restart is known to the core alone.
        thread = known.thread if known is not None else redacted.event_id
        place = self._parts.places.place(redacted.room, thread)
        await self._parts.reception.delete(place, redacted.event_id)

    async def _meant(self, written: Written) -> Place | None:
        """Return where to answer if a message is for Locus, else None."""
        parts = self._parts
        if not parts.places.answers_in(written.room):
            return None
        place = parts.places.place(written.room, written.thread)
        if parts.places.is_direct(written.room):
            return place
        whom = addressee(written, parts.bot)
        if whom is Addressee.NOBODY and written.is_reply and parts.options.follow_threads:
            return place if await parts.threads.joined(place) else None
        return place if whom is Addressee.BOT else None

    async def _ask(self, written: Written, place: Place) -> None:
        parts = self._parts
        if not self._guard.allows(place, written.event_id):
            logger.warning("a thread has more questions than people ask, so it gets no more answers for a while")
            return
        text = self._text(written)
        command = find_command(text)
        helped = command is not None and command.name == "help" and await self._touched.help(written, place)
        if is_aside(text, prefixed=command_of(said(written), parts.bot.prefix), reply=written.is_reply):
            await self._touched.say(written, place, text)
        elif not helped:
            await parts.reception.message(await self._message(written, place))
            await parts.threads.join(place)
        parts.receipts.read(written.room, written.event_id, written.thread)

    async def _message(self, written: Written, place: Place) -> IncomingMessage:
        sender = self._parts.places.sender(written.room, written.user)
        text = self._text(written)
        files: tuple[FileReference, ...] = ()
        if not sender.external:  # what strangers send is not looked at, whatever they ask
            files = (written.file,) if written.file is not None else ()
            command = find_command(text)
            if command is not None and command.name == "learn":
                files = await self._seen.files_for(written)
        return IncomingMessage(place, sender, written.event_id, text, float(written.position), files=files)

    def _text(self, written: Written) -> str:
        text = read_text(written, self._parts.bot)
        if command_of(said(written), self._parts.bot.prefix) and text.lower().startswith(_ASK):
            return text[len(_ASK) :].strip()
        return text

    async def _read_at_last(self, event: Written | Edited) -> None:
        """A message whose key has come."""
        event_id = event.event_id if isinstance(event, Written) else event.edit_id
        await self._accept_event(event, event_id, forged=False)

    def _next(self) -> int:
        """Return a position that is larger than all before, those of earlier processes too."""
        self._position = max(self._position + 1, time.time_ns() // 1000)
        return self._position
