"""`locus ask` with GeneNetwork's data: a process of its own against a local GeneNetwork in another."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_command_line import locus


@pytest.fixture(scope="module")
def genenetwork() -> Iterator[str]:
    """The address of a local GeneNetwork."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.gn_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.wait(timeout=30)


def ask(folder: Path, genenetwork: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Ask in a folder without an index and without a model."""
    return locus(
        "ask",
        *arguments,
        "--data-dir",
        "data",
        cwd=folder,
        LOCUS_GENENETWORK_URL=genenetwork,
        LOCUS_GENENETWORK_GN3_URL=f"{genenetwork}/api3",
        LOCUS_GENENETWORK_PAUSE_S="0",
    )


def test_map_prints_a_cited_answer_and_where_the_picture_is(tmp_path: Path, genenetwork: str) -> None:
    """The figures have sources, the picture is a file that only its owner reads, and its words are printed."""
    done = ask(tmp_path, genenetwork, "map BXD_10001")
    path = re.findall(r"^Picture: (.+)$", done.stdout, re.MULTILINE)[0]

    assert (0, "") == (done.returncode, done.stderr)
    assert re.search(r"it peaks at\s+\S+,\s+Chr\s+8:", done.stdout)
    assert f"{genenetwork}/show_trait?trait_id=10001&dataset=BXDPublish" in done.stdout
    assert "Genome scan of BXD_10001" in done.stdout
    assert (tmp_path / path).read_bytes().startswith(b"\x89PNG")
    assert 0o600 == (tmp_path / path).stat().st_mode & 0o777


def test_json_names_the_files(tmp_path: Path, genenetwork: str) -> None:
    """Programs get the paths, kinds and words of all files."""
    done = ask(tmp_path, genenetwork, "values of BXD_10001 as csv", "--json")
    answer = json.loads(done.stdout)

    assert ("live", True) == (answer["mode"], answer["answered"])
    assert ["image/png", "text/csv"] == [file["media_type"] for file in answer["files"]]
    assert answer["files"][0]["alt"].startswith("Bar chart of BXD_10001")
    assert all((tmp_path / file["path"]).is_file() for file in answer["files"])


def test_what_is_not_public_is_one_sentence(tmp_path: Path, genenetwork: str) -> None:
    """A confidential dataset is not there."""
    done = ask(tmp_path, genenetwork, "what is SECRET_BXD_Ret_0819?")

    assert 0 == done.returncode
    assert "no public dataset 'SECRET_BXD_Ret_0819'" in done.stdout
