"""Real servers on the loopback for tests: web pages that behave in any way wanted, and git repositories over HTTP."""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answers.

    Attributes:
        body: Bytes, or an iterable whose parts are sent one by one until the client hangs up.
        status: HTTP status.
        headers: Sent as they are; Content-Length is added for bytes where it is missing.
    """

    body: bytes | Iterable[bytes] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """What the server was asked."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


Route = Callable[[Request], Reply]


class LocalServer:
    """An HTTP server in a thread; a context manager.

    Args:
        tls: Makes it an HTTPS server.

    Attributes:
        requests: Every request received, in order.
        stopping: Set when the server is about to stop; slow replies wait on it instead of sleeping.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        self._asked = threading.Event()
        self._routes: dict[str, Route] = {}
        self._scheme = "https" if tls else "http"
        self._httpd = _Httpd(self)
        if tls:
            self._httpd.socket = tls.wrap_socket(self._httpd.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._httpd.shutdown()
        self._httpd.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """The port chosen by the system."""
        return int(self._httpd.server_address[1])

    @property
    def address(self) -> str:
        """Host and port, as `private_hosts` wants them."""
        return f"127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        """The paths asked for, in order."""
        return [request.path for request in self.requests]

    def url(self, path: str, *, host: str = "127.0.0.1") -> str:
        """Return the URL of a path on this server, under another host name if wanted."""
        return f"{self._scheme}://{host}:{self.port}{path}"

    def route(self, path: str, answer: Reply | Route) -> None:
        """Answer a path; one ending in "/*" answers everything below."""
        self._routes[path] = (lambda _: answer) if isinstance(answer, Reply) else answer

    def serve_git(self, root: Path) -> None:
        """Serve the bare repositories in a folder below /git/, by `git http-backend`."""
        self.route("/git/*", lambda request: _git_backend(root, request))

    def wait_for_request(self, timeout_s: float = 10.0) -> None:
        """Block until a first request has arrived."""
        if not self._asked.wait(timeout_s):
            raise TimeoutError

    def answer(self, request: Request) -> Reply:
        """Remember a request and find its answer."""
        self.requests.append(request)
        self._asked.set()
        if request.path in self._routes:
            return self._routes[request.path](request)
        for path, route in self._routes.items():
            if path.endswith("/*") and request.path.startswith(path[:-1]):
                return route(request)
        return Reply(b"no such page", 404)


class _Httpd(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, owner: LocalServer) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up, or refuse the certificate, are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        if not isinstance(self.server, _Httpd):
            raise TypeError
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        reply = self.server.owner.answer(Request(self.command, path, query, dict(self.headers), body))
        self.send_response(reply.status)
        headers = dict(reply.headers)
        if isinstance(reply.body, bytes):
            headers.setdefault("Content-Length", str(len(reply.body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            for part in [reply.body] if isinstance(reply.body, bytes) else reply.body:
                self.wfile.write(part)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _git_backend(root: Path, request: Request) -> Reply:
    """Run git's own CGI program for one request."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "PATH_INFO": request.path.removeprefix("/git"),
        "QUERY_STRING": request.query,
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REMOTE_ADDR": "127.0.0.1",
    }
    done = subprocess.run(
        ["git", "http-backend"], input=request.body, env=environment, capture_output=True, check=False
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").splitlines() if ": " in line)
    status = int(headers.pop("Status", "200 OK").split()[0])
    return Reply(body, status, headers)


def make_repository(
    folder: Path, files: Mapping[str, bytes], links: Mapping[str, str] | None = None, *, commit: bool = True
) -> Path:
    """Make a repository with one commit of files and symbolic links, or add a commit to it."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_AUTHOR_NAME": "A",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True)

    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ".git").exists():
        git("init", "--quiet", "--initial-branch=main")
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    for name, target in (links or {}).items():
        (folder / name).symlink_to(target)
    if commit:
        git("add", "--all")
        git("commit", "--quiet", "--message", "change")
    return folder


def endless(stopping: threading.Event) -> Iterator[bytes]:
    """Yield zeros until the server stops."""
    while not stopping.is_set():
        yield bytes(65536)


def stalled(stopping: threading.Event) -> Iterator[bytes]:
    """Yield one byte, then nothing until the server stops."""
    yield b"x"
    stopping.wait(30)
