"""The private server's folder: who holds it, and every file the server reads and writes.

data_dir/redis, for its owner only: `locus.lock` is held by the Locus that owns the server, `server.lock` by the server
itself until its last process has ended, so that neither is taken for dead while it still writes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.errors import SettingsError, StorageError
from bot.store.acl import acl_lines
from bot.store.addresses import SOCKET_PATH_BYTES, socket_url

LOG_BYTES = 1 << 20  # a longer log is moved aside at the next start
SOCKET = "redis.sock"
COMMAND = "command"

_LOG_LINE = re.compile(r"^\d+:[A-Z] .*?[.\-*#] (?P<text>.*)$")
_TEMPORARY = ("temp-*.aof", "temp-*.rdb", "appendonlydir/temp-*")
_CHATTER = ("WARNING", "Server initialized", "The server is now ready", "Ready to accept connections")


class ServerFolder:
    """Files of one private server.

    Args:
        data_dir: The folder of all state; `redis` below it is ours.
    """

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir.absolute() / "redis"
        self.config = self.path / "redis.conf"
        self.users = self.path / "users.acl"
        self.log = self.path / "redis.log"
        self.pid_file = self.path / "redis.pid"
        self._password = self.path / "password"
        self._socket_note = self.path / "socket"
        self._lock = self.path / "locus.lock"
        self._server_lock = self.path / "server.lock"

    def prepare(self) -> None:
        """Make the folder, for its owner only.

        Raises:
            StorageError: If it cannot be made or belongs to another account.
        """
        with self.writing():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if stat.S_IMODE(self.path.stat().st_mode) != 0o700:
                self.path.chmod(0o700)

    def take(self) -> int | None:
        """Take the folder for this process; returns what to `release`, or None if another one holds it.

        This and `take_for_server` are no work for a thread: they take microseconds, and a start that is cancelled
        would lose what a thread returns.
        """
        with self.writing():
            return _locked(self._lock)

    def sign(self, handle: int, *, command: bool) -> None:
        """Write down which process holds the folder, for the sentence that another one gets."""
        with self.writing():
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()} {COMMAND if command else 'run'}\n".encode())

    def release(self, handle: int) -> None:
        """Give the folder back, also where a program that is just being started has a copy of the handle."""
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)

    def holder(self) -> tuple[str, bool]:
        """Return the number of the process that holds the folder, and whether it is a command that soon ends."""
        with contextlib.suppress(OSError):
            process, _, kind = self._lock.read_text(encoding="utf-8", errors="replace").strip().partition(" ")
            return process or "unknown", kind == COMMAND
        return "unknown", False

    def held(self) -> bool:
        """Whether a process holds the folder now; changes nothing."""
        try:
            handle = os.open(self._lock, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    def take_for_server(self) -> int | None:
        """Return the lock that a server inherits and holds until it has ended, or None while one is running."""
        with self.writing():
            return _locked(self._server_lock)

    def former_server(self) -> int | None:
        """Return the process of the server that runs here, if its command line says that it is one."""
        with contextlib.suppress(OSError, ValueError):
            process = int(self.pid_file.read_text(encoding="ascii"))
            return process if process > 1 and "-server" in _command_line(process) else None
        return None

    def write(self, *, prefix: str, fsync: str) -> str:
        """Write what the server reads at its start; returns the new password.

        Raises:
            StorageError: If the disk is full or the folder cannot be written.
        """
        password = secrets.token_urlsafe(32)
        with self.writing():
            for pattern in _TEMPORARY:
                for left in self.path.glob(pattern):
                    left.unlink(missing_ok=True)
            if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
                self.log.replace(self.log.with_suffix(".log.1"))
            self._write(self.users, acl_lines(password, prefix))
            self._write(self._password, password)
            self._write(self.config, self._configuration(self.make_socket(), fsync))
        return password

    def password(self) -> str:
        """Return the running server's password; "" where there is none yet."""
        with contextlib.suppress(OSError):
            return self._password.read_text(encoding="ascii")
        return ""

    def socket(self) -> Path:
        """Return where the socket is: in the folder, or where `make_socket` had to put it."""
        with contextlib.suppress(OSError):
            return Path(os.fsdecode(self._socket_note.read_bytes()))
        return self.path / SOCKET

    def url(self) -> str:
        """Return the socket's address for the client."""
        return socket_url(str(self.socket()))

    def make_socket(self) -> Path:
        """Choose a place for the socket whose path is short enough, and remember it."""
        near = self.path / SOCKET
        if len(os.fsencode(near)) <= SOCKET_PATH_BYTES:
            self._socket_note.unlink(missing_ok=True)
            near.unlink(missing_ok=True)
            return near
        self.remove_socket()
        for base in filter(None, (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir())):
            if os.path.isdir(base) and len(os.fsencode(base)) + len(f"/locus-12345678/{SOCKET}") <= SOCKET_PATH_BYTES:
                far = Path(tempfile.mkdtemp(prefix="locus-", dir=base)) / SOCKET
                self._write(self._socket_note, os.fsdecode(far))
                return far
        raise SettingsError(
            f"The path of {near} is longer than {SOCKET_PATH_BYTES} bytes, which no socket may have: set a shorter "
            "LOCUS_DATA_DIR."
        )

    def remove_socket(self) -> None:
        """Remove the socket, and the folder made for it elsewhere."""
        socket = self.socket()
        with contextlib.suppress(OSError):
            socket.unlink(missing_ok=True)
            if socket.parent != self.path and socket.parent.name.startswith("locus-"):
                shutil.rmtree(socket.parent)
            self._socket_note.unlink(missing_ok=True)

    def append_only_file(self) -> Path | None:
        """Return the file, or since Redis 7 the list of files, that holds the state; None before the first start."""
        for path in (*sorted(self.path.glob("appendonlydir/*.manifest")), self.path / "appendonly.aof"):
            if path.exists():
                return path
        return None

    def size_bytes(self) -> int:
        """Return how much disk the state takes."""
        files = (*self.path.glob("*.aof"), *self.path.glob("appendonlydir/*"))
        return sum(path.stat().st_size for path in files if path.is_file())

    def log_size(self) -> int:
        """Return the length of the log in bytes."""
        return self.log.stat().st_size if self.log.exists() else 0

    def last_words(self, offset: int) -> str:
        """Return the last line of the log that tells something, from `offset` bytes on."""
        with contextlib.suppress(OSError):
            with self.log.open("rb") as log:
                log.seek(max(offset, self.log_size() - 8192))
                lines = log.read().decode(errors="replace").splitlines()
            told = [found["text"] if (found := _LOG_LINE.match(line)) else line.strip() for line in lines]
            return next((text for text in reversed(told) if text and not text.startswith(_CHATTER)), "")
        return ""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn what the file system refuses into one sentence."""
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"The folder {self.path} cannot be written ({error.strerror or error}): free space, or give Locus its "
                "own folder (LOCUS_DATA_DIR)."
            ) from error

    def _configuration(self, socket: Path, fsync: str) -> str:
        lines = {
            "port": "0",
            "unixsocket": _quoted(socket),
            "unixsocketperm": "600",
            "dir": _quoted(self.path),
            "aclfile": _quoted(self.users),
            "logfile": _quoted(self.log),
            "pidfile": _quoted(self.pid_file),
            "daemonize": "no",
            "databases": "1",
            "appendonly": "yes",
            "appendfsync": fsync,
            "save": '""',
            "maxmemory-policy": "noeviction",
        }
        return "".join(f"{name} {value}\n" for name, value in lines.items())

    def _write(self, path: Path, text: str) -> None:
        """Replace a file in one step; readable by its owner only."""
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(os.fsencode(text))
        fresh.replace(path)


def _locked(path: Path) -> int | None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except BaseException:
        os.close(handle)
        raise
    return handle


def _command_line(process: int) -> str:
    if Path("/proc/self").exists():
        return Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace")
    command = ["ps", "-o", "command=", "-p", str(process)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False).stdout  # noqa: S603 - of a number


def _quoted(path: Path) -> str:
    """Return a path as the server's configuration reads it: bytes beyond plain text are escaped."""
    return (
        '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in os.fsencode(path)) + '"'
    )
