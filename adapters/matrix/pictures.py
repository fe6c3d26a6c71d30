"""Files of a reply as room content, once they are uploaded: pictures with their size, everything else as a file."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from adapters.matrix.relations import Content
from adapters.matrix.text import harmless, not_a_command
from bot.file_names import safe_name
from bot.plain_text import one_line, shortened
from bot.replies import Attachment

MAX_THUMBNAIL: Final = 500_000  # bytes of a picture that is its own thumbnail
MAX_ALT: Final = 500  # characters of the text that describes a picture

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_MAX_SIDE: Final = 2**31 - 1  # Source: PNG specification, "IHDR Image header"


@dataclass(frozen=True, slots=True)
class Uploaded:
    """Where a file is stored.

    Attributes:
        url: Its mxc address.
        encryption: For an encrypted room `key`, `iv`, `hashes` and `v`, as the specification has them; else empty.
    """

    url: str
    encryption: Mapping[str, JsonValue] | None = None

    def place(self) -> tuple[str, JsonValue]:
        """Return the name and value under which content says where it is; a thumbnail's have `thumbnail_` before."""
        return ("file", {**self.encryption, "url": self.url}) if self.encryption else ("url", self.url)


def png_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels from the header of a PNG file; None for anything else."""
    if len(data) < 33 or not data.startswith(_PNG) or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return (width, height) if 0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE else None


def file_content(file: Attachment, uploaded: Uploaded, *, alt: str = "") -> Content:
    """Return the content that shows a file, without relation.

    A PNG picture is shown in the room, anything else is offered to be saved. A small picture is its own thumbnail, so
    that clients need no other in encrypted rooms, where a homeserver can make none.

    Args:
        file: What was uploaded.
        uploaded: Where it is.
        alt: What a picture shows, in words; for `body`.
    """
    name = safe_name(file.name)
    size = png_size(file.data) if file.media_type == "image/png" else None
    place, where = uploaded.place()
    content: Content = {"filename": name, "body": name, place: where, "m.mentions": {}}
    info: Content = {"mimetype": file.media_type, "size": len(file.data)}
    if size is None:
        return {**content, "msgtype": "m.file", "info": info}
    described = not_a_command(harmless(shortened(one_line(alt), MAX_ALT)))
    info |= {"w": size[0], "h": size[1]}
    if len(file.data) <= MAX_THUMBNAIL:
        info |= {f"thumbnail_{place}": where, "thumbnail_info": dict(info)}
    return {**content, "msgtype": "m.image", "body": described or name, "info": info}
