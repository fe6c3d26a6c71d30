"""Driving a local Slack from another process: acts, trouble, and everything it has recorded, over HTTP."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tests.slack_server.deliveries import Delivery
from tests.slack_server.faults import Fault
from tests.slack_server.server import LocalSlack
from tests.slack_server.values import Json, Message, View

_ACTS = frozenset(
    """say mention direct_message say_as_bot edit delete react unreact share unfurl press submit close_view slash
    shortcut open_home stop_stream invite kick archive unarchive connect_channel revoke restore_tokens event""".split()
)
_WORLD_ACTS = frozenset("add_user add_channel add_user_group add_team direct".split())
_CONTENT_ACTS = frozenset({"upload"})


class ControlledSlack(LocalSlack):
    """A local Slack with addresses below `/control/`."""

    def extra_routes(self) -> list[web.RouteDef]:
        """The control addresses."""
        return [
            web.post("/control/act", self._handled(self._act)),
            web.post("/control/faults", self._handled(self._set_faults)),
            web.post("/control/sockets", self._handled(self._sockets)),
            web.post("/control/configure", self._handled(self._configure)),
            web.get("/control/state", self._show_state),
            web.get("/control/messages", self._show_messages),
            web.get("/control/deliveries", self._show_deliveries),
            web.get("/control/calls", self._show_calls),
            web.get("/control/transcript", self._show_transcript),
        ]

    def _handled(self, act: Callable[[Json], object]) -> Callable[[web.Request], Any]:
        """Return a handler that gives an act the request's body; a refused one answers 400 with the reason."""

        async def handle(request: web.Request) -> web.Response:
            try:
                result = act(await request.json())
                if asyncio.iscoroutine(result):
                    result = await result
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
            return _json(self._reference(result))

        return handle

    def _act(self, body: Json) -> object:
        name, arguments = str(body["act"]), dict(body.get("arguments", {}))
        if name in _WORLD_ACTS:
            return getattr(self.world, name)(**arguments)
        if name in _CONTENT_ACTS:
            return self.upload(**{**arguments, "data": str(arguments["data"]).encode()})
        if name not in _ACTS:
            raise ValueError(f"there is no act {name}")
        if files := arguments.get("files"):
            arguments["files"] = [(file, str(data).encode()) for file, data in files]
        if isinstance(place := arguments.get("message"), dict):
            arguments["message"] = self._named(place)
        if isinstance(view := arguments.get("view"), str):
            arguments["view"] = self.world.views[view]
        return getattr(self, name)(**arguments)

    def _named(self, place: Json) -> Message | View:
        """Return the message or view that a reference means."""
        if "view" in place:
            return self.world.views[place["view"]]
        private = (message for message in self.world.ephemerals if message.ts == place["ts"])
        message = self.world.message(place["channel"], place["ts"]) or next(private, None)
        if message is None:
            raise ValueError(f"there is no message {place['ts']}")
        return message

    def _reference(self, result: object) -> object:
        """Return what another process can use of a result."""
        if isinstance(result, Message):
            return {"channel": result.channel, "ts": result.ts}
        if isinstance(result, Delivery):
            return {"delivery": self.deliveries.sent.index(result), "event_id": result.event_id}
        return result

    def _set_faults(self, body: Json) -> None:
        method, how = str(body.get("method", "*")), body["how"]
        if how == "clear":
            self.faults.clear()
            return
        fault = Fault(**body["fault"])
        if how == "add":
            self.faults.add(method, *([fault] * int(body.get("times", 1))))
        elif how == "always":
            self.faults.always(method, fault)
        elif how == "by_chance":
            self.faults.by_chance(method, float(body["probability"]), fault)
        else:
            raise ValueError(f"faults do not come {how}")

    async def _sockets(self, body: Json) -> None:
        if body["do"] == "disconnect":
            await self.sockets.disconnect(body.get("reason", "refresh_requested"))
        elif body["do"] == "abort":
            self.sockets.abort()
        else:
            self.sockets.disabled = body["do"] == "disable"

    def _configure(self, body: Json) -> None:
        """Set fields of the parts; "advance_s" lets the clock jump, "copies" is of deliveries."""
        for part, values in (
            (self.deliveries.timing, body.get("timing", {})),
            (self.deliveries.disorder, body.get("disorder", {})),
            (self.rates.limits, body.get("limits", {})),
            (self.policies, body.get("policies", {})),
        ):
            for name, value in values.items():
                if not hasattr(part, name):
                    raise ValueError(f"there is no setting {name}")
                setattr(part, name, tuple(value) if isinstance(value, list) else value)
        self.deliveries.copies = int(body.get("copies", self.deliveries.copies))
        self.clock.advance(float(body.get("advance_s", 0)))
        self.changed()

    async def _show_state(self, _: web.Request) -> web.Response:
        sent = self.deliveries.sent
        return _json(
            {
                "now": self.clock.now(),
                "monotonic": time.monotonic(),
                "speed": self.clock.speed,
                "connections": self.sockets.connections,
                "connections_opened": self.sockets.opened,
                "deliveries": {
                    status: sum(delivery.status == status for delivery in sent)
                    for status in ("open", "acknowledged", "failed")
                },
                "attempts": sum(len(delivery.attempts) for delivery in sent),
                "limited": self.rates.limited,
                "accepted": self.rates.accepted,
                "pings": self.pings(by=self.world.bot.id),
                "unfurled": [link for link in self.unfurled() if self._is_bots(link[0], link[1])],
                "images": self.images(by=self.world.bot.id),
                "views": self.world.views,
                "agent_titles": {"/".join(place): title for place, title in self.agent.titles.items()},
            }
        )

    def _is_bots(self, channel: str, ts: str) -> bool:
        message = self.world.message(channel, ts)
        return message is not None and message.user == self.world.bot.id

    async def _show_messages(self, request: web.Request) -> web.Response:
        """All messages with everything known of them, also deleted ones; `by` and `channel` choose."""
        by, channel = request.query.get("by", ""), request.query.get("channel", "")
        found = [m for m in self.world.all_messages() if by in ("", m.user) and channel in ("", m.channel)]
        return _json([{**dataclasses.asdict(message), "seen": self.look(message).text} for message in found])

    async def _show_deliveries(self, request: web.Request) -> web.Response:
        """All deliveries from number `since` on; `by=people` leaves out the events of what bots have written."""
        since, by = int(request.query.get("since", 0)), request.query.get("by", "")
        found = [one for one in self.deliveries.sent[since:] if by != "people" or not _is_of_bot(one)]
        return _json(
            [
                {
                    "kind": delivery.kind,
                    "event_id": delivery.event_id,
                    "payload": delivery.payload,
                    "attempts": delivery.attempts,
                    "status": delivery.status,
                    "response": delivery.response,
                }
                for delivery in found
            ]
        )

    async def _show_calls(self, request: web.Request) -> web.Response:
        return _json(self.calls(request.query.get("method", ""), outcome=request.query.get("outcome", "")))

    async def _show_transcript(self, request: web.Request) -> web.Response:
        query = request.query
        return _json(self.transcript(query["channel"], query.get("thread", ""), viewer=query.get("viewer", "")))


def _is_of_bot(delivery: Delivery) -> bool:
    event = delivery.payload.get("event", {})
    return any(part.get("bot_id") for part in (event, event.get("message", {}), event.get("previous_message", {})))


def _json(value: object) -> web.Response:
    return web.Response(text=json.dumps(value, default=_plain), content_type="application/json")


def _plain(value: object) -> object:
    """Return what JSON can hold instead of a value of ours."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(type(value).__name__)
