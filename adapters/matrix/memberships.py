"""Which rooms Locus is in: invitations, greetings, upgrades of rooms, and rooms where nobody else is left."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote

from nio.events import InviteMemberEvent
from nio.responses import InviteInfo, JoinResponse, SyncResponse

from adapters.matrix import saying
from adapters.matrix.errors import RateLimitedError, SessionEndedError, checked, checked_call, translated
from adapters.matrix.events_values import Member, Replaced
from adapters.matrix.fields import record, text
from adapters.matrix.parts import Parts
from adapters.matrix.places import DIRECT, server_of
from adapters.matrix.rendering import render
from adapters.matrix.room_book import Invitation
from bot.errors import BotError, UnavailableError
from bot.messages import digest
from bot.replies import Reply, Stage

logger = logging.getLogger(__name__)

JOIN_TRIES: Final = 8  # rooms of other homeservers may take minutes
FIRST_PAUSE_S: Final = 2.0  # doubled after each try
LONGEST_PAUSE_S: Final = 300.0


class Memberships:
    """Joins, greets, moves and leaves, one room after the other, beside the events.

    Args:
        parts: Of the session.
        pause: Waits so many seconds.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts = parts
        self._pause = pause
        self._clock = clock
        self._tries: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._leave: dict[str, None] = {}
        self._replaced: dict[str, str] = {}
        self._wake = asyncio.Event()

    def take(self, response: SyncResponse) -> None:
        """Note what a sync says about rooms and about the account; `go_on` acts upon it."""
        parts = self._parts
        for room_id, info in response.rooms.invite.items():
            invitation = self._invitation(info)
            if invitation is not None and not parts.book.invited(room_id, invitation):
                logger.warning("there are more invitations to Matrix rooms than can be answered; one is left out")
        for room_id in response.rooms.leave:
            parts.book.answered(room_id)
            parts.book.greet.pop(room_id, None)
            logger.info("Locus is no member of a Matrix room any more", extra={"room": room_id})
        for event in response.account_data_events:
            if getattr(event, "type", "") == DIRECT:
                parts.places.take(record({"content": getattr(event, "content", None)}, "content"))
        for room_id, room in response.rooms.join.items():
            for event in (*room.state, *room.timeline.events):
                source = event.source
                if source.get("type") == "m.room.tombstone":
                    replacement = text(record(source, "content"), "replacement_room")
                    if replacement and parts.book.room(parts.book.channel(room_id)) == room_id:
                        self._replaced[room_id] = replacement

    def see(self, event: Member | Replaced) -> None:
        """Note what an event says."""
        if isinstance(event, Replaced):
            self._replaced[event.room] = event.replacement
        elif not event.own and event.membership in ("leave", "ban"):
            self._leave[event.room] = None

    def go_on(self) -> None:
        """Do what is to be done, beside the events that come next."""
        parts = self._parts
        greetable = any(room in parts.client.rooms for room in parts.book.greet)
        if parts.book.invitations or self._leave or self._replaced or greetable:
            self._wake.set()
            parts.work.begin("joining and leaving rooms", self._run(), key="memberships")

    async def _run(self) -> None:
        """Do what is due until nothing is left, or what is left waits for the next sync."""
        failures = 0
        while True:
            self._wake.clear()
            wait_s: float | None = None
            waits = False
            try:
                wait_s = await self._pass()
                failures = 0
            except SessionEndedError:
                return  # the sync says so too
            except RateLimitedError as error:
                waits = True  # and all who are invited meanwhile wait too
                wait_s = error.retry_after_s or FIRST_PAUSE_S
            except UnavailableError as error:
                logger.info("a Matrix room is joined or left later: %s", error)
                waits = True
                failures += 1
                wait_s = max(error.retry_after_s or 0.0, _pause_s(failures))
            finally:
                await self._parts.book.save()
            if wait_s is not None:
                await self._wait(wait_s, wakes=not waits)
            elif not self._wake.is_set():  # while the book was saved
                return

    async def _pass(self) -> float | None:
        """Do all that is due and return in how many seconds something will be; None for nothing.

        Raises:
            UnavailableError: If the homeserver is away.
        """
        book, client = self._parts.book, self._parts.client
        for room in list(self._leave):
            await self._leave_if_empty(room)
        for room in [room for room in book.invitations if self._due.get(room, 0.0) <= self._clock()]:
            await self._answer(room, book.invitations[room])
        for old, new in list(self._replaced.items()):
            await self._follow(old, new)
        for room in [room for room in book.greet if room in client.rooms]:
            await self._greet(room)
        if self._leave or self._replaced:
            return 0.0
        waits = [self._due.get(room, 0.0) - self._clock() for room in book.invitations]
        return max(0.0, min(waits)) if waits else None

    async def _wait(self, seconds: float, *, wakes: bool) -> None:
        """Wait; no longer than until something new happens, unless the homeserver is away."""
        waking = asyncio.ensure_future(self._wake.wait() if wakes else asyncio.Event().wait())
        pausing = asyncio.ensure_future(self._pause(seconds))
        try:
            await asyncio.wait((waking, pausing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
            pausing.cancel()
            await asyncio.gather(waking, pausing, return_exceptions=True)

    def _invitation(self, info: InviteInfo) -> Invitation | None:
        """Return who invites Locus, from the part of the room's state that comes with an invitation."""
        me = self._parts.client.user_id
        for event in info.invite_state:
            if isinstance(event, InviteMemberEvent) and event.state_key == me and event.membership == "invite":
                return Invitation(event.sender, (event.content or {}).get("is_direct") is True)
        return None

    def _welcome(self, room: str, by: str) -> bool:
        """True where an invitation is to be accepted."""
        options = self._parts.options
        if room in self._parts.book.expected:
            return True
        if not options.allowed_users and not options.allowed_servers:
            return server_of(by) == server_of(self._parts.client.user_id)
        return by in options.allowed_users or server_of(by) in options.allowed_servers

    async def _answer(self, room: str, invitation: Invitation) -> None:
        """Accept or decline an invitation.

        Raises:
            UnavailableError: If the homeserver is away.
        """
        parts = self._parts
        if not self._welcome(room, invitation.by):
            logger.info("an invitation to a Matrix room is declined", extra={"by": invitation.by})
            await self._quit(room, saying.NOT_INVITED)
            parts.book.answered(room)
            return
        tries = self._tries[room] = self._tries.get(room, 0) + 1
        try:
            with translated():
                checked(await parts.client.join(room), JoinResponse)
            if invitation.direct:
                await parts.places.mark_direct(room, invitation.by)
        except RateLimitedError:
            self._tries[room] -= 1
            raise
        except BotError as error:
            if isinstance(error, SessionEndedError):
                raise
            if tries < JOIN_TRIES:
                logger.info("a Matrix room could not be joined yet: %s", error)
                self._due[room] = self._clock() + _pause_s(tries)
                return
            logger.warning("a Matrix room could not be joined: %s", error)
            await self._quit(room, "")
        else:
            old = parts.book.expected.get(room)
            if old is not None:
                self._replaced[old] = room
            else:
                parts.book.greet[room] = invitation.by
        parts.book.answered(room)
        self._tries.pop(room, None)
        self._due.pop(room, None)

    async def _greet(self, room: str) -> None:
        """Say how to use Locus and what it stores. Raises as `_answer`."""
        parts = self._parts
        words = saying.greeting(parts.bot.prefix, direct=parts.places.is_direct(room))
        message = render(Reply(Stage.FINAL, words, answered=False)).first
        try:
            if parts.places.answers_in(room):
                await parts.showing.say(room, "", message, key=digest("greeting", room, parts.book.greet[room]))
        except UnavailableError:
            raise
        except BotError as error:
            logger.info("a Matrix room could not be greeted: %s", error)
        parts.book.greet.pop(room, None)

    async def _follow(self, old: str, new: str) -> None:
        """Go on in the room that replaces another. Raises as `_answer`."""
        parts = self._parts
        if new not in parts.client.rooms:
            try:
                with translated():
                    checked(await parts.client.join(new), JoinResponse)
            except UnavailableError:
                raise
            except BotError as error:
                if isinstance(error, SessionEndedError):
                    raise
                # A private room needs an invitation, which comes from whoever upgraded it.
                logger.info("a Matrix room was upgraded, and Locus waits for its invitation: %s", error)
                parts.book.expect(old, new)
                self._replaced.pop(old, None)
                return
        created = await parts.looking.state(new, "m.room.create")
        if created is not None and text(record(created, "predecessor"), "room_id") == old:
            parts.book.move(old, new)
            logger.info("a Matrix room was upgraded; its channel goes on in the new one")
        else:
            logger.warning("a Matrix room names another as its successor, which does not name it; nothing is moved")
        self._replaced.pop(old, None)

    async def _leave_if_empty(self, room: str) -> None:
        """Leave a room where nobody else is left. Raises as `_answer`."""
        known = self._parts.client.rooms.get(room)
        if known is not None and set(known.users) <= {self._parts.client.user_id}:
            await self._quit(room, saying.ALONE)
        self._leave.pop(room, None)

    async def _quit(self, room: str, reason: str) -> None:
        """Leave a room, or decline to join. Raises as `_answer`."""
        path = f"/_matrix/client/v3/rooms/{quote(room)}/leave"
        try:
            with translated():
                checked_call(*await self._parts.client.call("POST", path, {"reason": reason} if reason else {}))
        except (UnavailableError, SessionEndedError):
            raise
        except BotError as error:
            logger.info("a Matrix room could not be left: %s", error)


def _pause_s(tries: int) -> float:
    return float(min(FIRST_PAUSE_S * 2 ** min(tries - 1, 20), LONGEST_PAUSE_S))
