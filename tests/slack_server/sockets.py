"""Socket Mode: tickets, connections, envelopes and their acknowledgements."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Literal

from aiohttp import WSMsgType, web

from tests.slack_server.deliveries import Attempt, Delivery, Outcome
from tests.slack_server.values import SlackError

DisconnectReason = Literal["warning", "refresh_requested", "link_disabled", "too_many_websockets"]

MOST_CONNECTIONS = 10  # Slack's limit for one app
APPROXIMATE_CONNECTION_S = 18_060  # about five hours, as Slack announces


class Sockets:
    """The connections of the app, a `Transport`.

    Args:
        app_id: Named in the first message of each connection.

    Attributes:
        opened: How many connections there ever were.
        strays: Messages of the app that acknowledged nothing that was waited for.
        disabled: True refuses new connections, as after Socket Mode was switched off.
        answers_pings: False leaves PING frames without PONG, as a dead peer does.
    """

    def __init__(self, app_id: str) -> None:
        self._app_id = app_id
        self._tickets: set[str] = set()
        self._connections: dict[str, web.WebSocketResponse] = {}
        self._requests: dict[str, web.Request] = {}
        self._next = 0
        self._waiting: dict[str, asyncio.Future[Outcome]] = {}
        self.opened = 0
        self.strays: list[str] = []
        self.disabled = False
        self.answers_pings = True

    @property
    def connections(self) -> list[str]:
        """Ids of the open connections."""
        return list(self._connections)

    def new_ticket(self) -> str:
        """Return a ticket for one connection.

        Raises:
            SlackError: If Socket Mode is switched off.
        """
        if self.disabled:
            raise SlackError("socket_mode_disabled")
        ticket = uuid.uuid4().hex
        self._tickets.add(ticket)
        return ticket

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403, text="invalid ticket")
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        if len(self._connections) >= MOST_CONNECTIONS:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        connection = uuid.uuid4().hex[:8]
        self._connections[connection] = socket
        self._requests[connection] = request
        self.opened += 1
        try:
            await socket.send_json(
                {
                    "type": "hello",
                    "num_connections": len(self._connections),
                    "connection_info": {"app_id": self._app_id},
                    "debug_info": {
                        "host": "local",
                        "build_number": 1,
                        "approximate_connection_time": APPROXIMATE_CONNECTION_S,
                    },
                }
            )
            await self._listen(socket)
        except ConnectionError:
            pass
        finally:
            self._connections.pop(connection, None)
            self._requests.pop(connection, None)
        return socket

    async def _listen(self, socket: web.WebSocketResponse) -> None:
        async for frame in socket:
            if frame.type is WSMsgType.PING:
                if self.answers_pings:
                    await socket.pong(frame.data)
            elif frame.type is WSMsgType.TEXT:
                self._acknowledge(str(frame.data))

    def _acknowledge(self, text: str) -> None:
        """Take an acknowledgement, over whichever connection it comes; a late one counts for nothing."""
        try:
            message = json.loads(text)
            envelope_id = str(message["envelope_id"])
        except (ValueError, TypeError, KeyError):
            self.strays.append(text)
            return
        waiting = self._waiting.get(envelope_id)
        if waiting is None or waiting.done():
            self.strays.append(text)
        else:
            waiting.set_result(Outcome(response=message.get("payload")))

    async def attempt(self, delivery: Delivery, attempt: Attempt, timeout_s: float) -> Outcome:
        """Send an envelope to one of the connections, each in its turn."""
        attempt.envelope_id = str(uuid.uuid4())
        envelope = {
            "envelope_id": attempt.envelope_id,
            "type": delivery.kind,
            "payload": delivery.payload,
            "accepts_response_payload": delivery.kind != "events_api",
        }
        if delivery.kind == "events_api":
            envelope |= {"retry_attempt": attempt.number, "retry_reason": attempt.reason}
        waiting: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[attempt.envelope_id] = waiting
        try:
            attempt.through = await self._send(json.dumps(envelope))
            if not attempt.through:
                return Outcome("timeout")
            async with asyncio.timeout(timeout_s):
                return await waiting
        except TimeoutError:
            attempt.cut = attempt.through not in self._connections
            return Outcome("timeout")
        finally:
            del self._waiting[attempt.envelope_id]

    async def _send(self, text: str) -> str:
        """Send to one connection and return its id, or "" when none takes it."""
        for _ in range(len(self._connections)):
            self._next += 1
            connections = list(self._connections.items())
            if not connections:
                break
            connection, socket = connections[self._next % len(connections)]
            if not socket.closed:
                try:
                    await socket.send_str(text)
                except ConnectionError:
                    continue
                return connection
        return ""

    async def disconnect(self, reason: DisconnectReason, *, connection: str = "") -> None:
        """Ask one connection, or all, to go away; the server closes none of them itself."""
        for key, socket in list(self._connections.items()):
            if connection in ("", key) and not socket.closed:
                await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "local"}})

    def abort(self, connection: str = "") -> None:
        """Cut one connection, or all, without a word."""
        for key in list(self._connections):
            if connection in ("", key) and (transport := self._requests[key].transport):
                del self._connections[key]
                transport.abort()

    async def close(self) -> None:
        """Close all connections."""
        for socket in list(self._connections.values()):
            await socket.close()
        self._connections.clear()
