"""Copies of what was taught, as text, so that an index that is made anew can be taught again without asking people.

Each is a JSON file below `taught/` of the data folder that only the account of Locus can read.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from bot.errors import StorageError
from bot.teaching import Draft, Lesson, Shelf

logger = logging.getLogger(__name__)

FOLDER = "taught"  # in the data folder
_SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class Copy:
    """What was taught, with all that is needed to teach it again."""

    lesson: Lesson
    draft: Draft


_COPY = TypeAdapter(Copy)


class TaughtCopies:
    """The copies of one data folder. Every method is blocking.

    Args:
        folder: Made when the first copy is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, copy: Copy) -> None:
        """Keep a copy in place of an earlier one of that file.

        Raises:
            StorageError: If it cannot be written.
        """
        path = self._path(copy.lesson.shelf, copy.lesson.name)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                try:
                    file.write(_COPY.dump_json(copy))
                    file.flush()
                    os.fsync(file.fileno())
                    os.replace(file.name, path)  # of mode 0600, as temporary files are
                except BaseException:
                    os.unlink(file.name)
                    raise
        except OSError as error:
            raise StorageError(
                f"The copy of a taught file cannot be written below {self._folder} ({error.strerror}): check the disk."
            ) from error

    def remove(self, shelf: Shelf, name: str) -> None:
        """Delete the copy of a file; none is no error.

        Raises:
            StorageError: If it cannot be deleted.
        """
        try:
            self._path(shelf, name).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"The copy of a taught file cannot be deleted below {self._folder} ({error.strerror}): do it by hand."
            ) from error

    def all(self) -> Iterator[Copy]:
        """Yield every copy that can be read, by channel; others are named in the log."""
        for path in sorted(self._folder.glob(f"*/*{_SUFFIX}")):
            try:
                yield _COPY.validate_json(path.read_bytes())
            except (OSError, ValidationError) as error:
                logger.error("the copy of a taught file %s cannot be read (%s)", path, type(error).__name__)

    def _path(self, shelf: Shelf, name: str) -> Path:
        # The name of a file comes from strangers: its digest stands in the path instead.
        digest = hashlib.sha256(name.encode()).hexdigest()[:32]
        channel = hashlib.sha256(shelf.channel_id.encode()).hexdigest()[:32]
        return self._folder / channel / f"{digest}{_SUFFIX}"
