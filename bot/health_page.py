"""The health page: /healthz while the event loop turns, /readyz with the state of every part, /metrics with numbers."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from bot.errors import SettingsError
from bot.health import Health

if TYPE_CHECKING:
    import uvicorn

logger = logging.getLogger(__name__)

# The types of ASGI, where every message is a mapping of names to anything.
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

KEEP_ALIVE_S = 5
STOP_GRACE_S = 1
BACKLOG = 64
MAX_HEADERS = 16_384  # bytes
PATHS = ("/healthz", "/readyz", "/metrics")
JSON = b"application/json"
METRICS = b"text/plain; version=1.0.0; charset=utf-8; escaping=underscores"  # Prometheus' text format


class HealthPage:
    """A small HTTP server on the running loop, a context manager; it takes no signals and keeps no access log.

    Args:
        health: What it shows.
        host: Address to listen on, LOCUS_HEALTH_HOST.
        port: LOCUS_HEALTH_PORT; 0 takes any free one.
        names: Further names under which it may be asked, beyond the address and localhost.
        metrics: Returns what /metrics shows, or None for nothing.
    """

    def __init__(
        self,
        health: Health,
        host: str,
        port: int,
        *,
        names: Iterable[str] = (),
        metrics: Callable[[], Awaitable[bytes | None]] | None = None,
    ) -> None:
        self._metrics = metrics
        self._health = health
        self._host = host
        self._port = port
        self._names = {_plain(name) for name in (host, "localhost", "127.0.0.1", "::1", *names)}
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            SettingsError: If the address cannot be listened on, or the extra is not installed.
        """
        try:
            server = await asyncio.to_thread(_server, self._answer)
        except ImportError as error:
            raise SettingsError(
                "LOCUS_HEALTH_PORT needs the extra 'run': install it with `uv sync --extra run`, or set it to 0."
            ) from error
        listening = await self._bind()
        self._port = int(listening.getsockname()[1])
        self._server = server
        self._task = asyncio.create_task(server.serve(sockets=[listening]), name="health page")
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
            logger.error("the health page had ended: %s", ended)

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
                f"The health page cannot listen on {self._host} port {self._port} ({reason}): "
                "change LOCUS_HEALTH_HOST or LOCUS_HEALTH_PORT."
            ) from error
        listening.setblocking(False)
        return listening

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request; the application of ASGI."""
        if scope["type"] != "http":
            return
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        path = scope["path"]
        body: object = None
        data: bytes | None = b""
        kind = JSON
        status = 200
        if not self._may_be_asked_as(host):
            status = 421  # a page elsewhere that lets its own name point here is not answered
        elif path not in PATHS:
            status = 404
        elif scope["method"] not in ("GET", "HEAD"):
            status = 405
        elif path == "/readyz":
            body = self._health.as_json()
            status = 200 if self._health.ready() else 503
        elif path == "/metrics":
            kind, data = METRICS, await self._metrics() if self._metrics is not None else None
            status = 200 if data is not None else 404
        else:
            body = {"turning": True}
        if body is not None:
            data = json.dumps(body, ensure_ascii=False).encode() + b"\n"
        data = data or b""
        headers = [
            (b"content-type", kind),
            (b"content-length", str(len(data)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else data})

    def _may_be_asked_as(self, host: str) -> bool:
        """True for the names of this page; on a wildcard address also for every address, as no name points to it."""
        name = _plain(host)
        if name in self._names:
            return True
        try:
            return ipaddress.ip_address(self._host).is_unspecified and bool(ipaddress.ip_address(name))
        except ValueError:
            return False


def _plain(host: str) -> str:
    """Return the name or address of a Host header, without port, brackets, the dot at the end and capitals."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    if host.count(":") == 1:
        host = host.partition(":")[0]
    return host.rstrip(".")


def _server(app: Callable[[Message, Receive, Send], Awaitable[None]]) -> uvicorn.Server:
    """Return a server that leaves signals alone. Loading the library takes a while, so this runs in a thread."""
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # SIGTERM is the service's own: it finishes answers first

    config = uvicorn.Config(
        app,
        interface="asgi3",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_GRACE_S,
        h11_max_incomplete_event_size=MAX_HEADERS,
    )
    config.load()
    return Server(config)
