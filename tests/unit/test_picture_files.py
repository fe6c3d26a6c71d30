"""Pictures of answers as files, and inside terminals."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from bot.attachments import Attachment
from bot.errors import StorageError
from bot.picture_files import inline_picture, keep_files, told

PICTURE = Attachment("BXD_10001_map.png", "image/png", b"\x89PNG" + bytes(5000), "A genome scan.")
TABLE = Attachment("../../values.csv", "text/csv", b"a,b\n")


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    """Each file stands in the folder itself, readable by nobody else, and never takes the place of another."""
    folder = tmp_path / "pictures"
    first = keep_files(folder, [PICTURE, TABLE])
    second = keep_files(folder, [PICTURE])

    assert [folder / "BXD_10001_map.png", folder / "values.csv", folder / "BXD_10001_map-2.png"] == [*first, *second]
    assert {0o600} == {path.stat().st_mode & 0o777 for path in [*first, *second]}
    assert 0o700 == folder.stat().st_mode & 0o777
    assert PICTURE.data == first[0].read_bytes()


def test_the_oldest_files_go(tmp_path: Path) -> None:
    """Of more files than are kept the oldest are dropped, not those just written."""
    for number in range(5):
        (written,) = keep_files(tmp_path, [Attachment(f"{number}.png", "image/png", b"x", "a")], kept=3)
        os.utime(written, (number, number))

    assert ["2.png", "3.png", "4.png"] == sorted(path.name for path in tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    """The error names the folder."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError, match="could not be written"):
        keep_files(tmp_path / "file" / "pictures", [PICTURE])


def test_what_is_said_of_a_file() -> None:
    """A picture is described, another file is named."""
    assert "Picture: p.png\nA genome scan." == told(PICTURE, Path("p.png"))
    assert "File: v.csv" == told(TABLE, Path("v.csv"))


def test_terminals_that_can_show_pictures_get_them() -> None:
    """Kitty gets pieces of 4,096 characters, iTerm2 one sequence; both hold the whole picture."""
    kitty = inline_picture(PICTURE.data, {"TERM": "xterm-kitty"})
    pieces = [part.split(";", 1) for part in kitty.removeprefix("\x1b_G").removesuffix("\x1b\\").split("\x1b\\\x1b_G")]
    iterm = inline_picture(PICTURE.data, {"TERM_PROGRAM": "iTerm.app"})

    assert PICTURE.data == base64.b64decode("".join(piece for _, piece in pieces))
    assert ["a=T,f=100,q=2,m=1", "m=0"] == [control for control, _ in pieces]
    assert PICTURE.data == base64.b64decode(iterm.partition(":")[2].removesuffix("\x07"))
    assert iterm.startswith("\x1b]1337;File=inline=1;size=5004;")


@pytest.mark.parametrize(
    "environment", [{}, {"TERM": "xterm-256color"}, {"TERM": "xterm-kitty", "TMUX": "1"}, {"TERM": "screen-256color"}]
)
def test_other_terminals_get_none(environment: dict[str, str]) -> None:
    """Where it is not certain that the terminal shows it, no picture is sent."""
    assert "" == inline_picture(PICTURE.data, environment)
