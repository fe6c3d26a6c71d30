"""Delivers the events of the scripted chat server over WebSockets, at least once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from tests.chat_records import EVENT, EventRecord, Faults


@dataclass(eq=False, slots=True)
class Connection:
    """One adapter's WebSocket and the events it has not acknowledged."""

    socket: web.WebSocketResponse
    unacknowledged: dict[str, asyncio.Event] = field(default_factory=dict)


class Deliveries:
    """Delivers events to connected adapters in turn, each until it is acknowledged.

    Args:
        seed: Of the random choices.
    """

    def __init__(self, seed: int) -> None:
        self.faults = Faults()
        self.records: dict[str, EventRecord] = {}
        self._random = random.Random(seed)
        self._connections: list[Connection] = []
        self._turn = 0
        self._connected = asyncio.Event()
        self._held: dict[tuple[str, str], list[asyncio.Event]] = defaultdict(list)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def adapters(self) -> int:
        """How many are connected."""
        return len(self._connections)

    def send(self, record: EventRecord) -> None:
        """Deliver an event from now on."""
        self.records[record.event_id] = record
        hold = self._random.random() < self.faults.reordered
        self._own(self._deliver(record, hold=hold))
        if self._random.random() < self.faults.twice:
            self._own(self._again(record, self._random.uniform(0, self.faults.twice_within_s)))

    def _own(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, record: EventRecord, *, hold: bool) -> None:
        held = self._held[record.event.conversation]
        if hold:
            overtaken = asyncio.Event()
            held.append(overtaken)
            await _wait(overtaken, self.faults.held_s)
        while not record.acknowledged:
            woken = asyncio.Event()
            connection = await self._to_next(record, woken)
            if not hold:
                while held:
                    held.pop().set()
            await _wait(woken, self.faults.redeliver_s)
            connection.unacknowledged.pop(record.event_id, None)

    async def _again(self, record: EventRecord, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self._to_next(record)

    async def _to_next(self, record: EventRecord, woken: asyncio.Event | None = None) -> Connection:
        """Send an event to the connection whose turn it is; `woken` is set when it is acknowledged or that breaks."""
        while True:
            await self._connected.wait()
            self._turn += 1
            connection = self._connections[self._turn % len(self._connections)]
            record.deliveries.append(time.monotonic())
            if woken is not None:
                connection.unacknowledged[record.event_id] = woken
            with contextlib.suppress(ConnectionError):
                await connection.socket.send_str(
                    json.dumps({"event_id": record.event_id, "event": EVENT.dump_python(record.event, mode="json")})
                )
                return connection
            self._leave(connection)

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one adapter until it goes."""
        socket = web.WebSocketResponse(heartbeat=5)
        await socket.prepare(request)
        connection = Connection(socket)
        self._connections.append(connection)
        self._connected.set()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._acknowledge(connection, json.loads(message.data)["acknowledge"])
        finally:
            self._leave(connection)
        return socket

    def _acknowledge(self, connection: Connection, event_id: str) -> None:
        self.records[event_id].acknowledged.append(time.monotonic())
        for other in (connection, *self._connections):
            if woken := other.unacknowledged.get(event_id):
                woken.set()

    def _leave(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
        if not self._connections:
            self._connected.clear()
        for woken in connection.unacknowledged.values():
            woken.set()

    async def disconnect(self) -> None:
        """Break all connections."""
        for connection in list(self._connections):
            await connection.socket.close()

    async def close(self) -> None:
        """Stop delivering."""
        await self.disconnect()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    """Wait for an event, or for so long."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), timeout_s)
