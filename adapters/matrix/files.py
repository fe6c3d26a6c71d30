"""Files that people send, and where they are: in clear, or encrypted with a key that came with the message."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from adapters.matrix.fields import Fields, media, record, text, whole_number
from bot.messages import FileReference

MAX_NAME: Final = 255  # characters

_MEDIA_TYPE: Final = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
_KEY: Final = re.compile(r"[\w-]{43}=?", re.ASCII)  # 32 bytes in base64 for addresses
_IV: Final = re.compile(r"[A-Za-z0-9+/]{22}={0,2}")  # 16 bytes in base64
_HASH: Final = re.compile(r"[A-Za-z0-9+/]{43}=?")  # 32 bytes in base64


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Where a file is, and what is needed to read it.

    Attributes:
        url: Its mxc address.
        key: Of AES-CTR, in base64 for addresses; "" where the file is not encrypted, and so for the following.
        iv: First block of the counter, in base64.
        sha256: Of the encrypted file, in base64.
    """

    url: str
    key: str = ""
    iv: str = ""
    sha256: str = ""

    @property
    def encrypted(self) -> bool:
        """True where it has to be decrypted."""
        return bool(self.key)

    def pack(self) -> str:
        """Return it as the `file_id` of a `FileReference`."""
        if not self.encrypted:
            return self.url
        return json.dumps([self.url, self.key, self.iv, self.sha256])

    @classmethod
    def unpack(cls, file_id: str) -> StoredFile | None:
        """Return what `pack` made a `file_id` of; None for any other text."""
        if not file_id.startswith("["):
            return cls(file_id) if media({"url": file_id}) else None
        try:
            parts = json.loads(file_id)
        except (ValueError, RecursionError):
            return None
        if not isinstance(parts, list) or len(parts) != 4 or not all(isinstance(part, str) for part in parts):
            return None
        found = cls(*parts)
        return found if found.encrypted and found._valid() else None

    def _valid(self) -> bool:
        matched = _KEY.fullmatch(self.key) and _IV.fullmatch(self.iv) and _HASH.fullmatch(self.sha256)
        return bool(matched and media({"url": self.url}))


def read_file(content: Fields) -> FileReference | None:
    """Return the file of a message, or None where it says not where that is or how to read it."""
    stored = _stored(content)
    if stored is None:
        return None
    info = record(content, "info")
    media_type = text(info, "mimetype")
    return FileReference(
        stored.pack(),
        (text(content, "filename") or text(content, "body") or "file")[:MAX_NAME],
        whole_number(info, "size"),
        media_type.lower() if _MEDIA_TYPE.fullmatch(media_type) else "",
    )


def caption_of(content: Fields) -> str:
    """Return what was written below a file: its body, where the name stands elsewhere and is another; else ""."""
    body, name = text(content, "body"), text(content, "filename")
    return body if name and body != name else ""


def _stored(content: Fields) -> StoredFile | None:
    file = record(content, "file")
    if not file:
        url = media(content)
        return StoredFile(url) if url else None
    key = record(file, "key")
    stored = StoredFile(media(file), text(key, "k"), text(file, "iv"), text(record(file, "hashes"), "sha256"))
    algorithm = text(key, "alg") in ("A256CTR", "") and text(file, "v") in ("v2", "v1", "")
    return stored if algorithm and stored._valid() else None
