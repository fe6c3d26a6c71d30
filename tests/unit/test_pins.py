"""Pinned hashes: pinned at first use, a changed file refused until confirmed."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from bot.engine.pins import check_pin, confirm_pin, find_pin, pins_path
from bot.errors import SettingsError, StorageError


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    """Where pins are kept in an empty data folder."""
    return pins_path(tmp_path / "data")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file of bytes; pins do not look inside."""
    path = tmp_path / "m.gguf"
    path.write_bytes(b"weights" * 1000)
    return path


def test_the_first_use_pins(model: Path, pins: Path) -> None:
    """The hash is that of the file, is kept, and is private."""
    sha256 = check_pin(model, pins)

    assert hashlib.sha256(model.read_bytes()).hexdigest() == sha256
    assert sha256 == find_pin(model, pins)
    assert 0o600 == stat.S_IMODE(pins.stat().st_mode)
    assert [pins] == list(pins.parent.iterdir())


def test_an_exchanged_file_is_refused_until_confirmed(model: Path, pins: Path) -> None:
    """Same size and same date do not help; the sentence holds both hashes and the command that helps."""
    first = check_pin(model, pins)
    date = model.stat().st_mtime_ns
    model.write_bytes(b"Weights" * 1000)
    os.utime(model, ns=(date, date))
    changed = hashlib.sha256(model.read_bytes()).hexdigest()

    for _ in range(2):
        with pytest.raises(SettingsError, match=f"{changed[:12]}….*{first[:12]}….*locus model confirm {model}"):
            check_pin(model, pins)
    assert first == find_pin(model, pins)
    assert changed == confirm_pin(model, pins)
    assert changed == check_pin(model, pins)


def test_a_link_is_pinned_as_what_it_points_to(model: Path, pins: Path, tmp_path: Path) -> None:
    """Another way to the same file finds the same pin."""
    link = tmp_path / "link.gguf"
    link.symlink_to(model)
    check_pin(link, pins)

    assert find_pin(model, pins) == find_pin(link, pins) is not None


def test_models_are_pinned_beside_each_other(model: Path, pins: Path, tmp_path: Path) -> None:
    """A second model keeps the first one's pin."""
    other = tmp_path / "other.gguf"
    other.write_bytes(b"x")
    first, second = check_pin(model, pins), check_pin(other, pins)

    assert (first, second) == (find_pin(model, pins), find_pin(other, pins))


def test_every_part_of_a_split_model_is_pinned(pins: Path, tmp_path: Path) -> None:
    """A change of a later part is noticed and named."""
    first, second = (tmp_path / f"m-0000{number}-of-00002.gguf" for number in (1, 2))
    first.write_bytes(b"a")
    second.write_bytes(b"b")
    sha256 = check_pin(first, pins)
    second.write_bytes(b"c")

    with pytest.raises(SettingsError, match="m-00002-of-00002.gguf has changed"):
        check_pin(first, pins)
    assert sha256 != confirm_pin(first, pins)


def test_a_missing_file_is_one_sentence(pins: Path, tmp_path: Path) -> None:
    """Nothing is pinned for a file that is not there."""
    with pytest.raises(SettingsError, match=r"none.gguf, which does not exist"):
        check_pin(tmp_path / "none.gguf", pins)
    assert not pins.exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}', '{"a": "short"}'])
def test_damaged_pins_are_refused_and_kept(model: Path, pins: Path, content: str) -> None:
    """A damaged file of pins does not let every model through."""
    pins.parent.mkdir(parents=True)
    pins.write_text(content)

    with pytest.raises(StorageError, match=r"pins.json is damaged.*locus model confirm"):
        check_pin(model, pins)
    assert content == pins.read_text()
