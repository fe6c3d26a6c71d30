"""`learn PATH` in the terminal: which lines name files, and how they are fetched."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shlex
from pathlib import Path

import pytest

from adapters.terminal.files import learn_line, named_files, read_file
from bot.commands import find_command
from bot.errors import InvalidRequestError, NotFoundError, UnavailableError
from tests.integration.test_terminal_adapter import FINAL, Open, chat

__all__ = ["chat"]  # a fixture

MADE = b"The pump runs at 4 ml/min."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The working folder, with two files and a folder in it."""
    for name in ("notes.md", "my notes (2).md"):
        (tmp_path / name).write_bytes(MADE)
    (tmp_path / "sub").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("learn notes.md", ["notes.md"]),
        ("/Learn  ./notes.md ", ["notes.md"]),
        ("learn ~/notes.md", ["notes.md"]),
        ("learn my notes (2).md", ["my notes (2).md"]),
        ("learn 'my notes (2).md' notes.md", ["my notes (2).md", "notes.md"]),
        ("learn my\\ notes\\ \\(2\\).md", ["my notes (2).md"]),
        ("learn about mapping", []),
        ("learn notes", []),
        ("learn sub", []),
        ("learn 'notes.md", []),
        ("learning notes.md", []),
        ("What does notes.md say?", []),
        ("learn \x00", []),
    ],
)
def test_a_line_names_files_or_is_a_question(folder: Path, line: str, names: list[str]) -> None:
    """With blanks, quotation marks and the home folder, as shells have it; named anew, they are the same files."""
    files = named_files(line)

    assert names == [file.name for file in files]
    assert all(Path(file.file_id).is_absolute() and file.size_bytes == len(MADE) for file in files)
    assert not files or files == named_files(learn_line(files))


@pytest.mark.parametrize("line", ["learn /no/such.md", "learn ~/other.md", "learn ./sub", "learn ../x.md"])
def test_a_path_that_leads_to_no_file_is_said(folder: Path, line: str) -> None:
    """It is not asked as a question."""
    with pytest.raises(NotFoundError, match="There is no file"):
        named_files(line)


def test_only_regular_files_within_the_limit_are_read(folder: Path) -> None:
    """A pipe does not hold the chat, a larger file is refused before it is read to its end, a lost one is said."""
    (file,) = named_files("learn notes.md")
    os.mkfifo(folder / "pipe")
    pipe = dataclasses.replace(file, file_id=str(folder / "pipe"))
    gone = dataclasses.replace(file, file_id=str(folder / "gone"))

    assert MADE == read_file(file, len(MADE))
    with pytest.raises(InvalidRequestError, match="larger than"):
        read_file(file, len(MADE) - 1)
    for lost in (pipe, gone):
        with pytest.raises(NotFoundError):
            read_file(lost, 100)


async def test_a_typed_path_becomes_a_message_with_the_file(chat: Open, folder: Path) -> None:
    """The core reads "learn this" and fetches the file by its path; a question beside it stays one."""
    bench = chat()
    bench.type("learn notes.md", "learn about BXD", "learn /no/such.md", EOFError())
    taught, asked = await bench.answer(FINAL), await bench.answer(FINAL)
    data = await bench.adapter.fetch(taught.place, taught.files[0], max_bytes=100)
    elsewhere = dataclasses.replace(taught.place, channel="another")
    with pytest.raises(UnavailableError):
        await bench.adapter.fetch(elsewhere, taught.files[0], max_bytes=100)
    await bench.end()
    command = find_command(taught.text)

    assert command is not None
    assert ("learn", MADE) == (command.name, data)
    assert ("learn about BXD", ()) == (asked.text, asked.files)
    assert "There is no file /no/such.md" in " ".join(bench.seen.split())


async def test_a_typed_path_outlives_the_process(chat: Open, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a restart in another folder the same file is meant; one that is gone by then is said to be."""
    first = chat()
    first.type("learn notes.md")
    before = await first.arrived()
    await first.die()
    monkeypatch.chdir(await asyncio.to_thread(lambda: folder / "sub"))
    second = chat()
    after = await second.arrived()
    await second.die()
    await asyncio.to_thread((folder / "notes.md").unlink)
    third = chat()
    third.type(EOFError())
    await third.end()

    assert (before.message_id, before.files) == (after.message_id, after.files)
    assert f"There is no file {shlex.quote(str(folder / 'notes.md'))}" in " ".join(third.seen.split())
