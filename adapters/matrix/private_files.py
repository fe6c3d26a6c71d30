"""Files of the Matrix session: complete or not there, readable by their owner only."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from bot.errors import StorageError


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner may enter, and return it."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path: Path, content: Mapping[str, object], *, durable: bool = True) -> None:
    """Replace a JSON file as a whole.

    Args:
        path: The file; a reader sees the old content or the new one.
        content: What it holds.
        durable: Whether it must survive a power cut from now on; a killed process loses nothing either way.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(part, "x", encoding="utf-8", opener=_owner_only) as file:
            json.dump(dict(content), file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_private(path: Path) -> dict[str, object] | None:
    """Return what a JSON file holds, or None when it is not there.

    Raises:
        StorageError: If it is damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise StorageError(f"{path} is damaged: restore it from a backup, or run `locus matrix login --new-device`.")
    return content


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
