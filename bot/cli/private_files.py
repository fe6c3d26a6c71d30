"""Files that commands write for their user: complete or not there, readable by their owner only."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def private_file(path: Path) -> Iterator[TextIO]:
    """Yield a file to write; it takes the place of `path` at the end, and is gone after an error."""
    part = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}")
    try:
        with open(part, "x", encoding="utf-8", opener=_owner_only) as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
