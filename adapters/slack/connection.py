"""Socket Mode: two connections side by side, so that nothing is missed while Slack replaces one of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Final, NoReturn

import aiohttp
from pydantic import SecretStr
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient

from adapters.slack.client import SlackClient
from adapters.slack.options import Options
from bot.errors import SettingsError, UnavailableError

CONNECTIONS: Final = 2
HELLO_S: Final = 30.0  # Slack greets a new connection at once
DEAD_PINGS: Final = 6  # signs of life without an answer; the library itself connects again after four
LOOK_S: Final = 1.0
CLOSE_S: Final = 5.0
RETRY_S: Final = 2.0

APP_TOKEN = (
    "Slack does not accept the token for Socket Mode: make one that begins with xapp- and has the scope "  # noqa: S105
    "connections:write on the app's page, and set LOCUS_SLACK_APP_TOKEN."
)
NO_HELLO = "Slack has opened no connection for events; Locus tries again."
LOST = "The connection on which Slack delivers events is lost; Locus opens a new one."

# The library's own messages hold whole payloads, and tell again and again of a connection that cannot be opened; what
# matters of them is told here.
silent = logging.getLogger(f"{__name__}.library")
silent.setLevel(logging.CRITICAL)


class Socket:
    """One connection, which the library replaces whenever Slack asks it to.

    Args:
        app: Where events go.
        token: Of the app.
        ping_s: See `Options`.
    """

    def __init__(self, app: AsyncApp, token: SecretStr, ping_s: float) -> None:
        self._handler = AsyncSocketModeHandler(app, token.get_secret_value(), logger=silent, ping_interval=ping_s)
        self._client = self._handler.client
        self._client.proxy = app.client.proxy  # the library takes one from the environment, in spite of NO_PROXY
        self._client.message_listeners.append(self._listen)
        self._greeted = asyncio.Event()
        self._session = ""

    async def open(self, url: str) -> None:
        """Connect to an address that apps.connections.open has named, and wait until Slack says hello.

        Raises:
            UnavailableError: If it does not.
        """
        self._client.wss_uri = url
        try:
            async with asyncio.timeout(HELLO_S):
                await self._handler.connect_async()  # type: ignore[no-untyped-call]
                await self._greeted.wait()
        except TimeoutError as error:
            raise UnavailableError(NO_HELLO, retry_after_s=RETRY_S) from error

    async def alive(self) -> bool:
        """True while Slack answers, and has greeted the connection as it is now."""
        return await self._client.is_connected() and self._session == await self._client.session_id()

    async def close(self) -> None:
        """Close it, and wait for all that the library has begun for it."""
        client = self._client
        begun = [client.message_processor, client.current_session_monitor, client.message_receiver]
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._handler.close_async()  # type: ignore[no-untyped-call]
        if not client.aiohttp_client_session.closed:
            await client.aiohttp_client_session.close()
        tasks = [task for task in (*begun, client.message_receiver, client.current_session_monitor) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, client: AsyncBaseSocketModeClient, message: dict[str, object], raw: str | None) -> None:
        if message.get("type") == "hello":
            self._session = await client.session_id()
            self._greeted.set()


class Connections:
    """The connections of one app.

    Args:
        app: Where events go.
        token: Of the app.
        api_url: Slack's Web API.
        ping_s: See `Options`.

    Attributes:
        listening: Set while events can arrive.
    """

    def __init__(self, app: AsyncApp, token: SecretStr, *, api_url: str, ping_s: float) -> None:
        self._app = app
        self._token = token
        self._api_url = api_url
        self._ping_s = ping_s
        self._sockets: list[Socket] = []
        self.listening = asyncio.Event()

    async def run(self) -> NoReturn:
        """Connect and deliver until cancelled; `close` has to follow.

        Raises:
            SettingsError: If Slack does not accept the token.
            UnavailableError: If Slack is away, or a connection is lost and does not come back.
        """
        for _ in range(CONNECTIONS):
            url = await self._address()
            socket = Socket(self._app, self._token, self._ping_s)
            self._sockets.append(socket)
            await socket.open(url)
        lost_after_s = DEAD_PINGS * self._ping_s
        seen = [time.monotonic()] * CONNECTIONS
        self.listening.set()
        while True:
            await asyncio.sleep(min(LOOK_S, self._ping_s))
            for number, socket in enumerate(self._sockets):
                if await socket.alive():
                    seen[number] = time.monotonic()
            if time.monotonic() - min(seen) > lost_after_s:
                raise UnavailableError(LOST, retry_after_s=RETRY_S)

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(socket.close() for socket in self._sockets))
        self._sockets.clear()

    async def _address(self) -> str:
        """Ask for an address to connect to, which shows whether the token is good: the library would try for ever."""
        try:
            async with SlackClient(self._token, api_base_url=self._api_url) as client:
                return (await client.call("apps.connections.open")).text("url")
        except SettingsError as error:
            raise SettingsError(APP_TOKEN) from error


def connect(app: AsyncApp, token: SecretStr | None, options: Options) -> Connections:
    """Return the connections that a lab's options ask for; opened when they run.

    Raises:
        SettingsError: If there is no token.
    """
    if token is None:
        raise SettingsError("LOCUS_SLACK_APP_TOKEN is not set: Socket Mode needs it.")
    return Connections(app, token, api_url=options.api_url, ping_s=options.ping_s)
