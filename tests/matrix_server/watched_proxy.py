"""A faulty proxy that sees which events Locus was given, and when it had accepted them; its faults come by chance."""

from __future__ import annotations

import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from aiohttp import web

from tests.matrix_server.faulty_proxy import FaultyProxy, Trouble

SYNC: Final = "/sync"


class WatchedProxy(FaultyProxy):
    """Stands between one account's client and its homeserver.

    An answer to a sync gives events; the next sync that goes on where that answer ended says that they were accepted.
    What is fetched to fill a gap belongs to the answer with the gap.

    Args:
        target: Address of the homeserver.
        seed: Of its chances.

    Attributes:
        deliveries: When each event was given to the client, by `time.monotonic()`.
        accepted: When the client went on behind it.
        going_on: True once the client has gone on behind an answer: its very first one was accepted.
        sent: How many events of each type the client has sent.
        statuses: How many answers had each status.
    """

    def __init__(self, target: str, seed: int = 1) -> None:
        super().__init__(target)
        self.deliveries: defaultdict[str, list[float]] = defaultdict(list)
        self.accepted: defaultdict[str, list[float]] = defaultdict(list)
        self.going_on = False
        self.sent: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self._chance = random.Random(seed)
        self._shares: list[tuple[float, Trouble]] = []
        self._answers: dict[str, set[str]] = {}
        self._last: set[str] = set()

    def by_chance(self, *shares: tuple[float, Trouble]) -> None:
        """Let shares (0 to 1) of all requests go wrong, one trouble at most for each."""
        self._shares = list(shares)

    def _take(self, path: str) -> Trouble:
        trouble = super()._take(path)
        if trouble == Trouble():
            for share, chosen in self._shares:
                if self._chance.random() < share:
                    return chosen
        return trouble

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith(SYNC):
            self._note_position(request.query.get("since", ""))
        answer = await super()._pass_on(request)
        self.statuses[answer.status] += 1
        if answer.status == web.HTTPOk.status_code and isinstance(answer, web.Response):
            self._note_answer(request, answer)
        return answer

    def _note_position(self, since: str) -> None:
        accepted = self._answers.pop(since, None)
        if accepted is not None:
            self.going_on = True
            now = time.monotonic()
            for event_id in accepted:
                self.accepted[event_id].append(now)

    def _note_answer(self, request: web.Request, answer: web.Response) -> None:
        path = request.path
        body = answer.body if isinstance(answer.body, bytes) else b""
        if "/send/" in path and body:
            self.sent[path.split("/send/")[1].partition("/")[0]] += 1
        elif path.endswith(SYNC) and body:
            told = json.loads(body)
            self._last = self._answers.setdefault(str(told["next_batch"]), set())
            self._deliver(_timelines(told))
        elif path.endswith("/messages") and body:
            self._deliver(iter(json.loads(body).get("chunk", ())))

    def _deliver(self, events: Iterator[Mapping[str, Any]]) -> None:
        now = time.monotonic()
        for event in events:
            event_id = str(event.get("event_id", ""))
            self.deliveries[event_id].append(now)
            self._last.add(event_id)


def _timelines(answer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for room in answer.get("rooms", {}).get("join", {}).values():
        yield from room.get("timeline", {}).get("events", ())
