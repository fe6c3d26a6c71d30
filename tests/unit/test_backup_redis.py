"""Which files of the private Redis belong together, by what stands in its folder; with small files in their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.cli import backup_redis
from bot.cli.backup_redis import opened_append_only
from bot.errors import StorageError

LIST = b"""file appendonly.aof.7.base.rdb seq 7 type b
file appendonly.aof.6.incr.aof seq 6 type h
file appendonly.aof.7.incr.aof seq 7 type i
"""


def _write(folder: Path, listing: bytes, *names: str) -> None:
    (folder / "appendonlydir").mkdir(exist_ok=True)
    (folder / "appendonlydir" / "appendonly.aof.manifest").write_bytes(listing)
    for name in names:
        (folder / "appendonlydir" / name).write_bytes(name.encode())


def _read(folder: Path) -> dict[str, bytes]:
    with opened_append_only(folder) as files:
        return {name: file.read() for name, file in files.items()}


def test_a_folder_without_state_has_no_files(tmp_path: Path) -> None:
    """A Locus that never ran has nothing to back up there."""
    assert {} == _read(tmp_path)


def test_the_file_of_redis_6_is_taken_alone(tmp_path: Path) -> None:
    """One file holds everything."""
    (tmp_path / "appendonly.aof").write_bytes(b"state")

    assert {"appendonly.aof": b"state"} == _read(tmp_path)


def test_the_files_of_redis_7_are_those_of_its_list(tmp_path: Path) -> None:
    """In the order of the list, without those about to be deleted, as does the copied list."""
    _write(tmp_path, LIST, "appendonly.aof.7.base.rdb", "appendonly.aof.7.incr.aof", "temp-rewriteaof-1.aof")
    read = _read(tmp_path)

    assert ["appendonly.aof.7.base.rdb", "appendonly.aof.7.incr.aof", "appendonly.aof.manifest"] == [
        name.removeprefix("appendonlydir/") for name in read
    ]
    assert [line for line in LIST.splitlines() if b"type h" not in line] == read[
        "appendonlydir/appendonly.aof.manifest"
    ].splitlines()


def test_a_list_that_changes_meanwhile_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rewrite ends while files are opened: those of the new list are taken."""
    _write(tmp_path, LIST, "appendonly.aof.7.base.rdb", "appendonly.aof.7.incr.aof")
    newer = LIST.replace(b".7.base", b".8.base")
    named = backup_redis._name

    def name(line: bytes) -> str:
        if not (tmp_path / "appendonlydir" / "appendonly.aof.8.base.rdb").exists():
            _write(tmp_path, newer, "appendonly.aof.8.base.rdb")
        return named(line)

    monkeypatch.setattr(backup_redis, "_name", name)

    assert "appendonlydir/appendonly.aof.8.base.rdb" in _read(tmp_path)


@pytest.mark.parametrize("listing", [LIST, LIST.replace(b"appendonly.aof.7", b"../password"), b"what is this\n"])
def test_a_list_that_names_other_files_is_refused(tmp_path: Path, listing: bytes) -> None:
    """Files that are gone, elsewhere or nameless: a sentence instead of half a state."""
    _write(tmp_path, listing, "appendonly.aof.7.incr.aof")
    with pytest.raises(StorageError):
        _read(tmp_path)
