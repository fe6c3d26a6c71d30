"""The file .env as the guide writes it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.env_file import EnvFile
from bot.errors import InvalidRequestError, SettingsError

ROOT = Path(__file__).parents[2]
TEXTS = st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40)


@given(values=st.dictionaries(st.sampled_from(["LOCUS_A", "LOCUS_B", "LOCUS_C"]), TEXTS), again=TEXTS)
def test_what_is_written_is_read_again(
    values: dict[str, str], again: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever characters it holds, by the reader that the settings use; writing twice is as writing once."""
    file = EnvFile(tmp_path_factory.mktemp("env") / ".env")
    kept = {name: value for name, value in values.items() if "${" not in value}
    file.set(kept)
    file.set({"LOCUS_A": again if "${" not in again else ""})
    expected = {name: value for name, value in {**kept, "LOCUS_A": again if "${" not in again else ""}.items() if value}

    assert expected == file.values()


def test_what_is_there_stays(tmp_path: Path) -> None:
    """Comments, order, other lines, quotes of several lines; a changed line stays where it was."""
    path = tmp_path / ".env"
    path.write_text("# mine\nLOCUS_TOP_K=3 # few\nexport OTHER='a\nLOCUS_TOP_K=9\nb'\nLOCUS_MODEL_SEED=7\n")
    EnvFile(path).set({"LOCUS_MODEL_SEED": "8", "LOCUS_CONTACT": "a lab", "LOCUS_TOP_K": "4"})

    assert "# mine\nLOCUS_TOP_K=4\nexport OTHER='a\nLOCUS_TOP_K=9\nb'\nLOCUS_MODEL_SEED=8\nLOCUS_CONTACT='a lab'\n" == (
        path.read_text()
    )


def test_a_line_given_twice_is_given_once_afterwards(tmp_path: Path) -> None:
    """The last one had counted."""
    path = tmp_path / ".env"
    path.write_text("LOCUS_TOP_K=3\nLOCUS_TOP_K=4\n")
    EnvFile(path).set({"LOCUS_TOP_K": "5"})

    assert "LOCUS_TOP_K=5\n" == path.read_text()


def test_a_setting_is_removed_by_none(tmp_path: Path) -> None:
    """And one that is not there is no reason to write."""
    path = tmp_path / ".env"
    EnvFile(path).set({"LOCUS_TOP_K": None})
    missing = path.exists()
    path.write_text("LOCUS_TOP_K=3\n# end\n")
    EnvFile(path).set({"LOCUS_TOP_K": None})

    assert (False, "# end\n") == (missing, path.read_text())


def test_a_copied_example_is_filled_in(tmp_path: Path) -> None:
    """A value stands behind the comment that explains it."""
    path = tmp_path / ".env"
    path.write_text((ROOT / ".env.example").read_text())
    EnvFile(path).set({"LOCUS_TOP_K": "5"})
    lines = path.read_text().splitlines()

    assert "# LOCUS_TOP_K=8" == lines[lines.index("LOCUS_TOP_K=5") - 1]


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    """A new file, one that others could read, and what a link points to."""
    new, loose, link = tmp_path / "new", tmp_path / "loose", tmp_path / "link"
    loose.write_text("LOCUS_TOP_K=3\n")
    loose.chmod(0o644)
    target = tmp_path / "target"
    target.write_text("")
    link.symlink_to(target)
    before = os.umask(0)
    try:
        EnvFile(new).set({"LOCUS_TOP_K": "5"})
        EnvFile(loose).set({"LOCUS_TOP_K": "3"})
        EnvFile(link).set({"LOCUS_TOP_K": "5"})
    finally:
        os.umask(before)

    assert [0o600] * 3 == [stat.S_IMODE(path.stat().st_mode) for path in (new, loose, target)]
    assert link.is_symlink()
    assert {"LOCUS_TOP_K": "5"} == dict(dotenv_values(target))
    assert ["link", "loose", "new", "target"] == sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize("value", ["a\nLOCUS_ADMINISTRATORS=slack//U1", "a\0b", "a\u2028b", "pass${HOME}", "\ud800"])
def test_a_value_that_would_be_read_as_another_is_refused(value: str, tmp_path: Path) -> None:
    """And nothing is written."""
    with pytest.raises(InvalidRequestError, match="LOCUS_CONTACT cannot hold"):
        EnvFile(tmp_path / ".env").set({"LOCUS_CONTACT": value})

    assert not (tmp_path / ".env").exists()


def test_a_file_that_is_no_text_is_left_alone(tmp_path: Path) -> None:
    """With a sentence that says so."""
    (tmp_path / ".env").write_bytes(b"\xff\xfe")

    with pytest.raises(SettingsError, match="save it as UTF-8"):
        EnvFile(tmp_path / ".env").set({"LOCUS_TOP_K": "5"})
