"""Heals the inbox when keys were lost by hand, by an eviction or with an old copy of the data.

What a request's own record says is the truth, and the stream names the open ones. Lines, turns, the ring, what is quick
or delayed, the counters, the group and who owns what follow from these two and are put right. Where all is well nothing
is written; it may run beside workers at any time.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import AsyncIterator, Sequence

from bot.requests import Kind, Request, State
from bot.store.client import Command, Reply, Watch, number, text, texts
from bot.store.inbox import Inbox
from bot.store.keys import GROUP, WAITING
from bot.store.lanes import REQUESTS, last_position, make_ready, member

logger = logging.getLogger(__name__)

PIECE = 500


async def repair(inbox: Inbox) -> int:
    """Make every open request reachable again; returns how many things had to be put right."""
    count = await _Walk(inbox).run()
    if count:
        logger.warning("the inbox was put right in %d places: keys had been lost", count)
    return count


class _Walk:
    """One walk over the inbox; every method returns how many things it put right."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._store = inbox.store
        self._keys = inbox.keys

    async def run(self) -> int:
        count = await self._group() + await self._numbers()
        conversations: set[str] = set()
        async for piece in self._entries():
            requests = await self._requests([request_id for _, request_id in piece])
            for (entry, request_id), request in zip(piece, requests, strict=True):
                if not _open(request, entry):
                    count += await self._drop(entry, request_id)
            for request in requests:
                if request is not None and _open(request):
                    count += await self._owner(request) + await self._lane(request)
                    conversations.add(request.message.place.conversation_id)
        for conversation in sorted(conversations):
            count += await self._line(conversation)
        return count

    async def _group(self) -> int:
        """Make the stream and its group where they are missing; lost entries are made anew from the records."""
        keys = self._keys
        count = 0
        if text(await self._store.call("TYPE", keys.inbox)) == "none":
            await self._inbox.prepare()
            lost: list[Request] = []
            async for request_ids in self._recorded():
                lost += [request for request in await self._requests(request_ids) if request and _open(request)]
            for request in sorted(lost, key=lambda request: request.seq):
                count += await self._enter(request)
        elif not await self._store.call("XINFO", "GROUPS", keys.inbox):
            await self._store.call("XGROUP", "CREATE", keys.inbox, GROUP, "0")
            count += 1
        while await self._store.call("XREADGROUP", "GROUP", GROUP, WAITING, "COUNT", PIECE, "STREAMS", keys.inbox, ">"):
            pass
        return count

    async def _numbers(self) -> int:
        """Let the counters go on where they stood: positions and turns must never come again."""
        keys = self._keys

        async def body(watch: Watch) -> int:
            counter, described, turn, ring = await watch.read(
                ("GET", keys.counter),
                ("XINFO", "STREAM", keys.inbox),
                ("GET", keys.round),
                ("ZRANGE", keys.ring, -1, -1, "WITHSCORES"),
            )
            last, highest = last_position(described), int(float((texts(ring) or ["", "0"])[1]))
            commands: list[Command] = []
            if number(counter) < last:
                commands.append(("SET", keys.counter, last))
            if number(turn) < highest:
                commands.append(("SET", keys.round, highest))
            if commands:
                await watch.commit(*commands)
            return len(commands)

        return await self._store.attempt(body, keys.counter, keys.round, keys.ring)

    async def _enter(self, request: Request) -> int:
        """Give an open request an entry in a stream that was lost."""
        keys = self._keys
        key = keys.request(request.request_id)

        async def body(watch: Watch) -> int:
            found, counter, described = await watch.read(
                ("GET", key), ("GET", keys.counter), ("XINFO", "STREAM", keys.inbox)
            )
            known = REQUESTS.find(text(found))
            if known is None or known != request:
                return 0
            seq = max(number(counter), last_position(described)) + 1
            entered = dataclasses.replace(known, seq=seq)
            await watch.commit(
                ("SET", key, REQUESTS.dump(entered)),
                ("XADD", keys.inbox, entered.entry, "request", entered.request_id),
                ("SET", keys.counter, entered.seq),
            )
            return 1

        return await self._store.attempt(body, key, keys.counter, keys.inbox)

    async def _drop(self, entry: str, request_id: str) -> int:
        """Delete an entry whose request is done, lost or stands elsewhere in the stream."""
        keys = self._keys
        key = keys.request(request_id)

        async def body(watch: Watch) -> int:
            if _open(REQUESTS.find(text((await watch.read(("GET", key)))[0])), entry):
                return 0
            _, deleted = await watch.commit(("XACK", keys.inbox, GROUP, entry), ("XDEL", keys.inbox, entry))
            return number(deleted)

        return await self._store.attempt(body, key)

    async def _owner(self, request: Request) -> int:
        """Let the group count an entry as that worker's who has it, and as nobody's while it waits."""
        keys = self._keys
        key = keys.request(request.request_id)

        async def body(watch: Watch) -> int:
            found, pending = await watch.read(
                ("GET", key), ("XPENDING", keys.inbox, GROUP, request.entry, request.entry, 1)
            )
            known = REQUESTS.find(text(found))
            if not _open(known, request.entry) or known is None:
                return 0
            owner = known.owner if known.state is State.RUNNING else WAITING
            fields = pending[0] if isinstance(pending, list) and pending else []
            if texts(fields)[1:2] == [owner]:
                return 0
            await watch.commit(("XCLAIM", keys.inbox, GROUP, owner, 0, request.entry, "FORCE", "JUSTID"))
            return 1

        return await self._store.attempt(body, key)

    async def _lane(self, request: Request) -> int:
        """Put a question into its line, and what takes no turn where it is taken."""
        keys = self._keys
        key, line = keys.request(request.request_id), keys.line(request.message.place.conversation_id)

        async def body(watch: Watch) -> int:
            found, in_line, quick, delayed = await watch.read(
                ("GET", key),
                ("ZSCORE", line, request.request_id),
                ("ZSCORE", keys.quick, request.request_id),
                ("ZSCORE", keys.delayed, request.request_id),
            )
            known = REQUESTS.find(text(found))
            if known is None or not _open(known):
                return 0
            if not known.quick and in_line is None:
                order = "-inf" if known.state is State.RUNNING else known.message.order
                await watch.commit(("ZADD", line, order, known.request_id))
                return 1
            if known.quick and known.state is State.WAITING and quick is None and delayed is None:
                await watch.commit(*make_ready(keys, known, 0))
                return 1
            return 0

        return await self._store.attempt(body, key, line, keys.quick, keys.delayed)

    async def _line(self, conversation: str) -> int:
        """Let the first of a line be taken, or the next one if a worker has it or it is gone."""
        keys = self._keys
        line = keys.line(conversation)

        async def body(watch: Watch) -> int:
            members = texts((await watch.read(("ZRANGE", line, 0, -1)))[0])
            if not members:
                return 0
            names = [keys.request(one) for one in members]
            replies = await watch.read(*(("GET", name) for name in names), ("GET", keys.round), also=names)
            requests = [REQUESTS.find(text(reply)) for reply in replies[:-1]]
            waiting = [request for request in requests if _in_line(request)]
            gone = [one for one, request in zip(members, requests, strict=True) if not _in_line(request)]
            commands: list[Command] = [("ZREM", line, *gone)] if gone else []
            running = [request for request in waiting if request and request.state is State.RUNNING]
            first = running[0] if running else waiting[0] if waiting else None
            if running and first and members[0] != first.request_id:
                commands.append(("ZADD", line, "-inf", first.request_id))
            if first is not None and not running and not first.quick:
                person = first.message.sender.person_id
                turn, ring, delayed = await watch.read(
                    ("ZSCORE", keys.turns(person), member(first)),
                    ("ZSCORE", keys.ring, person),
                    ("ZSCORE", keys.delayed, first.request_id),
                    also=(keys.turns(person), keys.ring, keys.delayed),
                )
                if delayed is None and (turn is None or ring is None):
                    commands += make_ready(keys, first, number(replies[-1]) + 1)
            if commands:
                await watch.commit(*commands)
            return 1 if commands else 0

        return await self._store.attempt(body, line)

    async def _entries(self) -> AsyncIterator[list[tuple[str, str]]]:
        """Yield the stream in pieces, as entries and the requests they name."""
        begin = "-"
        while True:
            reply = await self._store.call("XRANGE", self._keys.inbox, begin, "+", "COUNT", PIECE)
            piece = [_named(entry) for entry in reply] if isinstance(reply, list) else []
            if piece:
                yield piece
            if len(piece) < PIECE:
                return
            begin = f"({piece[-1][0]}"

    async def _recorded(self) -> AsyncIterator[list[str]]:
        """Yield the handles of all requests that have a record, in pieces; some may come twice."""
        pattern, cursor = self._keys.request("*"), "0"
        while True:
            reply = await self._store.call("SCAN", cursor, "MATCH", pattern, "COUNT", PIECE)
            cursor, found = (text(reply[0]), texts(reply[1])) if isinstance(reply, list) else ("0", [])
            yield [name[len(pattern) - 1 :] for name in found]
            if cursor == "0":
                return

    async def _requests(self, request_ids: Sequence[str]) -> list[Request | None]:
        replies = await self._store.batch(*(("GET", self._keys.request(one)) for one in request_ids))
        return [REQUESTS.find(text(reply)) for reply in replies]


def _open(request: Request | None, entry: str = "") -> bool:
    """True for a request that waits or runs, in that entry of the stream if one is given."""
    if request is None or request.state not in (State.WAITING, State.RUNNING):
        return False
    return not entry or request.entry == entry


def _in_line(request: Request | None) -> bool:
    return request is not None and _open(request) and request.kind is Kind.QUESTION


def _named(entry: Reply) -> tuple[str, str]:
    """Return an entry's id and the request it names."""
    fields = texts(entry[1]) if isinstance(entry, list) and len(entry) > 1 else []
    return (text(entry[0]) if isinstance(entry, list) and entry else "", fields[1] if len(fields) > 1 else "")
