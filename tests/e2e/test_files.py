"""Teaching in a terminal as a person does it, and `locus files` beside it; all in processes of their own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.e2e.test_command_line import LOCUS, locus
from tests.e2e.test_run_terminal import environment, folder, index

__all__ = ["folder", "index"]  # fixtures

QUESTION = "With how much zebrafinch buffer are mice perfused?"
TIMEOUT_S = 200


def chat(folder: Path, *lines: str) -> str:
    """Return what `locus run` says to these lines of a pipe."""
    done = subprocess.run(
        [str(LOCUS), "run", "--data-dir", "data"],
        cwd=folder,
        env=environment(),
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return " ".join(done.stdout.split())


def test_a_file_is_taught_listed_and_forgotten(folder: Path) -> None:
    """The terminal teaches it and answers from it, also in its next run; the operator lists and withdraws it."""
    (folder / "perfusion.md").write_text("# Perfusion\n\nMice are perfused with 20 ml of chilled zebrafinch buffer.\n")
    taught = chat(folder, "learn perfusion.md", "keep", QUESTION)
    listed = locus("files", "list", "--json", "--data-dir", "data", cwd=folder)
    (file,) = json.loads(listed.stdout)["files"]
    table = locus("files", "list", "--data-dir", "data", cwd=folder)
    unsure = locus("files", "forget", file["channel_id"], "perfusion.md", "--data-dir", "data", cwd=folder)
    again = chat(folder, QUESTION)
    forgotten = locus("files", "forget", file["channel_id"], file["name"], "--yes", "--data-dir", "data", cwd=folder)
    unknown = locus("files", "forget", file["channel_id"], file["name"], "--yes", "--data-dir", "data", cwd=folder)
    after = chat(folder, QUESTION)
    restored = locus("files", "restore", "--data-dir", "data", cwd=folder)

    assert "`perfusion.md`: Perfusion, 1 passage." in taught
    assert "20 ml of chilled zebrafinch buffer. [1]" in taught
    assert ("perfusion.md", "Perfusion", 1) == (file["name"], file["title"], file["passages"])
    assert "perfusion.md" in table.stdout
    assert (2, True) == (unsure.returncode, "--yes" in unsure.stderr)
    assert "20 ml of chilled zebrafinch buffer. [1]" in again
    assert (0, 4) == (forgotten.returncode, unknown.returncode)
    assert "20 ml" not in after
    assert "0 files were taught again." in restored.stdout
