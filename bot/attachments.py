"""A file that belongs to an answer or to a reply."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _from_base64(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(str(value), validate=True)
    except binascii.Error as error:
        raise ValueError("not base 64") from error


Data = Annotated[bytes, PlainSerializer(_to_base64, when_used="json"), PlainValidator(_from_base64)]
"""Bytes that JSON holds in base 64."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that is shown with an answer.

    Attributes:
        name: File name, without a folder.
        media_type: As in MIME, such as "application/json".
        data: The bytes.
        alt: What a picture shows, in words, for those who cannot see it; "" for other files.
        caption: One sentence that stands beside the file, or "".
    """

    name: str
    media_type: str
    data: Data
    alt: str = ""
    caption: str = ""
