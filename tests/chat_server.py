"""A chat platform played by a process of its own: `python -m tests.chat_server` prints its port.

It delivers events over WebSockets at least once, shows what the bot posts, loses, delays and refuses as told, and
records everything in its memory. It ends when its standard input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import time

from aiohttp import web

from tests.chat_deliveries import Deliveries
from tests.chat_records import (
    BODY,
    EVENTS,
    FAULTS,
    SNAPSHOT,
    EventRecord,
    Post,
    Snapshot,
    Version,
)


class ChatServer:
    """The platform's calls and the tests' controls.

    Args:
        seed: Of the random choices.
    """

    def __init__(self, seed: int) -> None:
        self._deliveries = Deliveries(seed)
        self._posts: dict[str, Post] = {}
        self._random = random.Random(seed + 1)
        self._away_until = 0.0
        self._limited_until = 0.0

    def application(self) -> web.Application:
        """Return the routes."""
        application = web.Application(client_max_size=64 * 2**20)
        application.add_routes(
            [
                web.get("/events", self._deliveries.connect),
                web.post("/posts", self._post),
                web.get("/posts", self._find),
                web.put("/posts/{post_id}", self._edit),
                web.delete("/posts/{post_id}", self._remove),
                web.post("/control/events", self._send),
                web.put("/control/faults", self._set_faults),
                web.post("/control/disconnect", self._disconnect),
                web.get("/control/snapshot", self._snapshot),
            ]
        )
        application.on_shutdown.append(self._close)
        return application

    async def _close(self, _: web.Application) -> None:
        await self._deliveries.close()

    async def _misbehave(self, channel: str) -> web.Response | None:
        """Be slow, or return what is answered instead."""
        faults = self._deliveries.faults
        if faults.slow_s:
            await asyncio.sleep(self._random.uniform(0, faults.slow_s))
        now = time.monotonic()
        if now < self._limited_until:
            return web.Response(status=429, headers={"Retry-After": f"{self._limited_until - now:.2f}"})
        if now < self._away_until or self._random.random() < faults.failed:
            return web.Response(status=500)
        return web.Response(status=403) if channel in faults.refused else None

    def _answer(self, request: web.Request, value: object) -> web.Response:
        """Answer, or lose the answer of what was done."""
        if self._random.random() < self._deliveries.faults.lost and request.transport is not None:
            request.transport.abort()
        return web.json_response(value)

    async def _post(self, request: web.Request) -> web.Response:
        fields = await request.json()
        if refusal := await self._misbehave(fields["channel"]):
            return refusal
        post_id = f"p{len(self._posts) + 1}"
        version = Version(time.monotonic(), BODY.validate_python(fields["body"], strict=False))
        self._posts[post_id] = Post(
            post_id, fields["channel"], fields["thread"], fields["key"], fields["answers"], [version]
        )
        return self._answer(request, {"id": post_id})

    async def _find(self, request: web.Request) -> web.Response:
        channel, key = request.query["channel"], request.query["key"]
        if refusal := await self._misbehave(channel):
            return refusal
        found = [
            post.post_id for post in self._posts.values() if post.visible and (post.channel, post.key) == (channel, key)
        ]
        return self._answer(request, {"id": found[0] if found else None})

    async def _edit(self, request: web.Request) -> web.Response:
        fields = await request.json()
        post = self._posts.get(request.match_info["post_id"])
        if refusal := await self._misbehave(post.channel if post else ""):
            return refusal
        if post is None or not post.visible:
            return web.Response(status=404)
        post.versions.append(Version(time.monotonic(), BODY.validate_python(fields["body"], strict=False)))
        return self._answer(request, {})

    async def _remove(self, request: web.Request) -> web.Response:
        post = self._posts.get(request.match_info["post_id"])
        if refusal := await self._misbehave(post.channel if post else ""):
            return refusal
        if post is None or not post.visible:
            return web.Response(status=404)
        post.removed_at = time.monotonic()
        return self._answer(request, {})

    async def _send(self, request: web.Request) -> web.Response:
        for event in EVENTS.load(await request.read()):
            record = EventRecord(f"e{len(self._deliveries.records) + 1}", event, time.monotonic())
            self._deliveries.send(record)
        return web.json_response({})

    async def _set_faults(self, request: web.Request) -> web.Response:
        faults = FAULTS.load(await request.read())
        self._deliveries.faults = faults
        self._away_until = time.monotonic() + faults.away_s
        self._limited_until = time.monotonic() + faults.limited_s
        return web.json_response({})

    async def _disconnect(self, _: web.Request) -> web.Response:
        await self._deliveries.disconnect()
        return web.json_response({})

    async def _snapshot(self, _: web.Request) -> web.Response:
        deliveries = self._deliveries
        snapshot = Snapshot(list(deliveries.records.values()), list(self._posts.values()), deliveries.adapters)
        return web.Response(text=SNAPSHOT.dump(snapshot), content_type="application/json")


async def serve(port: int, seed: int) -> None:
    """Serve on the loopback until standard input is closed."""
    runner = web.AppRunner(ChatServer(seed).application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.chat_server")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupted test closes standard input when it has cleaned up
    asyncio.run(serve(options.port, options.seed))


if __name__ == "__main__":
    main()
