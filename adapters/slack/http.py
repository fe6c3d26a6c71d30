"""Events as signed requests of Slack to an address of this machine."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, NoReturn

from aiohttp import web
from pydantic import SecretStr
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import SignatureVerifier

from adapters.slack.options import Options
from bot.errors import SettingsError

logger = logging.getLogger(__name__)

PATH: Final = "/slack/events"
MOST_BODY: Final = 1_000_000  # bytes; Slack's events are far smaller
CLOSE_S: Final = 3.0  # for requests that are being answered
MOST_DIGITS: Final = 12


class HttpServer:
    """Listens for Slack's requests.

    Args:
        app: Where events go.
        secret: Signing secret of the app.
        host: Address that listens.
        port: Port that listens; 0 is any free one.

    Attributes:
        listening: Set while events can arrive.
    """

    def __init__(self, app: AsyncApp, secret: SecretStr, *, host: str, port: int) -> None:
        self._app = app
        self._verifier = SignatureVerifier(secret.get_secret_value())
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self.listening = asyncio.Event()

    @property
    def address(self) -> str:
        """Where it listens, or "" while it does not."""
        if self._runner is None or not self._runner.addresses:
            return ""
        host, port = self._runner.addresses[0][:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}{PATH}"

    async def run(self) -> NoReturn:
        """Listen until cancelled; `close` has to follow.

        Raises:
            SettingsError: If the address cannot be used.
        """
        application = web.Application(client_max_size=MOST_BODY)
        application.add_routes([web.post(PATH, self._handle)])
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=CLOSE_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            raise SettingsError(
                f"Nothing can listen at {self._host}, port {self._port}: set LOCUS_SLACK_HTTP_HOST and "
                "LOCUS_SLACK_HTTP_PORT to an address of this machine that is free."
            ) from error
        self.listening.set()
        while True:
            await asyncio.Event().wait()

    async def close(self) -> None:
        """Answer what has arrived, and listen no more."""
        self.listening.clear()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        """Nothing of a request is read as anything but bytes before its signature was found to be good."""
        raw = await request.read()
        timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
        signature = request.headers.get("X-Slack-Signature", "")
        good = timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= MOST_DIGITS and signature.isascii()
        if not good or not self._verifier.is_valid(raw, timestamp, signature):
            logger.warning("a request without a good signature was refused")
            return web.Response(status=401)
        try:
            parsed = AsyncBoltRequest(
                body=raw.decode(),
                query=request.query_string,
                headers=dict(request.headers),
            )
        except (ValueError, TypeError, AttributeError, RecursionError):
            return web.Response(status=400)
        body: object = parsed.body
        if not isinstance(body, dict):
            return web.Response(status=400)
        return await to_aiohttp_response(await self._app.async_dispatch(parsed))


def serve_http(app: AsyncApp, secret: SecretStr | None, options: Options) -> HttpServer:
    """Return the server that a lab's options ask for; it listens when it runs.

    Raises:
        SettingsError: If there is no signing secret.
    """
    if secret is None:
        raise SettingsError("LOCUS_SLACK_SIGNING_SECRET is not set: http mode does not start without it.")
    return HttpServer(app, secret, host=options.http_host, port=options.http_port)
