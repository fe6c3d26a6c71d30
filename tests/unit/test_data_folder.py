"""The form of the data folder: known ones are taken, those of newer versions are left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.checks import Level
from bot.cli.options import settings_of
from bot.data_folder import FORM, NOTE, mark_form, read_form, require_known_form
from bot.errors import StorageError
from bot.examination.machine import examine_folder


def _write(folder: Path, text: str) -> None:
    (folder / NOTE).write_text(text)


def test_a_folder_is_marked_once(tmp_path: Path) -> None:
    """The version that wrote it first stays in the note, and nothing else is left there."""
    mark_form(tmp_path / "data")
    _write(tmp_path / "data", json.dumps({"form": FORM, "locus": "0.0.9"}))
    mark_form(tmp_path / "data")

    assert (FORM, "0.0.9") == (read_form(tmp_path / "data").form, read_form(tmp_path / "data").locus)
    assert [NOTE] == [path.name for path in (tmp_path / "data").iterdir()]


def test_a_folder_without_a_note_is_of_the_first_form(tmp_path: Path) -> None:
    """So are those that versions before the note have made, and those that are not there yet."""
    require_known_form(tmp_path)
    require_known_form(tmp_path / "none")

    assert [1, 1] == [read_form(tmp_path).form, read_form(tmp_path / "none").form]


def test_a_newer_form_is_refused_and_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command says which version it needs; only the doctor goes on, with an error."""
    monkeypatch.setenv("LOCUS_DATA_DIR", str(tmp_path))
    text = json.dumps({"form": FORM + 1, "locus": "9.1.0"})
    _write(tmp_path, text)
    (finding,) = examine_folder(tmp_path)

    for refused in (lambda: settings_of(None), lambda: mark_form(tmp_path)):
        with pytest.raises(StorageError, match="written by Locus 9.1.0 in a form that this Locus .* does not know"):
            refused()
    assert text == (tmp_path / NOTE).read_text()
    assert tmp_path == settings_of(None, any_form=True).data_dir
    assert (Level.ERROR, True) == (finding.level, "Going back" in finding.fix)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"form": "1", "locus": ""}', '{"form": 0, "locus": "x"}'])
def test_a_damaged_note_is_one_sentence(text: str, tmp_path: Path) -> None:
    """It is not guessed which form the folder has."""
    _write(tmp_path, text)

    with pytest.raises(StorageError, match="is damaged"):
        require_known_form(tmp_path)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "data").write_text("")

    with pytest.raises(StorageError, match="cannot be written"):
        mark_form(tmp_path / "data")
