"""The HTTP server of the web pages: on the service's own loop, without signals, access log and a name for itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from starlette.types import ASGIApp

from bot.errors import SettingsError

if TYPE_CHECKING:
    import uvicorn

logger = logging.getLogger(__name__)

KEEP_ALIVE_S = 5
STOP_GRACE_S = 1
BACKLOG = 64
MAX_CONNECTIONS = 256  # at once; further ones are answered 503
MAX_HEADERS = 16_384  # bytes
HEADERS_S = 15.0  # for a connection to say what it asks for


class WebServer:
    """A small HTTP server on the running loop, a context manager; it takes no signals and keeps no access log.

    Args:
        app: What it serves (`bot.web.site.make_site`).
        host: Address to listen on, LOCUS_HEALTH_HOST.
        port: LOCUS_HEALTH_PORT; 0 takes any free one.
    """

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            SettingsError: If the address cannot be listened on.
        """
        server = await asyncio.to_thread(_server, self._app)
        listening = await self._bind()
        self._port = int(listening.getsockname()[1])
        self._server = server
        self._task = asyncio.create_task(server.serve(sockets=[listening]), name="web pages")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        server, self._server = self._server, None
        task, self._task = self._task, None
        if server is None or task is None:
            return
        server.should_exit = True
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(ended, Exception):
            logger.error("the web pages had ended: %s", ended)

    async def _bind(self) -> socket.socket:
        try:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, kind, protocol, _, address = found[0]
            listening = socket.socket(family, kind, protocol)
            try:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind(address)
                listening.listen(BACKLOG)
            except BaseException:
                listening.close()
                raise
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no address"
            raise SettingsError(
                f"The web pages cannot listen on {self._host} port {self._port} ({reason}): "
                "change LOCUS_HEALTH_HOST or LOCUS_HEALTH_PORT."
            ) from error
        listening.setblocking(False)
        return listening


def _server(app: ASGIApp) -> uvicorn.Server:
    """Return a server that leaves signals alone. Loading the library takes a while, so this runs in a thread."""
    import h11
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Patient(H11Protocol):
        """Closes connections that begin a request and do not go on, or never begin one."""

        _impatience: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.access_log = False  # uvicorn asks whether its logger has handlers, which those of the root count as
            self._impatience = self.loop.call_later(HEADERS_S, transport.close)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            waiting = self.conn.their_state is h11.IDLE and self.conn.our_state is h11.IDLE
            if not waiting and self._impatience is not None:
                self._impatience.cancel()
                self._impatience = None
            elif waiting and self._impatience is None:
                self._impatience = self.loop.call_later(HEADERS_S, self.transport.close)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._impatience is not None:
                self._impatience.cancel()
            super().connection_lost(exc)

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # SIGTERM is the service's own: it finishes answers first

    config = uvicorn.Config(
        app,
        interface="asgi3",
        http=Patient,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_GRACE_S,
        h11_max_incomplete_event_size=MAX_HEADERS,
        limit_concurrency=MAX_CONNECTIONS,
    )
    config.load()
    return Server(config)
