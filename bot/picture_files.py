"""Pictures and tables of an answer as files, for terminals; and pictures inside a terminal that can show them."""

from __future__ import annotations

import base64
import contextlib
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.attachments import Attachment
from bot.errors import StorageError
from bot.file_names import safe_name

FOLDER = "pictures"  # in the data folder
KEPT = 200  # files; the oldest go
_CHUNK = 4096  # characters of base 64 in one command of kitty's protocol
_ESCAPE = "\x1b"


def keep_files(folder: Path, attachments: Sequence[Attachment], *, kept: int = KEPT) -> list[Path]:
    """Write an answer's files where only their owner can read them, and drop the oldest of more than `kept`.

    Returns:
        Where each stands; names that are taken get a number.

    Raises:
        StorageError: If they cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = [_write(folder, attachment) for attachment in attachments]
        _drop_oldest(folder, kept)
    except OSError as error:
        raise StorageError(f"A picture could not be written to {folder}: {error.strerror or error}.") from error
    return written


def _write(folder: Path, attachment: Attachment) -> Path:
    name = Path(safe_name(attachment.name))
    for number in itertools.count(1):
        path = folder / (name.name if number == 1 else f"{name.stem}-{number}{name.suffix}")
        with contextlib.suppress(FileExistsError), open(path, "xb", opener=_private) as file:
            file.write(attachment.data)
            return path
    raise AssertionError("unreachable")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _drop_oldest(folder: Path, kept: int) -> None:
    files = sorted((one for one in folder.iterdir() if one.is_file()), key=lambda one: one.stat().st_mtime_ns)
    for path in files[: max(0, len(files) - kept)]:
        path.unlink(missing_ok=True)


def told(attachment: Attachment, path: Path) -> str:
    """Return what is printed of a file: where it is, and of a picture what it shows."""
    return f"Picture: {path}\n{attachment.alt}" if attachment.alt else f"File: {path}"


def inline_picture(png: bytes, environment: Mapping[str, str]) -> str:
    """Return what shows a picture in the terminal itself, or "" where it is not certain that it can.

    Args:
        png: The file.
        environment: The process's variables, by which kitty, Ghostty, WezTerm and iTerm2 tell who they are. In tmux and
            screen nothing is shown: they would have to let it through.

    Source:
        The terminal graphics protocol of kitty (direct transmission, f=100), and iTerm2's inline images protocol.
    """
    terminal, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if environment.get("TMUX") or terminal.startswith(("screen", "tmux")):
        return ""
    data = base64.b64encode(png).decode()
    if terminal in {"xterm-kitty", "xterm-ghostty"}:
        pieces = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
        commands = []
        for place, piece in enumerate(pieces):
            more = int(place < len(pieces) - 1)
            control = f"a=T,f=100,q=2,m={more}" if place == 0 else f"m={more}"
            commands.append(f"{_ESCAPE}_G{control};{piece}{_ESCAPE}\\")
        return "".join(commands)
    if program in {"iTerm.app", "WezTerm"}:
        return f"{_ESCAPE}]1337;File=inline=1;size={len(png)};width=80%:{data}\x07"
    return ""
