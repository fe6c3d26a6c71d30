"""What is open and what was given up, for people who look after the service."""

from __future__ import annotations

from bot.requests import Request
from bot.store.client import text, texts
from bot.store.dead import DeadLetter, DeadLetters
from bot.store.inbox import Inbox
from bot.store.lanes import REQUESTS

PAGE = 200


class Overview:
    """Reads the inbox and the dead letters; changes nothing."""

    def __init__(self, inbox: Inbox, dead: DeadLetters) -> None:
        self._inbox = inbox
        self._dead = dead

    async def open_requests(self) -> list[Request]:
        """Return the open requests in the order they were accepted."""
        found: list[Request] = []
        begin = "-"
        while True:
            page = await self._inbox.store.call("XRANGE", self._inbox.keys.inbox, begin, "+", "COUNT", PAGE)
            entries = [entry for entry in page if isinstance(entry, list)] if isinstance(page, list) else []
            if not entries:
                return found
            handles = [texts(entry[1])[1] for entry in entries if len(texts(entry[1])) > 1]
            keys = (self._inbox.keys.request(handle) for handle in handles)
            replies = await self._inbox.store.batch(*(("GET", key) for key in keys))
            requests = (REQUESTS.find(text(reply)) for reply in replies)
            found += [request for request in requests if request is not None]
            begin = f"({text(entries[-1][0])}"

    async def dead_letters(self) -> list[DeadLetter]:
        """Return the requests that were given up, oldest first."""
        return await self._dead.list()

    async def references(self, beginning: str) -> list[str]:
        """Return the references that begin so: of any request if it is whole, else of open and dead ones."""
        if beginning and await self._inbox.find(beginning) is not None:
            return [beginning]
        known = [request.request_id for request in await self.open_requests()]
        known += [letter.request.request_id for letter in await self.dead_letters()]
        return [reference for reference in dict.fromkeys(known) if reference.startswith(beginning)]
