"""What workers do with the inbox: take requests, finish them, hand them back, and take over from the dead.

Every step is one transaction. A worker owns what it took until its lease ends; whatever it writes carries the number of
its attempt, so that one which was slow, and was taken for dead, can no longer change anything.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Sequence

from bot.errors import BotError
from bot.messages import IncomingMessage
from bot.requests import Cancelled, Kind, Request, State
from bot.store.client import Command, Reply, Watch, number, text, texts
from bot.store.inbox import Inbox
from bot.store.keys import GROUP, WAITING
from bot.store.lanes import REQUESTS, leave_line, make_ready, unready

logger = logging.getLogger(__name__)

READ_AT_ONCE = 10_000  # entries brought from the stream into the group in one step
DUE_AT_ONCE = 100
LONGEST_PAUSE_S = 900.0  # until a request is tried again
DAY_MS = 86_400_000


class LostError(BotError):
    """The request belongs to another worker now: this one's lease had ended, or it was handed back."""


class ChangedError(BotError):
    """The message was edited or cancelled while its answer was written: look at the request again."""


class Claims:
    """One worker's view of the inbox.

    Args:
        inbox: Where.
        worker_id: Name of this worker; unique over all processes and starts.
        lease_s: How long it counts as alive after `renew`.
        retention_days: How long given-up requests are kept.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        inbox: Inbox,
        worker_id: str,
        *,
        lease_s: float = 15.0,
        retention_days: float = 90.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.inbox = inbox
        self.worker_id = worker_id
        self._store = inbox.store
        self._keys = inbox.keys
        self._lease_ms = max(1, int(lease_s * 1000))
        self._retention_ms = int(retention_days * DAY_MS)
        self._clock = clock
        self._alive_until = 0.0

    @property
    def alive(self) -> bool:
        """False when the lease may have ended: others may have taken over what this worker owns."""
        return time.monotonic() < self._alive_until

    async def renew(self) -> None:
        """Say that this worker lives."""
        begun = time.monotonic()
        await self._store.call("SET", self._keys.worker(self.worker_id), "1", "PX", self._lease_ms)
        self._alive_until = begun + self._lease_ms / 1000

    async def resign(self) -> None:
        """Give up the lease; what is still owned is taken over at once."""
        await self._store.call("DEL", self._keys.worker(self.worker_id))

    async def ready(self) -> tuple[bool, bool]:
        """Return whether there may be something to take that takes no turn, and something that does."""
        quick, ring = await self._store.batch(("EXISTS", self._keys.quick), ("EXISTS", self._keys.ring))
        return bool(quick), bool(ring)

    async def take(self) -> Request | None:
        """Take the next question: the first of a conversation, of the person whose turn it is, or None."""
        return await self._store.attempt(self._take, self._keys.ring)

    async def _take(self, watch: Watch) -> Request | None:
        keys = self._keys
        while True:
            replies = await watch.read(("ZRANGE", keys.ring, 0, 0), ("GET", keys.round))
            people = texts(replies[0])
            if not people:
                return None
            person, turn = people[0], number(replies[1]) + 1
            turns = keys.turns(person)
            (found,) = await watch.read(("ZRANGE", turns, 0, 1), also=(turns,))
            members = texts(found)
            if members:
                break
            await watch.commit(("ZREM", keys.ring, person))
        candidate, _, conversation = members[0].partition("/")
        line = keys.line(conversation)
        key = keys.request(candidate)
        replies = await watch.read(("GET", key), ("ZRANGE", line, 0, 0), also=(key, line))
        request = REQUESTS.find(text(replies[0]))
        first = texts(replies[1])[:1]
        if first and first[0] != candidate:
            # One that was written earlier arrived later: it is answered in this turn, and this one after it.
            key = keys.request(first[0])
            request = REQUESTS.find(text((await watch.read(("GET", key), also=(key,)))[0]))
        commands: list[Command] = [
            ("ZREM", turns, members[0]),
            ("INCR", keys.round),
            ("ZADD", keys.ring, turn, person) if len(members) > 1 else ("ZREM", keys.ring, person),
        ]
        if request is None or request.state is not State.WAITING or not first:
            await watch.commit(*commands)
            logger.error("a turn without a waiting request was dropped", extra={"request": candidate})
            return await self._take(watch)
        return await self._claim(watch, request, [*commands, *unready(keys, request)])

    async def take_quick(self) -> Request | None:
        """Take what needs no turn: a sentence to say, a cancelled question to tidy up."""
        return await self._store.attempt(self._take_quick, self._keys.quick)

    async def _take_quick(self, watch: Watch) -> Request | None:
        keys = self._keys
        (found,) = await watch.read(("ZRANGE", keys.quick, 0, 0))
        members = texts(found)
        if not members:
            return None
        key = keys.request(members[0])
        request = REQUESTS.find(text((await watch.read(("GET", key), also=(key,)))[0]))
        if request is None or request.state is not State.WAITING:
            await watch.commit(("ZREM", keys.quick, members[0]))
            return await self._take_quick(watch)
        return await self._claim(watch, request, unready(keys, request))

    async def _claim(self, watch: Watch, request: Request, commands: Sequence[Command]) -> Request:
        # From now on a message may be posted; one whose id is lost with this worker is looked for by the next.
        mine = dataclasses.replace(
            request, state=State.RUNNING, owner=self.worker_id, attempt=request.attempt + 1, posting=True
        )
        keys = self._keys
        await watch.commit(
            ("XREADGROUP", "GROUP", GROUP, WAITING, "COUNT", READ_AT_ONCE, "STREAMS", keys.inbox, ">"),
            ("XCLAIM", keys.inbox, GROUP, self.worker_id, 0, request.entry, "JUSTID"),
            ("SET", keys.request(request.request_id), REQUESTS.dump(mine)),
            ("SET", keys.worker(self.worker_id), "1", "PX", self._lease_ms),  # a sign of life, see `_bury`
            # What was begun stays first, also when one that was written earlier arrives now.
            ("ZADD", keys.line(request.message.place.conversation_id), "XX", "-inf", request.request_id),
            *commands,
        )
        return dataclasses.replace(mine, posting=request.posting)

    async def reload(self, request: Request) -> Request:
        """Return the request as it is now, edits included.

        Raises:
            LostError: If it belongs to another worker now.
        """
        async with self._store.watch(self._keys.request(request.request_id)) as watch:
            return await self._mine(watch, request)

    async def update(
        self,
        request: Request,
        *,
        post_id: str = "",
        ready: str = "",
        certain: IncomingMessage | None = None,
        also: Sequence[Command] = (),
    ) -> Request:
        """Store the id of the visible message, the complete answer, or what was looked up; returns the request with it.

        Args:
            request: As this worker knows it.
            post_id: Stored also when the message was edited meanwhile.
            ready: The complete answer; not stored when the message was edited meanwhile.
            certain: The message as the chat has described it; only that is taken from it, so also after an edit.
            also: Commands of the same transaction.

        Raises:
            ChangedError: If the message was edited or cancelled meanwhile.
            LostError: If it belongs to another worker now.
        """

        async def body(watch: Watch) -> Request:
            known = await self._mine(watch, request)
            if ready and known.revision != request.revision:
                return known
            changed = dataclasses.replace(
                known,
                message=known.message.ascertained(certain) if certain is not None else known.message,
                post_id=post_id or known.post_id,
                ready=ready or known.ready,
            )
            if changed != known:
                await watch.commit(("SET", self._keys.request(request.request_id), REQUESTS.dump(changed)), *also)
            return changed

        changed = await self._store.attempt(body, self._keys.request(request.request_id))
        if changed.revision != request.revision:
            raise ChangedError("The message was changed while its answer was written.")
        return changed

    async def finish(self, request: Request, outcome: str, also: Sequence[Command] = ()) -> None:
        """The answer is visible: acknowledge the entry, let the conversation go on, and keep what belongs to it.

        Args:
            request: As it was when its answer was written.
            outcome: How it ended, in a word or a sentence.
            also: Commands of the same transaction: the conversation, the cache, the feedback handle.

        Raises:
            ChangedError: If the message was edited or cancelled meanwhile; nothing was done.
            LostError: If it belongs to another worker now; nothing was done.
        """
        keys = self._keys

        async def body(watch: Watch) -> None:
            known = await self._mine(watch, request)
            if known.revision != request.revision:
                raise ChangedError("The message was changed while its answer was written.")
            following, turn = await self.inbox.following(watch, known)
            done = dataclasses.replace(known, state=State.DONE, owner="", outcome=outcome)
            await watch.commit(
                self.inbox.keep_done(done),
                ("XACK", keys.inbox, GROUP, known.entry),
                ("XDEL", keys.inbox, known.entry),
                *unready(keys, known),
                *leave_line(keys, known, following, turn),
                *also,
            )

        await self._store.attempt(body, keys.request(request.request_id))

    async def hand_back(
        self, request: Request, *, failed: bool = False, died: bool = False, after_s: float = 0.0
    ) -> Request:
        """Let another worker, or this one later, try again; the request keeps its place in its conversation.

        Args:
            request: Which.
            failed: Counts as a failure.
            died: Counts as a death of its worker.
            after_s: Seconds to wait before.

        Raises:
            LostError: If it belongs to another worker now.
        """
        keys = self._keys

        async def body(watch: Watch) -> Request:
            known = await self._mine(watch, request)
            (round_number,) = await watch.read(("GET", keys.round))
            back = dataclasses.replace(
                known,
                state=State.WAITING,
                owner="",
                failures=known.failures + failed,
                deaths=known.deaths + died,
            )
            if after_s > 0:
                due_ms = int((self._clock() + min(after_s, LONGEST_PAUSE_S)) * 1000)
                ready: list[Command] = [("ZADD", keys.delayed, due_ms, request.request_id)]
            else:
                ready = make_ready(keys, back, number(round_number) + 1, again=not failed)
            await watch.commit(
                ("SET", keys.request(request.request_id), REQUESTS.dump(back)),
                ("XCLAIM", keys.inbox, GROUP, WAITING, 0, known.entry, "JUSTID"),
                *ready,
            )
            return back

        return await self._store.attempt(body, keys.request(request.request_id))

    async def give_up(self, request: Request, apology: str, reason: str) -> None:
        """Move a request to the dead letters; its person is told `apology` as the answer.

        Raises:
            LostError: If it belongs to another worker now.
        """
        keys = self._keys

        async def body(watch: Watch) -> None:
            known = await self._mine(watch, request)
            following, turn = await self.inbox.following(watch, known)
            told = dataclasses.replace(known, kind=Kind.NOTICE, notice=apology, state=State.WAITING, owner="")
            await watch.commit(
                *self._dead_letter(known, reason),
                ("SET", keys.request(request.request_id), REQUESTS.dump(told)),
                ("XCLAIM", keys.inbox, GROUP, WAITING, 0, known.entry, "JUSTID"),
                *unready(keys, known),
                *leave_line(keys, known, following, turn),
                *make_ready(keys, told, turn),
            )

        await self._store.attempt(body, keys.request(request.request_id))

    async def bury(self, request: Request, reason: str) -> None:
        """Move a request to the dead letters and be done with it: nobody can be told.

        Raises:
            LostError: If it belongs to another worker now.
        """
        try:
            await self.finish(request, reason, self._dead_letter(request, reason))
        except ChangedError:
            request = await self.reload(request)
            await self.finish(request, reason, self._dead_letter(request, reason))

    def _dead_letter(self, request: Request, reason: str) -> list[Command]:
        """Return the commands that keep a given-up request for the operator; a deleted message is not kept."""
        if request.cancelled is Cancelled.DELETED:
            return []
        keys = self._keys
        oldest_ms = max(0, int(self._clock() * 1000) - self._retention_ms)
        dead = dataclasses.replace(request, outcome=reason)
        return [
            ("XADD", keys.dead, "MAXLEN", self.inbox.limits.dead, "*", "request", REQUESTS.dump(dead)),
            ("XTRIM", keys.dead, "MINID", oldest_ms),
            ("PEXPIRE", keys.dead, self._retention_ms),
        ]

    async def wake_due(self) -> int:
        """Make ready what was to be tried again later and is due; returns how many."""
        keys = self._keys
        now_ms = int(self._clock() * 1000)
        beyond_ms = now_ms + int(LONGEST_PAUSE_S * 1000) + 1  # nothing waits so long, but where the clock was set back
        found = await self._store.batch(
            ("ZRANGEBYSCORE", keys.delayed, "-inf", now_ms, "LIMIT", 0, DUE_AT_ONCE),
            ("ZRANGEBYSCORE", keys.delayed, beyond_ms, "+inf", "LIMIT", 0, DUE_AT_ONCE),
        )
        due = [request_id for one in found for request_id in texts(one)]
        for request_id in due:
            key = keys.request(request_id)

            async def body(watch: Watch, key: str = key, request_id: str = request_id) -> None:
                replies = await watch.read(("GET", key), ("GET", keys.round))
                known = REQUESTS.find(text(replies[0]))
                ready: list[Command] = []
                if known is not None and known.state is State.WAITING:
                    ready = make_ready(keys, known, number(replies[1]) + 1)
                await watch.commit(("ZREM", keys.delayed, request_id), *ready)

            await self._store.attempt(body, key, keys.delayed)
        return len(due)

    async def owned(self) -> list[Request]:
        """Return the requests that the stream's group counts as this worker's."""
        entries = await self._store.call("XPENDING", self._keys.inbox, GROUP, "-", "+", READ_AT_ONCE, self.worker_id)
        ids = [text(entry[0]) for entry in entries if isinstance(entry, list)] if isinstance(entries, list) else []
        if not ids:
            return []
        ranges = await self._store.batch(*(("XRANGE", self._keys.inbox, one, one) for one in ids))
        requests: list[Request] = []
        for one, found in zip(ids, ranges, strict=True):
            request_id = _request_id(found)
            request = await self.inbox.find(request_id) if request_id else None
            if request is None or request.entry != one or request.state is State.DONE:
                await self._store.transaction(("XACK", self._keys.inbox, GROUP, one), ("XDEL", self._keys.inbox, one))
            elif request.owner == self.worker_id:
                requests.append(request)
        return requests

    async def _mine(self, watch: Watch, request: Request) -> Request:
        (found,) = await watch.read(("GET", self._keys.request(request.request_id)))
        known = REQUESTS.find(text(found))
        if known is None or known.owner != self.worker_id or known.attempt != request.attempt:
            raise LostError(f"Request {request.request_id} belongs to another worker now.")
        return known


def _request_id(entries: Reply) -> str:
    """Return the request named in the only entry of a range; "" for none."""
    if not isinstance(entries, list) or not entries or not isinstance(entries[0], list):
        return ""
    fields = entries[0][1]
    return text(fields[1]) if isinstance(fields, list) and len(fields) > 1 else ""
