"""Downloading model files from Hugging Face: resumed where they were cut, checked, and there only when whole."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
from pydantic import SecretStr, TypeAdapter, ValidationError

from bot.engine.hub import HUGGING_FACE, MAX_WAIT_S, CutError, HubFile, check_endpoint, check_names
from bot.engine.memory import shown_size
from bot.engine.model_file import model_parts
from bot.errors import BusyError, InvalidRequestError, RefusedError, StorageError, UnavailableError

ATTEMPTS = 6  # in a row without one new byte
_TIMEOUT = httpx.Timeout(60.0, connect=20.0)
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_NOTE = TypeAdapter(dict[str, str])

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class _Download:
    """One file under way: `part` is open and locked, `target` appears when it is whole."""

    source: HubFile
    target: Path
    part: FileIO
    progress: Progress

    @property
    def path(self) -> Path:
        return part_path(self.target)

    @property
    def note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def size(self) -> int:
        return os.fstat(self.part.fileno()).st_size


def part_path(target: Path) -> Path:
    """Return where an unfinished download of a file is kept."""
    return target.with_name(f"{target.name}.part")


async def pull_model(
    repository: str,
    file: str,
    folder: Path,
    *,
    progress: Progress,
    endpoint: str = HUGGING_FACE,
    token: SecretStr | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Path:
    """Download a model file, all parts of a split one, and return where it is.

    What is there already is kept. A cut download goes on where it stopped, also in the next run.

    Args:
        repository: OWNER/NAME.
        file: Path of a .gguf file in it; of a split model the first part.
        folder: Where it goes; made where missing.
        progress: Called with file name, bytes there, and bytes in all (0 where unknown).
        endpoint: Hugging Face or a mirror: https, or http on this machine.
        token: For repositories that need one; sent to the endpoint only.
        transport: Carries the requests; None means the network.
        pause: Waits between attempts.

    Raises:
        InvalidRequestError: If a name is malformed, or another file of this name is there.
        NotFoundError: If there is no such file.
        RefusedError: If a token is needed, a redirect leads elsewhere, or no checksum is given.
        StorageError: If the disk is too small.
        UnavailableError: If the server does not answer, or what came is not what the checksum says.
        BusyError: If another process downloads the same file.
    """
    check_names(repository, file)
    check_endpoint(endpoint)
    inside, _, name = file.rpartition("/")
    names = [part.name for part in model_parts(Path(name))]
    base = f"{endpoint.rstrip('/')}/{repository}/resolve/main/"
    async with httpx.AsyncClient(
        transport=transport, timeout=_TIMEOUT, headers={"Accept-Encoding": "identity"}
    ) as client:
        for one in names:
            source = HubFile(client, base + quote(f"{inside}/{one}" if inside else one), token)
            await _fetch_locked(source, folder / one, progress, pause)
    return folder / names[0]


async def _fetch_locked(
    source: HubFile, target: Path, progress: Progress, pause: Callable[[float], Awaitable[None]]
) -> None:
    try:
        part = await asyncio.to_thread(_open_part, target)
        download = _Download(source, target, part, progress)
        try:
            if await _fetch(download, pause):
                await asyncio.to_thread(_finish, download)
        finally:
            await asyncio.to_thread(_tidy, download)
            part.close()
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        problem = "the disk is full: free some space and run the command again" if full else f"{error.strerror}"
        raise StorageError(f"{target.name} cannot be written to {target.parent}: {problem}.") from error


async def _fetch(download: _Download, pause: Callable[[float], Awaitable[None]]) -> bool:
    """Ask again until all bytes are there; return False when the file was there already."""
    failures = 0
    while True:
        before = download.size
        try:
            return await _attempt(download)
        except (httpx.TransportError, CutError) as error:
            failures = 1 if download.size > before else failures + 1
            if failures >= ATTEMPTS:
                raise UnavailableError(
                    f"{urlsplit(download.source.url).hostname} does not deliver {download.target.name} "
                    f"({str(error) or type(error).__name__}): run the same command again later, it goes on where it "
                    "stopped."
                ) from error
            wait_s = error.wait_s if isinstance(error, CutError) else 0.0
            await pause(max(wait_s, min(MAX_WAIT_S, 2.0 ** (failures - 1))))


async def _attempt(download: _Download) -> bool:
    """Make one attempt; return False when the file was there already."""
    source = download.source
    response = await source.open(source.url, {})
    try:
        if not source.sha256:
            raise RefusedError(
                f"{source.url} comes without a SHA-256 checksum: download and check it yourself, then set "
                "LOCUS_MODEL to it."
            )
        if await asyncio.to_thread(download.target.exists):
            if await asyncio.to_thread(_sha256, download.target) != source.sha256:
                raise InvalidRequestError(
                    f"{download.target} exists already and is another file: delete it to download this one."
                )
            return False
        length = response.headers.get("Content-Length", "")
        source.total = source.total or (int(length) if length.isdigit() else 0)
        have, etag = _resumable(download)
        _check_space(download, have)
        if have == source.total > 0:
            return True
        if have:
            await response.aclose()
            # A weak ETag says nothing about bytes; the checksum at the end does.
            condition = {"If-Range": etag} if etag and not etag.startswith("W/") else {}
            response = await source.open(str(response.url), {"Range": f"bytes={have}-"} | condition)
        await _copy(download, response, _start(download, response, have))
        return True
    finally:
        await response.aclose()


def _resumable(download: _Download) -> tuple[int, str]:
    """Return the bytes that are there of this very file, and the ETag they came with; (0, "") to begin anew."""
    try:
        note = _NOTE.validate_json(download.note.read_bytes())
    except (OSError, ValidationError):
        return 0, ""
    if note.get("sha256") != download.source.sha256 or download.size > download.source.total:
        return 0, ""
    return download.size, note.get("etag", "")


def _start(download: _Download, response: httpx.Response, have: int) -> int:
    """Return where the body starts; what is there is thrown away where the server begins anew."""
    if response.status_code == 206:
        place = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if place is None or int(place[1]) != have:
            download.part.truncate(0)
            raise CutError("it cannot resume")
    elif response.status_code == 200:
        have = 0
        download.part.truncate(0)
        note = {"sha256": download.source.sha256, "etag": response.headers.get("ETag", "")}
        download.note.write_bytes(_NOTE.dump_json(note))
    else:
        download.part.truncate(0)
        raise CutError(f"HTTP {response.status_code}")
    download.part.seek(have)
    return have


def _check_space(download: _Download, have: int) -> None:
    free = shutil.disk_usage(download.target.parent).free
    missing = download.source.total - have
    if missing > free:
        raise StorageError(
            f"{download.target.name} needs {shown_size(missing)} more and {shown_size(free)} is free in "
            f"{download.target.parent}: free some space, or set another LOCUS_DATA_DIR."
        )


async def _copy(download: _Download, response: httpx.Response, have: int) -> None:
    total = download.source.total
    download.progress(download.target.name, have, total)
    # Raw pieces as they come: what httpx gathers into larger ones is lost when the connection is cut.
    async for chunk in response.aiter_raw():
        await asyncio.to_thread(_write, download.part, chunk)
        have += len(chunk)
        if 0 < total < have:
            download.part.truncate(0)
            raise CutError("more bytes than announced")
        download.progress(download.target.name, have, total)
    if have < total:
        raise CutError("the connection was cut")


def _finish(download: _Download) -> None:
    """Check the whole file and give it its name."""
    os.fsync(download.part.fileno())
    found = _sha256(download.path)
    if found != download.source.sha256:
        download.part.truncate(0)
        raise UnavailableError(
            f"{download.target.name} arrived damaged (SHA-256 {found[:12]}…, announced "
            f"{download.source.sha256[:12]}…) and was deleted: run the command again."
        )
    download.path.rename(download.target)


def _tidy(download: _Download) -> None:
    """Take away what no later run can use."""
    if download.target.exists() or download.size == 0:
        download.path.unlink(missing_ok=True)
        download.note.unlink(missing_ok=True)


def _open_part(target: Path) -> FileIO:
    """Open and lock the unfinished file, so that two processes do not write it at once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = FileIO(os.open(part_path(target), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+")
    try:
        fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        part.close()
        raise BusyError(f"{target.name} is being downloaded by another process: wait for it.") from error
    return part


def _write(part: FileIO, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[part.write(rest) :]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
