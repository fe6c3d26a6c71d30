"""The append-only file of the private Redis, read at one moment while the server may be writing.

Redis 6.2 keeps one file, which grows at its end; a rewrite replaces it by renaming another one onto it. Redis 7 and
Valkey keep a list of files: at most one of them grows, the last; a rewrite replaces the list by renaming, then deletes
files. So files that are open, and belong to one list, hold the state up to one moment however long they are read: what
follows only adds to the last. A command or transaction that was half written at that moment is cut off by the server
at its start (`aof-load-truncated`).

Source: Redis documentation, "Persistence", sections "Log rewriting" and "Backing up AOF data"; src/aof.c of Redis 7.2.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from bot.errors import StorageError

SINGLE = "appendonly.aof"
FOLDER = "appendonlydir"
ATTEMPTS = 50  # a rewrite changes the list twice, minutes apart
_HISTORY = "h"  # kind of a file that is about to be deleted


@contextmanager
def opened_append_only(folder: Path) -> Iterator[dict[str, IO[bytes]]]:
    """Yield the files that hold the state, by path in `folder`, in the order in which they must be read.

    Args:
        folder: The private server's.

    Raises:
        StorageError: If the list names files that are not there.
    """
    with ExitStack() as stack:
        for _ in range(ATTEMPTS):
            attempt = stack.enter_context(ExitStack())
            files = _open_once(folder, attempt)
            if files is not None:
                yield files
                return
            attempt.close()
        raise StorageError(
            f"The files in {folder / FOLDER} are not those that their list names: start Locus once, which tells what "
            "is wrong, then try again."
        )


def _open_once(folder: Path, stack: ExitStack) -> dict[str, IO[bytes]] | None:
    """Open what belongs together; None where it changed meanwhile."""
    lists = sorted((folder / FOLDER).glob("*.manifest"))
    if not lists:
        if (folder / FOLDER).exists():
            return None if any((folder / FOLDER).iterdir()) else {}
        try:
            return {SINGLE: stack.enter_context((folder / SINGLE).open("rb"))}
        except FileNotFoundError:
            return None if (folder / FOLDER).exists() else {}
    try:
        before = lists[0].read_bytes()
        lines = [line for line in before.splitlines() if line.strip() and _kind(line) != _HISTORY]
        files = {
            f"{FOLDER}/{name}": stack.enter_context((folder / FOLDER / name).open("rb")) for name in map(_name, lines)
        }
        if lists[0].read_bytes() != before:
            return None
    except FileNotFoundError:
        return None
    listing = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack is the manager
    listing.write(b"".join(line + b"\n" for line in lines))
    listing.flush()
    listing.seek(0)
    return {**files, f"{FOLDER}/{lists[0].name}": listing}


def _name(line: bytes) -> str:
    """Return the file's name of a line such as `file appendonly.aof.1.base.rdb seq 1 type b`."""
    words = line.decode("ascii", errors="replace").split()
    name = words[words.index("file") + 1] if "file" in words[:-1] else ""
    if not name or "/" in name or name.startswith((".", '"')):
        raise StorageError(f"The list of the private Redis names a file {name!r}, which Locus never makes.")
    return name


def _kind(line: bytes) -> str:
    words = line.decode("ascii", errors="replace").split()
    return words[words.index("type") + 1] if "type" in words[:-1] else ""
