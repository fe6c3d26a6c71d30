"""Teaching: a file that somebody sends becomes a document of its channel, after they have seen what was read of it."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, Protocol

from bot.messages import Place, Sender
from bot.plain_text import one_line, shortened

MAX_NAME_CHARS = 100  # of a file, its extension included
MAX_TITLE_CHARS = 150
MAX_OPENING_CHARS = 300  # of the first sentences that are shown
MAX_TAUGHT = 200  # files of one channel
_NAME_SIGNS = frozenset(" ._-+(),&=")  # of file names, beside letters, digits and marks
_PLAIN = str.maketrans({"`": "'", "*": "·", "[": "(", "]": ")", "<": "‹", ">": "›", "|": "¦", "\\": "/"})


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the documents stand that were taught in one channel.

    Attributes:
        channel_id: Handle of the channel.
        scope: In which they are found, the channel's own.
    """

    channel_id: str
    scope: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What was read of a file and nobody can find yet.

    Attributes:
        name: The file's, made safe by `safe_name`.
        title: The document's own, or one made from the name; plain text that is shown as it is.
        passages: Into which it is cut, at least 1.
        opening: Its first sentences; plain text that is shown as it is.
        chars: Of its text.
        content: The text, as the teacher packs it; nobody else reads it.
        url: Where the chat shows the file to those who may see it, or "": what citations of it lead to.
    """

    name: str
    title: str
    passages: int
    opening: str
    chars: int
    content: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A file that was taught.

    Attributes:
        shelf: Where it stands.
        name: The file's.
        title: The document's.
        passages: Into which it was cut.
        person_id: Handle of who taught it, or "" where that is not known any more.
        conversation_id: Where they did.
        taught_at: When; seconds since 1970, UTC.
    """

    shelf: Shelf
    name: str
    title: str
    passages: int
    person_id: str
    conversation_id: str
    taught_at: float


class TaughtFiles(Protocol):
    """Tells what was taught."""

    async def lessons(self, shelf: Shelf | None = None) -> Sequence[Lesson]:
        """Return the files on a shelf, or on all shelves, by shelf and name."""
        ...


class Teacher(TaughtFiles, Protocol):
    """Reads files and puts them on shelves."""

    @property
    def max_bytes(self) -> int:
        """Size of the largest file that is read."""
        ...

    async def read(self, data: bytes, name: str) -> Draft:
        """Return what a file holds; nothing is stored.

        Args:
            data: Of a stranger: it is read in a process that can do nothing else, within limits of time and memory.
            name: Made safe before.

        Raises:
            UnreadableError: If no text can be had from it, or more than anybody would teach.
            SettingsError: If its format needs a part that is not installed.
            StorageError: If the disk is full.
        """
        ...

    def teach(
        self, shelf: Shelf, draft: Draft, *, person_id: str, conversation_id: str
    ) -> AsyncGenerator[int | Lesson]:
        """Put a draft on a shelf, in place of a file of that name; everybody who may see the shelf finds it then.

        Yields the number of passages stored so far, 0 as soon as the work begins, and last the lesson. Closing the
        generator ends the work and leaves the shelf as it was. The same again changes nothing.

        Raises:
            BusyError: If another process writes to the index; try again.
            StorageError: If the disk is full or the index is damaged.
            UnavailableError: If a configured Chroma server does not answer.
        """
        ...

    async def withdraw(self, shelf: Shelf, name: str) -> bool:
        """Take a file from a shelf, and with it every cached answer; False if there is none. Raises as `teach`."""
        ...


class TeachingPermissions(Protocol):
    """Who may teach; see docs/access.md."""

    async def allows(self, action: Literal["teach"], place: Place, sender: Sender) -> bool:
        """True when they may there."""
        ...


def safe_name(name: str) -> str:
    """Return a file's name without folders, markup, control characters and whatever else its sender may have put in.

    Letters, digits and the marks of all scripts stay, and so does the extension; "file" where nothing is left.
    """
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    signs = (
        sign if sign in _NAME_SIGNS or unicodedata.category(sign)[0] in "LNM" else "-"
        for sign in unicodedata.normalize("NFC", one_line(last))
    )
    safe = " ".join("".join(signs).split()).strip(" .")
    if len(safe) > MAX_NAME_CHARS:
        suffix = PurePosixPath(safe).suffix[:12]
        safe = safe[: MAX_NAME_CHARS - len(suffix)].rstrip(" .") + suffix
    return safe or "file"


def quotation(text: str, limit: int) -> str:
    """Return text of a stranger as one line that no renderer takes for markup, a citation or a link."""
    return shortened(one_line(text).translate(_PLAIN), limit)
