"""What the chats' process and the model's process say to each other: JSON in frames over a local socket.

JSON and not pickle, because a frame from the process that reads untrusted files must never be code.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Final

from pydantic import TypeAdapter

from bot import errors
from bot.errors import BotError, UnavailableError
from bot.generation import Finished, GenerationEvent, GenerationRequest, Restarted, Text, Thought, Waiting

HEAD = struct.Struct("<I")
MAX_FRAME_BYTES: Final = 64 * 1024 * 1024

Frame = dict[str, object]
_REQUEST = TypeAdapter(GenerationRequest)
_EVENTS: dict[str, TypeAdapter[GenerationEvent]] = {
    kind.__name__: TypeAdapter(kind) for kind in (Waiting, Text, Thought, Restarted, Finished)
}


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame, its length in front."""
    data = json.dumps(frame, ensure_ascii=True, separators=(",", ":")).encode()
    return HEAD.pack(len(data)) + data


def decode(data: bytes) -> Frame:
    """Return the frame of the bytes after the length.

    Raises:
        UnavailableError: If they are none.
    """
    try:
        frame = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UnavailableError("The model's process sent something that cannot be read.") from error
    if not isinstance(frame, dict):
        raise UnavailableError("The model's process sent something that cannot be read.")
    return frame


def pack_request(request: GenerationRequest) -> object:
    """Return a request as JSON values."""
    return _REQUEST.dump_python(request, mode="json")


def unpack_request(value: object) -> GenerationRequest:
    """Return the request of JSON values."""
    return _REQUEST.validate_python(value)


def pack_event(event: GenerationEvent | BotError) -> list[object]:
    """Return an event, or the error that ends a generation, as JSON values."""
    if isinstance(event, BotError):
        return [type(event).__name__, str(event)]
    if isinstance(event, Text | Thought):  # nearly all events
        return [type(event).__name__, event.text]
    name = type(event).__name__
    return [name, _EVENTS[name].dump_python(event, mode="json")]


def unpack_event(value: Sequence[object]) -> GenerationEvent | BotError:
    """Return the event or error of JSON values."""
    name, content = str(value[0]), value[1]
    if name == "Text":
        return Text(str(content))
    if name == "Thought":
        return Thought(str(content))
    if name in _EVENTS:
        return _EVENTS[name].validate_python(content)
    kind = getattr(errors, name, UnavailableError)
    if not (isinstance(kind, type) and issubclass(kind, BotError)):
        kind = UnavailableError
    return kind(str(content))
