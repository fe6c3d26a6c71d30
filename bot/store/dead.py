"""Requests that were given up: looked at, tried again, or dropped."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

from bot.requests import Kind, Request, State
from bot.store.client import Command, Reply, Watch, number, text, texts
from bot.store.inbox import Inbox
from bot.store.lanes import REQUESTS, make_ready

PAGE = 100
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A request that was given up.

    Attributes:
        entry: Id of its entry in the stream of dead letters.
        request: As it was; its outcome is the reason.
        at: When it was given up, in seconds since 1970.
    """

    entry: str
    request: Request
    at: float


class DeadLetters:
    """The requests that were given up.

    Args:
        inbox: Where they came from, and go back to.
        retention_days: Older ones are not shown any more.
        clock: Seconds since 1970.
    """

    def __init__(self, inbox: Inbox, *, retention_days: float = 90.0, clock: Callable[[], float] = time.time) -> None:
        self._inbox = inbox
        self._store = inbox.store
        self._keys = inbox.keys
        self._retention_ms = int(retention_days * DAY_MS)
        self._clock = clock

    async def list(self) -> list[DeadLetter]:
        """Return all of them, oldest first; one that cannot be read is left out."""
        begin = str(max(0, int(self._clock() * 1000) - self._retention_ms))
        letters: list[DeadLetter] = []
        while True:
            page = await self._store.call("XRANGE", self._keys.dead, begin, "+", "COUNT", PAGE)
            entries = page if isinstance(page, list) else []
            letters += [letter for letter in map(_letter, entries) if letter is not None]
            if len(entries) < PAGE:
                return letters
            begin = f"({_entry_id(entries[-1])}"

    async def find(self, request_id: str) -> DeadLetter | None:
        """Return the latest with this handle, or None."""
        return next((letter for letter in reversed(await self.list()) if letter.request.request_id == request_id), None)

    async def retry(self, request_id: str) -> bool:
        """Put a request back into the inbox as if it had never failed; its answer replaces the apology.

        Returns:
            False when it is no dead letter, or when its apology is still being posted.
        """
        letter = await self.find(request_id)
        if letter is None:
            return False
        await self._inbox.prepare()
        keys = self._keys
        key = keys.request(request_id)
        place = letter.request.message.place
        line = keys.line(place.conversation_id)

        async def body(watch: Watch) -> bool:
            replies = await watch.read(
                ("XRANGE", keys.dead, letter.entry, letter.entry),
                ("GET", key),
                ("GET", keys.counter),
                ("GET", keys.round),
                ("ZCARD", line),
            )
            apology = REQUESTS.find(text(replies[1]))
            if not replies[0] or (apology is not None and apology.state is not State.DONE):
                return False
            seq, turn = number(replies[2]) + 1, number(replies[3]) + 1
            again = _again(letter.request, apology, seq)
            commands: list[Command] = [
                ("XDEL", keys.dead, letter.entry),
                ("SET", key, REQUESTS.dump(again)),
                ("XADD", keys.inbox, again.entry, "request", request_id),
                ("SET", keys.counter, seq),
            ]
            if not again.quick:
                commands.append(("ZADD", line, again.message.order, request_id))
            if again.quick or number(replies[4]) == 0:
                commands += make_ready(keys, again, turn)
            await watch.commit(*commands)
            return True

        return await self._store.attempt(body, keys.counter, keys.dead, key, line)

    async def drop(self, request_id: str) -> bool:
        """Delete a dead letter; False when there is none. An apology on its way is posted nevertheless."""
        entries = [letter.entry for letter in await self.list() if letter.request.request_id == request_id]
        return bool(entries and number(await self._store.call("XDEL", self._keys.dead, *entries)))


def _again(dead: Request, apology: Request | None, seq: int) -> Request:
    """Return the request to be put back.

    Where the record of the apology has expired, the apology was posted, but its id may be unknown: the chat is asked.
    """
    last = apology or dead
    return dataclasses.replace(
        dead,
        notice=dead.notice if dead.kind is Kind.NOTICE else "",
        seq=seq,
        state=State.WAITING,
        owner="",
        attempt=max(dead.attempt, last.attempt),
        deaths=0,
        failures=0,
        revision=max(dead.revision, last.revision) + 1,
        posting=apology is None or apology.posting,
        post_id=last.post_id or dead.post_id,
        ready="",
        outcome="",
    )


def _entry_id(entry: Reply) -> str:
    return text(entry[0]) if isinstance(entry, list) and entry else ""


def _letter(entry: Reply) -> DeadLetter | None:
    fields = texts(entry[1]) if isinstance(entry, list) and len(entry) > 1 else []
    request = REQUESTS.find(fields[1]) if len(fields) > 1 else None
    if request is None:
        return None
    entry_id = _entry_id(entry)
    return DeadLetter(entry_id, request, number(entry_id.partition("-")[0]) / 1000)
