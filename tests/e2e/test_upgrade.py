"""An upgrade over a data folder whose index another version has made, as docs/operating.md says to do it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.documents import LAB, write_documents
from tests.e2e.test_command_line import locus

QUESTION = "Which mice were crossed to make the BXD strains?"


def _make_older(index: Path) -> None:
    """Let the index say that an earlier parser has made it."""
    with closing(sqlite3.connect(index / "catalogue.sqlite")) as catalogue, catalogue:
        (stored,) = catalogue.execute("SELECT value FROM meta WHERE key = 'settings'").fetchone()
        made = json.loads(stored)
        made["parsing"] = "0"
        catalogue.execute("UPDATE meta SET value = ? WHERE key = 'settings'", (json.dumps(made),))


def test_an_index_of_another_version_is_made_anew(tmp_path: Path) -> None:
    """It is refused with the difference; backed up, moved away and ingested again, the answer is there again."""
    write_documents(tmp_path / "lab", LAB)
    environment = {"LOCUS_SOURCES": "lab", "LOCUS_DATA_DIR": "data"}

    def run(*words: str) -> tuple[int, str]:
        done = locus(*words, cwd=tmp_path, **environment)
        return done.returncode, done.stdout + done.stderr

    assert 0 == run("ingest")[0]
    _make_older(tmp_path / "data" / "index")
    code, refused = run("ask", QUESTION)
    kept = run("backup", "before.backup")
    (tmp_path / "data" / "index").rename(tmp_path / "data" / "index.old")
    again, restored, answered = run("ingest"), run("files", "restore"), run("ask", QUESTION)

    assert 9 == code
    assert "parsing: 0 then" in refused
    assert (0, 0, 0) == (kept[0], again[0], restored[0]), kept[1] + again[1] + restored[1]
    assert (0, True) == (answered[0], "C57BL/6J and DBA/2J" in answered[1])
