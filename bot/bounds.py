"""Messages within sane bounds, whatever a chat delivers."""

from __future__ import annotations

import dataclasses
import math

from bot.addresses import safe_url
from bot.errors import InvalidRequestError
from bot.messages import FileReference, IncomingMessage
from bot.texts import malformed_message

MAX_ID_CHARS = 300
MAX_NAME_CHARS = 200
MAX_FILES = 10  # of a message
MAX_FILE_ID_CHARS = 2000  # an encrypted file is known by its address and its keys
MAX_TEXT_CHARS = 20_000  # of a message; what is read of a question is less


def checked(message: IncomingMessage) -> IncomingMessage:
    """Return a message within sane bounds: longer texts and names are cut, lone surrogates replaced.

    Raises:
        InvalidRequestError: If an id is missing, too long or no text, or the order is no number.
    """
    place, sender = message.place, message.sender
    ids = {"chat": place.chat, "channel": place.channel, "message": message.message_id, "user": sender.user}
    others = {
        "workspace": place.workspace,
        "thread": place.thread,
        "version": message.version,
        "home": sender.workspace,
    }
    for name, value in {**ids, **others}.items():
        if (name in ids and not value) or len(value) > MAX_ID_CHARS or not _encodable(value):
            raise InvalidRequestError(malformed_message(name))
    if not math.isfinite(message.order):
        raise InvalidRequestError(malformed_message("order"))
    return dataclasses.replace(
        message,
        text=_repaired(message.text[:MAX_TEXT_CHARS]),
        files=tuple(_bounded(file) for file in message.files[:MAX_FILES] if len(file.file_id) <= MAX_FILE_ID_CHARS),
        sender=dataclasses.replace(sender, name=_repaired(sender.name[:MAX_NAME_CHARS])),
    )


def _bounded(file: FileReference) -> FileReference:
    return FileReference(
        _repaired(file.file_id),
        _repaired(file.name[:MAX_NAME_CHARS]),
        max(0, file.size_bytes),
        _repaired(file.media_type[:MAX_NAME_CHARS]),
        safe_url(file.url) or "",
    )


def _repaired(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
