"""Backup and restore as an operator runs them: the command, real documents, a real private Redis that runs or not."""

from __future__ import annotations

import asyncio
import fcntl
import gzip
import io
import json
import os
import shutil
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.settings import Settings
from bot.store.opening import open_store
from tests.documents import LAB, write_documents
from tests.e2e.test_command_line import locus

QUESTION = "Which mice were crossed to make the BXD strains?"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with an index in `data/`, an answer's card, and what other parts leave there."""
    root = tmp_path_factory.mktemp("lab")
    write_documents(root / "documents", LAB)
    done = locus("ingest", "documents", "--data-dir", "data", cwd=root)
    assert done.returncode == 0, done.stderr
    session = root / "data" / "matrix"
    session.mkdir(mode=0o700)
    (session / "session.json").write_text('{"version": 1}')
    (session / "lock").write_text("")
    (root / "data" / "models" / "weights.gguf").write_bytes(b"GGUF" * 1000)
    asyncio.run(_store_something(root / "data"))
    return root


async def _store_something(data: Path) -> None:
    async with open_store(Settings(data_dir=data)) as store:
        for number in range(200):
            await store.call("RPUSH", store.key("conversation", "before"), str(number))


async def _stored(data: Path, name: str) -> list[str]:
    async with open_store(Settings(data_dir=data), exclusive=False) as store:
        found = await store.call("LRANGE", store.key("conversation", name), 0, -1)
    assert isinstance(found, list)
    return [str(one) for one in found]


def _asked(root: Path, data: str) -> dict[str, object]:
    done = locus("ask", QUESTION, "--json", "--data-dir", data, cwd=root)
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return {name: answer[name] for name in ("answer", "citations", "confidence", "answered")}


async def test_a_restored_folder_gives_the_same_answer_and_state(lab: Path, tmp_path: Path) -> None:
    """Index, cards, conversations and the Matrix session are there again; models are pulled again instead."""
    before = _asked(lab, "data")
    cards = sorted(path.name for path in (lab / "data" / "answers").iterdir())
    made = locus("backup", str(tmp_path / "lab.backup"), "--data-dir", "data", cwd=lab)
    back = locus("restore", str(tmp_path / "lab.backup"), "--data-dir", str(tmp_path / "new"), cwd=tmp_path)

    assert (0, 0) == (made.returncode, back.returncode), made.stderr + back.stderr
    assert before == _asked(tmp_path, "new")
    assert [str(number) for number in range(200)] == await _stored(tmp_path / "new", "before")
    assert set(cards) <= {path.name for path in (tmp_path / "new" / "answers").iterdir()}
    assert '{"version": 1}' == (tmp_path / "new" / "matrix" / "session.json").read_text()
    assert not (tmp_path / "new" / "matrix" / "lock").exists()
    assert not (tmp_path / "new" / "models" / "weights.gguf").exists()
    assert "locus matrix login --new-device" in back.stdout


def test_a_backup_is_for_its_owner_only(lab: Path, tmp_path: Path) -> None:
    """It holds tokens and questions: nobody else may read it, nor what is restored from it."""
    locus("backup", str(tmp_path / "lab.backup"), "--data-dir", "data", cwd=lab)
    locus("restore", str(tmp_path / "lab.backup"), "--data-dir", "new", cwd=tmp_path)

    assert 0o600 == stat.S_IMODE((tmp_path / "lab.backup").stat().st_mode)
    assert 0o700 == stat.S_IMODE((tmp_path / "new").stat().st_mode)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert {0o600} == modes
    assert ["lab.backup", "new"] == sorted(path.name for path in tmp_path.iterdir() if path.name != "share")


async def test_a_backup_is_taken_while_locus_runs_and_writes(lab: Path, tmp_path: Path) -> None:
    """What was stored before the backup began is in it, and of what is stored meanwhile a beginning without gaps."""
    data = tmp_path / "data"
    shutil.copytree(lab / "data", data)
    async with open_store(Settings(data_dir=data)) as store:
        stop = asyncio.Event()

        async def write() -> None:
            number = 0
            while not stop.is_set():
                await store.transaction(
                    ("RPUSH", store.key("conversation", "left"), number),
                    ("RPUSH", store.key("conversation", "right"), number),
                )
                number += 1

        writing = asyncio.create_task(write())
        made = await asyncio.to_thread(
            locus, "backup", str(tmp_path / "lab.backup"), "--data-dir", "data", cwd=tmp_path
        )
        refused = await asyncio.to_thread(
            locus, "restore", str(tmp_path / "lab.backup"), "--data-dir", "data", cwd=tmp_path
        )
        stop.set()
        await writing
    back = locus("restore", str(tmp_path / "lab.backup"), "--data-dir", "new", cwd=tmp_path)

    assert (0, 8, 0) == (made.returncode, refused.returncode, back.returncode), made.stderr + back.stderr
    assert "A Locus runs on" in refused.stderr
    left, right = await _stored(tmp_path / "new", "left"), await _stored(tmp_path / "new", "right")
    assert left == right
    assert left
    assert [str(number) for number in range(len(left))] == left
    assert 200 == len(await _stored(tmp_path / "new", "before"))


def test_nothing_is_restored_over_a_folder_with_something_in_it(lab: Path, tmp_path: Path) -> None:
    """The sentence names the folder; what is in it stays as it was."""
    locus("backup", str(tmp_path / "lab.backup"), "--data-dir", "data", cwd=lab)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "note").write_text("mine")
    done = locus("restore", str(tmp_path / "lab.backup"), "--data-dir", "used", cwd=tmp_path)

    assert 8 == done.returncode
    assert f"{tmp_path / 'used'} is not empty (note is in it)" in done.stderr
    assert ["note"] == [path.name for path in (tmp_path / "used").iterdir()]


def test_what_a_killed_restore_left_is_no_obstacle(lab: Path, tmp_path: Path) -> None:
    """Its half-filled folder goes, and the restore is made from the beginning."""
    locus("backup", str(tmp_path / "lab.backup"), "--data-dir", "data", cwd=lab)
    (tmp_path / "new" / ".restore-1234" / "index").mkdir(parents=True)
    done = locus("restore", str(tmp_path / "lab.backup"), "--data-dir", "new", cwd=tmp_path)

    assert 0 == done.returncode, done.stderr
    assert not list((tmp_path / "new").glob(".restore-*"))


def test_no_backup_is_taken_while_documents_are_written(lab: Path, tmp_path: Path) -> None:
    """Half an ingest is no state to come back to: the command says to wait, and leaves no file."""
    with (lab / "data" / "index" / "ingest.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = locus("backup", str(tmp_path / "lab.backup"), "--data-dir", "data", cwd=lab)

    assert 7 == done.returncode
    assert [] == [path.name for path in tmp_path.iterdir() if path.name != "share"]


def _cut(archive: bytes) -> bytes:
    return archive[: len(archive) // 2]


def _bit_turned(archive: bytes) -> bytes:
    plain = bytearray(gzip.decompress(archive))
    with tarfile.open(fileobj=io.BytesIO(bytes(plain))) as tar:
        member = next(one for one in tar if one.name.endswith("catalogue.sqlite"))
    plain[member.offset_data + 5000] ^= 1
    return gzip.compress(bytes(plain), 1)


def _without_list(archive: bytes) -> bytes:
    return _packed([(member, data) for member, data in _members(archive) if member.name != "backup.json"])


def _with_file_outside(archive: bytes) -> bytes:
    return _packed([(tarfile.TarInfo("data/../../outside"), b""), *_members(archive)])


def _with_link(archive: bytes) -> bytes:
    link = tarfile.TarInfo("data/index/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return _packed([(link, b""), *_members(archive)])


def _with_another_file(archive: bytes) -> bytes:
    return _packed([(tarfile.TarInfo("data/extra"), b""), *_members(archive)])


def _members(archive: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return [(one, data.read() if (data := tar.extractfile(one)) else b"") for one in tar]


def _packed(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as tar:
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


@pytest.fixture(scope="module")
def archive(lab: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A good backup."""
    file = tmp_path_factory.mktemp("backup") / "lab.backup"
    done = locus("backup", str(file), "--data-dir", "data", cwd=lab)
    assert done.returncode == 0, done.stderr
    return file.read_bytes()


@pytest.mark.parametrize(
    "damage",
    [_cut, _bit_turned, _without_list, _with_file_outside, _with_link, _with_another_file, lambda _: b"something"],
)
def test_a_damaged_backup_restores_nothing(archive: bytes, damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Cut off, changed or made up: it is refused as a whole, with a sentence."""
    (tmp_path / "bad.backup").write_bytes(damage(archive))
    checked = locus("restore", "--check", "bad.backup", cwd=tmp_path)
    done = locus("restore", "bad.backup", "--data-dir", "new", cwd=tmp_path)

    assert (5, 5) == (checked.returncode, done.returncode), done.stderr
    assert "bad.backup" in done.stderr
    assert "Internal error" not in done.stderr
    assert [] == list((tmp_path / "new").iterdir())
    assert not (tmp_path / "outside").exists()


def test_a_good_backup_is_found_whole(archive: bytes, tmp_path: Path) -> None:
    """`--check` reads all of it and restores nothing."""
    (tmp_path / "lab.backup").write_bytes(archive)
    done = locus("restore", "--check", "lab.backup", "--data-dir", "new", cwd=tmp_path)

    assert 0 == done.returncode, done.stderr
    assert "lab.backup is whole" in done.stdout
    assert not (tmp_path / "new").exists()


def test_what_stands_in_servers_is_named(lab: Path, tmp_path: Path) -> None:
    """The state of a Redis and the vectors of a Chroma server are not in the file, and both commands say so."""
    urls = {"LOCUS_REDIS_URL": "redis://127.0.0.1:1", "LOCUS_CHROMA_URL": "http://127.0.0.1:2"}
    made = locus("backup", str(tmp_path / "lab.backup"), "--data-dir", "data", cwd=lab, **urls)
    back = locus("restore", "lab.backup", "--data-dir", "new", cwd=tmp_path)

    for done in (made, back):
        assert 0 == done.returncode, done.stderr
        assert "the state in Redis (LOCUS_REDIS_URL)" in done.stdout
        assert "the vectors in Chroma (LOCUS_CHROMA_URL)" in done.stdout


def test_a_backup_does_not_go_into_the_folder_it_is_of(lab: Path) -> None:
    """Each would hold the one before."""
    done = locus("backup", "data/lab.backup", "--data-dir", "data", cwd=lab)

    assert 8 == done.returncode
    assert not os.path.exists(lab / "data" / "lab.backup")
