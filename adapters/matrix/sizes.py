"""How much room content takes in an event, encrypted or not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

MAX_EVENT: Final = 65_536  # bytes of an event as canonical JSON. Source: specification, "Size limits"
ENVELOPE: Final = (
    4_000  # bytes for what servers add: hashes, signatures, up to 20 events before it and 10 that allow it
)

_MEGOLM: Final = (
    16 + 32 + 8 + 64
)  # padding to whole AES blocks, header, MAC, signature. Source: Megolm, "Message format"
_FIELDS: Final = 700  # bytes beside the ciphertext: its type, room and device within, keys and ids around


def plain_size(content: Mapping[str, JsonValue]) -> int:
    """Return the bytes of content as canonical JSON, which is UTF-8."""
    return len(json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode())


def encrypted_size(content: Mapping[str, JsonValue]) -> int:
    """Return the most bytes that content takes encrypted.

    matrix-nio encrypts ASCII: every letter that is none takes six bytes, or twelve. The relation stands in clear again.
    """
    inside = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    relation = content.get("m.relates_to")
    clear = plain_size(relation) if isinstance(relation, dict) else 0
    return (len(inside) + _MEGOLM + _FIELDS) * 4 // 3 + clear + _FIELDS


def fits(content: Mapping[str, JsonValue]) -> bool:
    """True where an event with this content is taken in every room."""
    return max(plain_size(content), encrypted_size(content)) + ENVELOPE <= MAX_EVENT


def text_size(text: str) -> int:
    """Return the bytes of a text within JSON that is ASCII."""
    return len(json.dumps(text, ensure_ascii=True)) - 2
