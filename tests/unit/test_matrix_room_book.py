"""What Locus remembers of rooms over a restart."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from adapters.matrix.room_book import MOST_INVITATIONS, MOST_WAITING, Invitation, RoomBook, Waiting
from bot.errors import StorageError


async def reopened(path: Path) -> RoomBook:
    """The book as the next process reads it."""
    book = RoomBook(path)
    await book.load()
    return book


async def test_a_channel_goes_on_from_room_to_room(tmp_path: Path) -> None:
    """However often it is upgraded, it is known by its first room; a room that was never upgraded by its own id."""
    book = RoomBook(tmp_path / "rooms.json")
    book.move("!one", "!two")
    book.move("!two", "!three")
    await book.save()
    again = await reopened(tmp_path / "rooms.json")

    assert ("!one", "!three") == (again.channel("!three"), again.room("!one"))
    assert ("!other", "!other") == (again.channel("!other"), again.room("!other"))


async def test_what_is_not_done_yet_survives(tmp_path: Path) -> None:
    """Invitations, greetings, rooms to come and messages that cannot be read; readable by nobody else."""
    path = tmp_path / "rooms.json"
    book = RoomBook(path)
    book.invited("!a", Invitation("@ada:hs", direct=True))
    book.greet["!b"] = "@ben:hs"
    book.expect("!old", "!new")
    book.wait_for(Waiting("!c", "$1", "@ada:hs", "$1", 17, "session"))
    told = book.tell_once("key", "!c", "@ada:hs")
    await book.save()
    again = await reopened(path)

    assert {"!a": Invitation("@ada:hs", direct=True)} == again.invitations
    assert {"!b": "@ben:hs"} == again.greet
    assert {"!new": "!old"} == again.expected
    assert [Waiting("!c", "$1", "@ada:hs", "$1", 17, "session")] == list(again.waiting.values())
    assert (True, False) == (told, again.tell_once("key", "!c", "@ada:hs"))
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


async def test_its_lists_are_bounded(tmp_path: Path) -> None:
    """A storm of invitations, or of messages that nobody can read, does not fill the disk."""
    book = RoomBook(tmp_path / "rooms.json")
    taken = [book.invited(f"!{number}", Invitation("@ada:hs")) for number in range(MOST_INVITATIONS + 1)]
    for number in range(MOST_WAITING + 1):
        book.wait_for(Waiting("!c", f"${number}", "@ada:hs", "", number))

    assert [True] * MOST_INVITATIONS + [False] == taken
    assert "$0" not in book.waiting
    assert MOST_WAITING == len(book.waiting)


async def test_a_damaged_book_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """It says what to do."""
    (tmp_path / "rooms.json").write_text('{"channels": 7}')

    with pytest.raises(StorageError, match="restore it from a backup, or delete it"):
        await RoomBook(tmp_path / "rooms.json").load()
