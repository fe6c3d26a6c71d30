"""What was said in Slack while nobody listened, and is for the bot: accepted as its events would have been.

Slack tells of a message four times within six minutes and then no more; its history keeps it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from adapters.slack.accepting import Acceptor
from adapters.slack.addressing import Addressee, addressee
from adapters.slack.events import Written, read_message
from adapters.slack.parts import Parts
from adapters.slack.past import Message, Past, seconds_of
from adapters.slack.sending_finding import payload_of
from bot.errors import InvalidRequestError, UnavailableError
from bot.messages import request_id
from bot.threads import LoopGuard
from bot.unheard import Unheard

logger = logging.getLogger(__name__)

MOST_THREADS: Final = 200  # of one channel, those first that were answered last
MOST_OLD: Final = 10  # threads of one channel that begin before what is read of it, those first that were used last
MOST_FAILURES: Final = 3  # conversations that cannot be read before all others wait too
CROWDED_PAUSE_S: Final = 5.0
JOINS: Final = frozenset(("channel_join", "group_join"))


@dataclass(frozen=True, slots=True)
class Active:
    """A thread to look at: the time stamp of its root, and when it was replied to last; 0 where that is not known."""

    channel: str
    root: str
    last: float


class LookBack:
    """Looks once through all conversations.

    Args:
        parts: Of the connected adapter.
        acceptor: Takes what is found.
        unheard: Says what is too old, and when to wait.

    Attributes:
        found: How many new messages were accepted so far.
    """

    def __init__(self, parts: Parts, acceptor: Acceptor, unheard: Unheard) -> None:
        self._parts = parts
        self._past = Past(parts.calls)
        self._acceptor = acceptor
        self._unheard = unheard
        self._at = 0.0  # when the message was written that is being accepted
        self._guard = LoopGuard(clock=lambda: self._at)
        self._invited: dict[str, float] = {}  # channel to when the bot was, where that is known
        self.found = 0

    async def run(self, since: float) -> None:
        """Accept what was said from `since` on, in seconds since 1970.

        Raises:
            UnavailableError: If Slack or Redis does not answer, and something is left.
            BusyError: If no more can be accepted now.
        """
        failures: list[UnavailableError] = []
        threads: list[Active] = []
        for channel in await self._past.channels():
            if self._answers_in(channel):
                async with self._bearing(failures):
                    threads += await self._channel(channel, since)
        # What nobody has replied to is accepted by now; threads take a call each.
        for thread in sorted(threads, key=lambda one: one.last, reverse=True):
            async with self._bearing(failures):
                await self._thread(thread, since)
        if failures:
            raise failures[0]

    @asynccontextmanager
    async def _bearing(self, failures: list[UnavailableError]) -> AsyncIterator[None]:
        """Go on after some failures: what is left is looked at another time."""
        try:
            yield
        except UnavailableError as error:
            failures.append(error)
            if len(failures) >= MOST_FAILURES:
                raise

    def _answers_in(self, channel: str) -> bool:
        allowed = self._parts.options.channels
        return not allowed or channel in allowed or channel.startswith("D")

    async def _channel(self, channel: str, since: float) -> list[Active]:
        """Accept what was asked outside of threads and has no reply; return the threads that have to be looked at."""
        asked: dict[str, Written] = {}
        active: dict[str, float] = {}
        reached = float("inf")
        async with aclosing(self._past.history(channel)) as pages:
            async for page in pages:
                for message in page:
                    ts = str(message.get("ts", ""))
                    at, root = seconds_of(ts), str(message.get("thread_ts") or ts)
                    if message.get("subtype") in JOINS and message.get("user") == self._parts.identity.user_id:
                        self._invited[channel] = max(at, self._invited.get(channel, 0.0))
                    last = max(at if root != ts else 0.0, seconds_of(message.get("latest_reply")))
                    if last >= since:
                        active[root] = max(last, active.get(root, 0.0))
                    one = self._read(message, channel)
                    if at >= since and one is not None and not one.is_reply and self._is_question(one):
                        asked[ts] = one
                reached = min((seconds_of(message.get("ts")) for message in page), default=reached)
                if reached < since:
                    break
            else:
                reached = 0.0  # the beginning of the channel
        recent = await self._parts.threads.recent(self._parts.places.at(channel, ""))
        # Of those that begin before all that was read nobody says when they were answered last.
        active |= dict.fromkeys([root for root in recent if seconds_of(root) < reached][:MOST_OLD], 0.0)
        latest = sorted(active, key=lambda root: active[root], reverse=True)[:MOST_THREADS]
        await self._offer([one for ts, one in asked.items() if ts not in latest], frozenset())
        return [Active(channel, root, active[root]) for root in latest]

    async def _thread(self, thread: Active, since: float) -> None:
        """Accept what was asked in a thread, its root included, and was not answered there."""
        channel, root = thread.channel, thread.root
        found: list[Written] = []
        answered: set[str] = set()
        takes_part: bool | None = None  # not known yet
        for message in await self._past.thread(channel, root, since=f"{since:.6f}"):
            if self._parts.identity.wrote(message):
                takes_part = True
                answered.add(str(payload_of(message).get("key", "")))
                continue
            one = self._read(message, channel)
            if one is None:
                continue
            asked = self._is_question(one)
            if seconds_of(one.ts) >= since:
                if one.is_reply and not asked and takes_part is None:
                    takes_part = await self._took_part(channel, root, one.ts)
                if asked or (takes_part and self._is_follow_up(one)):
                    found.append(one)
            takes_part = True if asked else takes_part
        await self._offer(found, answered)

    async def _took_part(self, channel: str, root: str, ts: str) -> bool:
        """Return whether the bot had to do with a thread before a message; what was said before that was not for it."""
        for message in await self._past.thread(channel, root, until=ts):
            if self._parts.identity.wrote(message):
                return True
            one = self._read(message, channel)
            if one is not None and one.ts != ts and self._is_question(one):
                return True
        return False

    def _is_question(self, one: Written) -> bool:
        """Return whether a message is for the bot wherever it stands."""
        return one.direct or addressee(one.text, self._parts.identity.user_id) is Addressee.BOT

    def _is_follow_up(self, one: Written) -> bool:
        return addressee(one.text, self._parts.identity.user_id) is Addressee.NOBODY

    def _read(self, message: Message, channel: str) -> Written | None:
        try:
            return read_message(message, channel, self._parts.identity)
        except InvalidRequestError as error:
            logger.warning("a message of the history was not understood: %s", error)
            return None

    async def _offer(self, found: Iterable[Written], answered: Collection[str]) -> None:
        """Accept messages, oldest first, but those to which the bot has posted an answer under these keys."""
        for one in sorted(found, key=lambda one: float(one.ts)):
            at = float(one.ts)
            # Who invites the bot does not ask what was asked of others before.
            if at < max(self._unheard.oldest(), self._invited.get(one.channel, 0.0)):
                continue
            # A state that was restored from a backup does not know what was answered after it; the thread does.
            if request_id(self._parts.places.at(one.channel, one.thread), one.ts) in answered:
                await self._acceptor.revise(one)  # it may still be open, and its wording another one
                continue
            while await self._unheard.crowded():
                await self._parts.calls.limits.pause(CROWDED_PAUSE_S)
            self._at = at
            try:
                self.found += await self._acceptor.take(one, self._guard)
            except InvalidRequestError as error:
                logger.warning("a message of the history was not accepted: %s", error)
