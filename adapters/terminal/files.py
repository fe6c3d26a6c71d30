"""Files that a person names in the terminal: `learn PATH`."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Sequence
from pathlib import Path

from bot.errors import InvalidRequestError, NotFoundError
from bot.messages import FileReference
from bot.teaching_texts import file_too_large, no_such_path

LEARN = "learn this"  # what the core is told in place of the paths
_LINE = re.compile(r"[/!]?learn\s+(\S.*)", re.IGNORECASE | re.DOTALL)
_PATHS = ("/", "~", "./", "../")  # how a path begins that cannot be a question


def named_files(line: str) -> list[FileReference]:
    """Return the files that a line names; none for a line that is a question, such as "learn about mapping". Blocking.

    Raises:
        NotFoundError: If it names a path that leads to no file.
    """
    match = _LINE.fullmatch(line.strip())
    if match is None:
        return []
    whole = match.group(1).strip()
    try:
        words = shlex.split(whole)
    except ValueError:  # a quotation mark that is not closed
        words = [whole]
    for paths in (words, [whole]):
        if paths and all(_is_file(path) for path in paths):
            return [_reference(path) for path in paths]
    lost = next((word for word in words if word.startswith(_PATHS) and not _is_file(word)), None)
    if lost is not None:
        raise NotFoundError(no_such_path(lost))
    return []


def learn_line(files: Sequence[FileReference]) -> str:
    """Return a line that names the same files in whatever folder it is read."""
    return " ".join(("learn", *(shlex.quote(file.file_id) for file in files)))


def read_file(file: FileReference, max_bytes: int) -> bytes:
    """Return a regular file's bytes; never waits for a pipe or device. Blocking.

    Raises:
        NotFoundError: If it is gone, no file, or may not be read.
        InvalidRequestError: If it is larger than `max_bytes`.
    """
    try:
        descriptor = os.open(file.file_id, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise NotFoundError(no_such_path(file.file_id))
            data = stream.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise NotFoundError(no_such_path(file.file_id)) from error
    if len(data) > max_bytes:
        raise InvalidRequestError(file_too_large(file.name, max_bytes / (1 << 20)))
    return data


def _is_file(path: str) -> bool:
    try:
        return Path(path).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL inside, a user without home
        return False


def _reference(path: str) -> FileReference:
    found = Path(path).expanduser().absolute()
    return FileReference(str(found), found.name, found.stat().st_size)
