"""The requests of one person: open, known and given-up ones."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Sequence

from bot.requests import Cancelled, Request, State
from bot.store.client import Reply, Watch, text, texts
from bot.store.inbox import Inbox
from bot.store.lanes import REQUESTS

KEYS_AT_ONCE = 200
POLL_S = 0.05


class PersonRequests:
    """Finds and withdraws what a person asked.

    Args:
        inbox: Where.
        patience_s: How long `withdraw` waits for workers to let go of questions they are answering.
    """

    def __init__(self, inbox: Inbox, *, patience_s: float = 5.0) -> None:
        self._inbox = inbox
        self._store = inbox.store
        self._patience_s = patience_s

    async def known(self, person_id: str) -> AsyncIterator[Request]:
        """Yield every request of a person that is known, done ones too."""
        cursor = "0"
        while True:
            pattern = self._inbox.keys.request("*")
            cursor, keys = _page(await self._store.call("SCAN", cursor, "MATCH", pattern, "COUNT", KEYS_AT_ONCE))
            for value in await self._store.batch(*(("GET", key) for key in keys)):
                request = REQUESTS.find(text(value))
                if request is not None and request.message.sender.person_id == person_id:
                    yield request
            if cursor == "0":
                return

    async def dead(self, person_id: str) -> AsyncIterator[tuple[str, Request]]:
        """Yield the given-up requests of a person, each with its entry's id."""
        begin = "-"
        while True:
            reply = await self._store.call("XRANGE", self._inbox.keys.dead, begin, "+", "COUNT", KEYS_AT_ONCE)
            entries = [entry for entry in reply if isinstance(entry, list)] if isinstance(reply, list) else []
            for entry in entries:
                values = texts(entry[1])
                request = REQUESTS.find(values[1] if values[:1] == ["request"] else "")
                if request is not None and request.message.sender.person_id == person_id:
                    yield text(entry[0]), request
            if len(entries) < KEYS_AT_ONCE:
                return
            begin = f"({text(entries[-1][0])}"

    async def withdraw(self, person_id: str, *, but: str = "") -> int:
        """Withdraw open requests and empty the records of all; returns how many were open.

        Args:
            person_id: Whose.
            but: One that stays as it is.
        """
        count = 0
        running: list[str] = []
        async for request in self.known(person_id):
            if request.request_id == but:
                continue
            was_open = request.state is not State.DONE and request.cancelled is not Cancelled.DELETED
            if was_open:
                await self._inbox.cancel(request.request_id, Cancelled.DELETED)
            if await self._empty(request.request_id) is State.RUNNING and was_open:
                running.append(request.request_id)
            count += was_open
        await self._let_go(running)
        return count

    async def _empty(self, request_id: str) -> State | None:
        """Take what the person wrote, and their name, out of a record that nobody answers; returns its state."""
        key = self._inbox.keys.request(request_id)

        async def body(watch: Watch) -> State | None:
            known = REQUESTS.find(text((await watch.read(("GET", key)))[0]))
            if known is None:
                return None
            emptied = _without_words(known)
            if known.state is State.EARLY:
                # The message it belongs to is still to come, and is known to be withdrawn then.
                emptied = dataclasses.replace(emptied, cancelled=Cancelled.DELETED)
            unanswered = known.state is State.DONE or emptied.cancelled is not Cancelled.NO
            if unanswered and emptied != known:
                await watch.commit(("SET", key, REQUESTS.dump(emptied), "KEEPTTL"))
            return known.state

        return await self._store.attempt(body, key)

    async def _let_go(self, running: Sequence[str]) -> None:
        """Wait until no worker writes answers to these any more, or patience ends; the workers know already."""
        deadline = time.monotonic() + self._patience_s
        keys = [self._inbox.keys.request(request_id) for request_id in running]
        while keys and time.monotonic() < deadline:
            found = [REQUESTS.find(text(reply)) for reply in await self._store.batch(*(("GET", key) for key in keys))]
            states = [request.state if request is not None else State.DONE for request in found]
            keys = [key for key, state in zip(keys, states, strict=True) if state is State.RUNNING]
            if keys:
                await asyncio.sleep(POLL_S)

    async def forget_dead(self, person_id: str) -> int:
        """Delete the given-up requests of a person; returns how many."""
        entries = [entry async for entry, _ in self.dead(person_id)]
        if entries:
            await self._store.call("XDEL", self._inbox.keys.dead, *entries)
        return len(entries)


def _without_words(request: Request) -> Request:
    message = request.message
    sender = dataclasses.replace(message.sender, name="")
    return dataclasses.replace(
        request, message=dataclasses.replace(message, text="", files=(), sender=sender), notice="", ready=""
    )


def _page(reply: Reply) -> tuple[str, list[str]]:
    """Return the cursor and the keys of a reply to SCAN."""
    if not isinstance(reply, list) or len(reply) != 2:
        return "0", []
    return text(reply[0]) or "0", texts(reply[1])
