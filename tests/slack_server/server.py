"""The local Slack as a server on the loopback."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from aiohttp import web

from tests.slack_server.api import Api
from tests.slack_server.bench import SIGNING_SECRET
from tests.slack_server.file_methods import FileAddresses
from tests.slack_server.http_mode import HttpMode
from tests.slack_server.interaction_acts import InteractionActs
from tests.slack_server.message_acts import MessageActs
from tests.slack_server.observing import Observations
from tests.slack_server.values import Message
from tests.slack_server.workspace_acts import WorkspaceActs

MOST_RESPONSES = 5  # that one response address takes
_MOST_BODY = 64 * 2**20


class LocalSlack(MessageActs, InteractionActs, WorkspaceActs, Observations):
    """A Slack of one workspace; an async context manager. Arguments as of `Bench`."""

    _runner: web.AppRunner | None = None
    _http: HttpMode | None = None

    async def start(self, port: int = 0) -> None:
        """Serve on the loopback; port 0 lets the system choose."""
        api, files = Api(self), FileAddresses(self)
        application = web.Application(client_max_size=_MOST_BODY)
        application.add_routes(
            [
                web.route("*", "/api/{method}", api.handle),
                web.get("/link", self.sockets.connect),
                web.post("/response/{key}", self._respond),
                web.post("/upload/{file}", files.upload),
                web.get("/files/{file}/download/{name}", files.download),
                web.get("/signin", files.sign_in),
                web.get("/redirect", files.redirect),
                *self.extra_routes(),
            ]
        )
        self.deliveries.on_acknowledged = self.apply_response
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def extra_routes(self) -> list[web.RouteDef]:
        """Further addresses; none here."""
        return []

    async def stop(self) -> None:
        """Give up what is being delivered and close everything."""
        await self.deliveries.close()
        await self.sockets.close()
        if self._http is not None:
            await self._http.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def use_http(self, url: str, secret: str = SIGNING_SECRET) -> HttpMode:
        """Deliver to the bot's own address from now on, instead of over Socket Mode."""
        self._http = HttpMode(url, secret, self.clock)
        self.deliveries.transport = self._http
        return self._http

    async def connected(self, connections: int = 1, timeout_s: float = 10.0) -> None:
        """Wait until the app has so many Socket Mode connections."""
        await self.until(lambda: len(self.sockets.connections) >= connections, timeout_s)

    async def _respond(self, request: web.Request) -> web.Response:
        """Take a post to a response address."""
        key = request.match_info["key"]
        place = self.response_urls.get(key)
        if place is None or self.responses_used[key] >= MOST_RESPONSES:
            return web.json_response({"ok": False, "error": "used_url" if place else "expired_url"}, status=404)
        self.responses_used[key] += 1
        channel, user, ts = place
        body = await request.json()
        original = self._original(channel, ts)
        if body.get("delete_original") and original:
            original.deleted = True
        elif body.get("replace_original") and original:
            original.text, original.blocks = str(body.get("text", "")), list(body.get("blocks") or ())
            original.edits += 1
        elif body.get("text") or body.get("blocks"):
            self.respond(channel, user, body, str(body.get("thread_ts", "")))
        self.changed()
        return web.json_response({"ok": True})

    def _original(self, channel: str, ts: str) -> Message | None:
        private = (message for message in self.world.ephemerals if (message.channel, message.ts) == (channel, ts))
        return self.world.message(channel, ts) or next(private, None)
