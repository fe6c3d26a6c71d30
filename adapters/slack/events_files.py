"""The files of a message, as Slack tells of them: those that it keeps itself, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bot.plain_text import one_line

MOST_FILES: Final = 20  # of one message; people can drop ten at a time
MOST_CHARS: Final = 255  # of a name; no file system has longer ones

_ID = re.compile(r"F\w{1,40}", re.ASCII)
_MOST_BLOCKS = 500  # of which a message is looked through
# Kept by Slack and to be had as they are. Others are links to elsewhere, canvases, or what is left of a deleted file.
_KEPT = frozenset(("hosted", "snippet"))
_ONLY_ID = frozenset(("", "file_access"))  # Slack wants to be asked, as in channels that are shared with others

Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A file that came with a message.

    Attributes:
        file_id: Slack's id.
        name: As its sender calls it, or "".
        size_bytes: 0 where Slack does not say.
        media_type: As in MIME, or "".
        told: False where Slack tells only the id: files.info tells the rest, also whether it is a file of Slack's.
    """

    file_id: str
    name: str = ""
    size_bytes: int = 0
    media_type: str = ""
    told: bool = False


def read_files(message: Fields) -> tuple[SharedFile, ...]:
    """Return the files of a message in order; what is malformed or none of Slack's own is left out."""
    listed = message.get("files")
    if isinstance(listed, list):
        files = [file for one in listed if isinstance(one, dict) and (file := read_file(one)) is not None]
    else:
        # An `app_mention` may come without the list, before the `message` that has it; the blocks name the files.
        blocks = message.get("blocks")
        files = [SharedFile(name) for name in _in_blocks(blocks)] if isinstance(blocks, list) else []
    return tuple({file.file_id: file for file in files}.values())[:MOST_FILES]


def read_file(file: Fields) -> SharedFile | None:
    """Return a file as an event or files.info describes it; None where it is not to be had from Slack."""
    file_id, access, mode = _text(file, "id"), _text(file, "file_access"), _text(file, "mode")
    if not _ID.fullmatch(file_id) or file.get("is_external") is True:
        return None
    if access == "check_file_info" or (mode in _ONLY_ID and access in ("", "visible")):
        return SharedFile(file_id)
    if mode not in _KEPT or access not in ("", "visible"):
        return None
    size = file.get("size")
    name = one_line(_text(file, "name") or _text(file, "title"))[:MOST_CHARS]
    known = size if isinstance(size, int) and size > 0 else 0
    return SharedFile(file_id, name or file_id, known, one_line(_text(file, "mimetype"))[:MOST_CHARS], told=True)


def _in_blocks(blocks: list[object]) -> Iterator[str]:
    waiting: list[object] = list(reversed(blocks))
    for _ in range(_MOST_BLOCKS):
        if not waiting:
            return
        block = waiting.pop()
        if not isinstance(block, dict):
            continue
        file_id = _text(block, "file_id") or _text(block, "id")
        if block.get("type") == "file" and _ID.fullmatch(file_id):
            yield file_id
        elements = block.get("elements")
        if isinstance(elements, list):
            waiting += reversed(elements)


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
