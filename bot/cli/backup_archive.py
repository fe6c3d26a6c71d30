"""The file of a backup: a tar archive, packed, whose last member lists every other one with its size and checksum.

The list comes last because it is known last; an archive without it is one that was cut off. Nothing of an archive is
put into place before all of it was compared with the list.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.errors import StorageError, UnreadableError

VERSION = 1
LIST = "backup.json"
DATA = "data"  # folder in the archive; what is below stands at the same place of the data folder
MAX_LIST_BYTES = 256 << 20
_PACKING = 1  # gzip's quickest: vectors, most of an index, hardly get smaller with more
_BLOCK = 1 << 20


class StoredFile(BaseModel):
    """One file of a backup."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size_bytes: int = Field(ge=0)
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Contents(BaseModel):
    """The list of a backup.

    Attributes:
        v: Version of the form.
        made_at: In UTC.
        locus: Version of the Locus that made it.
        elsewhere: What belongs to the state but stands in servers: "redis", "chroma".
        files: By path in the data folder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1]
    made_at: datetime
    locus: str
    elsewhere: tuple[str, ...]
    files: dict[str, StoredFile]

    @property
    def size_bytes(self) -> int:
        """Of all files, unpacked."""
        return sum(one.size_bytes for one in self.files.values())

    def has(self, folder: str) -> bool:
        """Whether there is a file below a folder of the data folder."""
        return any(path.startswith(f"{folder}/") for path in self.files)


class ArchiveWriter:
    """Writes an archive; a context manager.

    Args:
        file: Where to; the caller closes it.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w:gz", compresslevel=_PACKING)  # noqa: SIM115 - `__exit__` closes
        self._files: dict[str, StoredFile] = {}

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the file; without its list after an error."""
        self._tar.close()

    def add(self, path: str, file: IO[bytes]) -> None:
        """Add an open file, as long as it is now: what is written to its end meanwhile is left out.

        Raises:
            StorageError: If it gets shorter while it is read.
        """
        status = os.fstat(file.fileno())
        member = tarfile.TarInfo(f"{DATA}/{path}")
        member.size = status.st_size
        member.mtime = int(status.st_mtime)
        member.mode = 0o600
        reader = _Reader(file, status.st_size)
        try:
            self._tar.addfile(member, reader)
        except OSError as error:
            if reader.left and error.errno is None:  # tarfile's own: there was less than the size said
                raise StorageError(f"{path} was cut off while it was copied: run the command again.") from error
            raise
        self._files[path] = StoredFile(size_bytes=status.st_size, sha256=reader.digest)

    def finish(self, *, locus: str, elsewhere: tuple[str, ...]) -> Contents:
        """Add the list, after which nothing is added; returns it."""
        contents = Contents(
            v=VERSION, made_at=datetime.now(UTC), locus=locus, elsewhere=elsewhere, files=dict(self._files)
        )
        content = contents.model_dump_json().encode()
        member = tarfile.TarInfo(LIST)
        member.size = len(content)
        member.mode = 0o600
        self._tar.addfile(member, io.BytesIO(content))
        return contents


class _Reader(io.RawIOBase):
    """Reads so many bytes of a file and takes their checksum."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self.left = size
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def read(self, size: int = -1) -> bytes:
        wanted = self.left if size < 0 else min(size, self.left)
        data = self._file.read(wanted)
        self.left -= len(data)
        self._hash.update(data)
        return data


@dataclass(frozen=True, slots=True)
class _Unpacked:
    contents: Contents
    found: dict[str, StoredFile]


def unpack(archive: Path, folder: Path | None) -> Contents:
    """Compare an archive with its list, and put its files below a folder, for their owner only.

    Args:
        archive: The file.
        folder: An empty one, or None to compare only.

    Raises:
        UnreadableError: If it is no backup, cut off, or not what the list says; `folder` may hold a part then.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            read = _read(archive, tar, folder)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UnreadableError(f"{archive} is no backup of Locus, or a damaged one: take another.") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise UnreadableError(f"{archive} is no backup of Locus, or a damaged one: take another.") from error
    wanted = read.contents.files
    for path in sorted(wanted.keys() | read.found.keys()):
        if wanted.get(path) != read.found.get(path):
            raise UnreadableError(f"{archive} is damaged ({path} is not what its list says): take another backup.")
    return read.contents


def _read(archive: Path, tar: tarfile.TarFile, folder: Path | None) -> _Unpacked:
    contents = None
    found: dict[str, StoredFile] = {}
    for member in tar:
        data = tar.extractfile(member) if member.isreg() else None
        if data is None:
            raise UnreadableError(f"{archive} holds {member.name!r}, which is no file: no backup of Locus has that.")
        with data:
            if member.name == LIST:
                contents = _contents(archive, data)
                continue
            path = _safe(archive, member.name)
            found[path] = _copy(data, folder / path if folder is not None else None)
    if contents is None:
        raise UnreadableError(f"{archive} ends too early, or is no backup of Locus: take another.")
    return _Unpacked(contents, found)


def _contents(archive: Path, data: IO[bytes]) -> Contents:
    content = data.read(MAX_LIST_BYTES)
    try:
        return Contents.model_validate_json(content)
    except ValidationError as error:
        raise UnreadableError(
            f"The list of {archive} cannot be read: it is damaged, or was made by a newer Locus, which can restore it."
        ) from error


def _safe(archive: Path, name: str) -> str:
    """Return the path in the data folder that a member's name stands for."""
    path = PurePosixPath(name)
    plain = str(path) == name and ".." not in path.parts and "\\" not in name
    if not plain or path.is_absolute() or len(path.parts) < 2 or path.parts[0] != DATA:  # data/ and what is below
        raise UnreadableError(f"{archive} holds a file {name!r}: no backup of Locus has that.")
    return str(PurePosixPath(*path.parts[1:]))


def _copy(data: IO[bytes], path: Path | None) -> StoredFile:
    digest, size = hashlib.sha256(), 0
    if path is None:
        while block := data.read(_BLOCK):
            digest.update(block)
            size += len(block)
        return StoredFile(size_bytes=size, sha256=digest.hexdigest())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        while block := data.read(_BLOCK):
            digest.update(block)
            size += len(block)
            file.write(block)
        file.flush()
        os.fsync(handle)
    return StoredFile(size_bytes=size, sha256=digest.hexdigest())
