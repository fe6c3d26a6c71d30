"""Reads fields of JSON that anybody may have written: what is missing or of another type is empty."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

Fields = Mapping[str, object]

_EVENT: Final = re.compile(r"\$[^\s\x00]{1,254}")
_ROOM: Final = re.compile(r"![^\s\x00]{1,254}")
_USER: Final = re.compile(r"@[^\s\x00:]{0,253}:[^\s\x00]{1,253}")
_MXC: Final = re.compile(r"mxc://[A-Za-z0-9.:\[\]-]{1,255}/[A-Za-z0-9_-]{1,255}")
_MAX_ID: Final = 255  # bytes


def record(fields: Fields, name: str) -> Fields:
    """Return an object, or an empty one."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def text(fields: Fields, name: str) -> str:
    """Return a text, or ""."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def whole_number(fields: Fields, name: str) -> int:
    """Return a number from 0 to 2^53, or 0."""
    value = fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 2**53 else 0


def event_id(fields: Fields, name: str = "event_id") -> str:
    """Return the id of an event, or ""."""
    return _matched(_EVENT, text(fields, name))


def room_id(fields: Fields, name: str = "room_id") -> str:
    """Return the id of a room, of any version, or ""."""
    return _matched(_ROOM, text(fields, name))


def user_id(value: object) -> str:
    """Return the id of a user, or ""."""
    return _matched(_USER, value) if isinstance(value, str) else ""


def media(fields: Fields, name: str = "url") -> str:
    """Return where a file is stored, or ""."""
    return _matched(_MXC, text(fields, name))


def _matched(pattern: re.Pattern[str], value: str) -> str:
    if not pattern.fullmatch(value):
        return ""
    try:
        return value if len(value.encode()) <= max(_MAX_ID, 600 if pattern is _MXC else 0) else ""
    except UnicodeEncodeError:  # half a sign: no server could be asked for it
        return ""
