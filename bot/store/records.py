"""Values in Redis: JSON objects with a version, checked when they are read; nothing that is loaded is executed."""

from __future__ import annotations

import json
import logging
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from bot.errors import StorageError

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Record(Generic[T]):
    """How one kind of value is written and read.

    Args:
        kind: The value's type, a frozen dataclass of plain values.
        version: Written with each value; raised when older programs could not read it.
    """

    def __init__(self, kind: type[T], version: int = 1) -> None:
        self._adapter = TypeAdapter(kind)
        self._name = kind.__name__
        self._version = version

    def dump(self, value: T) -> str:
        """Return the JSON text."""
        body = self._adapter.dump_json(value).decode()
        return f'{{"v":{self._version},{body[1:]}' if body != "{}" else f'{{"v":{self._version}}}'

    def load(self, text: str) -> T:
        """Return the value.

        Raises:
            StorageError: If it is damaged or was written by a newer version of Locus.
        """
        try:
            fields = json.loads(text)
            version = fields.pop("v")
            if version > self._version:
                raise StorageError(
                    f"A {self._name} in Redis was written by a newer version of Locus: run that version, or upgrade."
                )
            # Strictness of JSON, where a tuple is a list and an enum its value; text is no number, nor is infinity.
            return self._adapter.validate_json(json.dumps(fields, allow_nan=False), strict=True)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ValidationError) as error:
            raise StorageError(f"A {self._name} in Redis is damaged and was left out.") from error

    def find(self, text: str | None) -> T | None:
        """Return the value, or None where there is none or it cannot be read; the latter is logged."""
        if not text:
            return None
        try:
            return self.load(text)
        except StorageError as error:
            logger.error("%s", error)
            return None
