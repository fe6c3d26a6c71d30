"""`locus backup` and `locus restore`: everything a lab cannot make again, in one file, taken while Locus runs or not.

The order of copying makes the parts fit each other. A chat's position is stored after its events are in Redis: it is
copied before Redis, so that a restored Locus hears again of events rather than never. A taught file is published before
its draft leaves Redis: Redis is copied before the index. Index and taught texts are copied while nobody may write them.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC
from importlib.metadata import version
from pathlib import Path
from typing import IO

import typer

from bot.cli.backup_archive import ArchiveWriter, Contents, unpack
from bot.cli.backup_redis import opened_append_only
from bot.errors import BusyError, NotFoundError, RefusedError, StorageError
from bot.settings import Settings
from bot.store.server_folder import ServerFolder

REDIS, INDEX, MATRIX = "redis", "index", "matrix"
_FIRST = (MATRIX, "terminal")  # before Redis
_LOCKED = (INDEX, "taught")  # after it, while nobody writes
_MADE_AGAIN = frozenset({"models", "sources", "lost+found"})  # downloaded, built, cloned
_KEPT_OF_THEM = ("models/pins.json",)
_SQLITE = b"SQLite format 3\0"
_BESIDE_SQLITE = ("-wal", "-shm", "-journal")
_PART = ".restore-"  # begins the name of a folder that a restore is filling


def make_backup(settings: Settings, file: Path) -> None:
    """Write a backup; it takes the place of an earlier file of that name when it is complete.

    Raises:
        NotFoundError: If there is no data folder.
        RefusedError: If the file would stand in the data folder.
        BusyError: If documents are being brought in.
        StorageError: If a part is damaged or the disk is full.
    """
    data = settings.data_dir.absolute()
    if not data.is_dir():
        raise NotFoundError(f"There is no data folder {data}: nothing to back up.")
    file = file.absolute()
    if data in file.resolve().parents:
        raise RefusedError(f"{file} would be in the data folder itself: name a file elsewhere, best on another disk.")
    servers = {"redis": settings.redis_url, "chroma": settings.chroma_url}
    with (
        _written(file) as archive,
        ArchiveWriter(archive) as writer,
        tempfile.TemporaryDirectory(prefix=".locus-", dir=file.parent) as aside,
    ):
        copier = _Copier(data, writer, Path(aside))
        copier.copy()
        elsewhere = tuple(name for name, address in servers.items() if address)
        contents = writer.finish(locus=version("locus-bot"), elsewhere=elsewhere)
    typer.echo(f"{file}: {_size(contents)}, {_shown(file.stat().st_size)} packed.")
    for line in (*_elsewhere(contents), *copier.left_out):
        typer.echo(line)


def restore_backup(settings: Settings, file: Path, *, check_only: bool) -> None:
    """Fill an empty data folder from a backup, or only compare a backup with its checksums.

    Raises:
        NotFoundError: If there is no such file.
        RefusedError: If a Locus uses the data folder, or anything is in it.
        UnreadableError: If the backup is damaged; nothing is restored then.
    """
    if not file.is_file():
        raise NotFoundError(f"There is no file {file}.")
    if check_only:
        contents = unpack(file, None)
        typer.echo(f"{file} is whole: {_size(contents)}, {_made(contents)}.")
        return
    data = settings.data_dir.absolute()
    _require_empty(data)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in data.glob(f"{_PART}*"):  # of a restore that was killed
        shutil.rmtree(left)
    part = data / f"{_PART}{secrets.token_hex(4)}"
    part.mkdir(mode=0o700)
    try:
        contents = unpack(file, part)
        _require_empty(data)
        for entry in sorted(part.iterdir()):
            entry.rename(data / entry.name)
    finally:
        shutil.rmtree(part)
    typer.echo(f"{data} holds the backup again: {_size(contents)}, {_made(contents)}.")
    for line in (*_elsewhere(contents), *_next_steps(contents)):
        typer.echo(line)


class _Copier:
    """Copies a data folder into an archive.

    Args:
        data: The folder.
        writer: Takes the files.
        aside: A folder for copies of databases, on the disk of the archive.
    """

    def __init__(self, data: Path, writer: ArchiveWriter, aside: Path) -> None:
        self._writer = writer
        self.left_out: list[str] = []
        self._data = data
        self._aside = aside

    def copy(self) -> None:
        """Add everything, in the order that this module's docstring gives reasons for."""
        for name in _FIRST:
            self._tree(self._data / name)
        with opened_append_only(self._data / REDIS) as files:
            for name, file in files.items():
                self._writer.add(f"{REDIS}/{name}", file)
        with _nobody_writes(self._data / INDEX):
            for name in _LOCKED:
                self._tree(self._data / name)
        others = {path.name for path in self._data.iterdir()} - {REDIS, *_FIRST, *_LOCKED, *_MADE_AGAIN}
        for name in sorted(name for name in others if not name.startswith(_PART)):
            self._tree(self._data / name)
        for name in _KEPT_OF_THEM:
            self._tree(self._data / name)

    def _tree(self, path: Path) -> None:
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:  # never made, or an old answer's card that went meanwhile
            return
        if stat.S_ISDIR(mode):
            for below in sorted(path.iterdir()):
                self._tree(below)
        elif _is_lock(path) or _is_beside_a_database(path):
            pass  # of the moment
        elif stat.S_ISREG(mode):
            self._file(path)
        else:
            self.left_out.append(f"{path} is left out: it is no plain file.")

    def _file(self, path: Path) -> None:
        with suppress(FileNotFoundError), path.open("rb") as file:
            head = file.read(len(_SQLITE))
            file.seek(0)
            if head == _SQLITE:
                with self._database(path) as copy:
                    self._add(path, copy)
            else:
                self._add(path, file)

    def _add(self, path: Path, file: IO[bytes]) -> None:
        self._writer.add(path.relative_to(self._data).as_posix(), file)

    @contextmanager
    def _database(self, path: Path) -> Iterator[IO[bytes]]:
        """Yield a copy of a database as it is between two transactions, its journal included."""
        copy = self._aside / secrets.token_hex(8)
        try:
            with (
                closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as source,
                closing(sqlite3.connect(copy)) as target,
            ):
                source.backup(target)
        except sqlite3.Error as error:
            raise StorageError(f"{path} cannot be copied ({error}): it may be damaged, or the disk full.") from error
        try:
            with copy.open("rb") as file:
                yield file
        finally:
            copy.unlink()


@contextmanager
def _written(file: Path) -> Iterator[IO[bytes]]:
    """Yield a file for its owner only that takes the place of `file` at the end, and is gone after an error."""
    part = file.with_name(f".{file.name[:200]}.{secrets.token_hex(4)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as written:
            yield written
            written.flush()
            os.fsync(handle)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _nobody_writes(index: Path) -> Iterator[None]:
    """Hold the lock that every process takes before it writes to the index."""
    if not index.is_dir():
        yield
        return
    handle = os.open(index / "ingest.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                f"Documents are being written to {index}: wait until that is done, then run the command again."
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _is_lock(path: Path) -> bool:
    return path.suffix == ".lock" or path.name == "lock"


def _is_beside_a_database(path: Path) -> bool:
    for ending in _BESIDE_SQLITE:
        base = path.with_name(path.name.removesuffix(ending))
        if base != path and base.is_file():
            with base.open("rb") as file:
                return file.read(len(_SQLITE)) == _SQLITE
    return False


def _require_empty(data: Path) -> None:
    if ServerFolder(data).held():
        raise RefusedError(f"A Locus runs on {data}: stop it, and move that folder away before you restore.")
    if not data.exists():
        return
    found = [path.name for path in data.iterdir() if path.name != "lost+found" and not path.name.startswith(_PART)]
    if found:
        raise RefusedError(
            f"{data} is not empty ({min(found)} is in it): move it away, or name an empty folder with --data-dir."
        )


def _next_steps(contents: Contents) -> Iterator[str]:
    if contents.has(MATRIX):
        yield (
            "Matrix: if Locus was connected after that time, run `locus matrix login --new-device` before `locus run`; "
            "its old keys are behind those that others know. Never run the old folder and this one."
        )
    yield "Now run `locus doctor`."


def _elsewhere(contents: Contents) -> Iterator[str]:
    if "redis" in contents.elsewhere:
        yield "Not in it: the state in Redis (LOCUS_REDIS_URL). Back that server up by its own means."
    if "chroma" in contents.elsewhere:
        yield "Not in it: the vectors in Chroma (LOCUS_CHROMA_URL). Back that server up at the same time."


def _size(contents: Contents) -> str:
    return f"{len(contents.files)} files, {_shown(contents.size_bytes)}"


def _made(contents: Contents) -> str:
    return f"made by Locus {contents.locus} at {contents.made_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _shown(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
