"""Earlier versions of this repository, to be upgraded from: found by what they did not have yet."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from tests.first_day.report import SkippedError

ROOT = Path(__file__).parents[2]
PACKAGES = ("bot", "adapters", "knowledge")
BEFORE_SLACK = "adapters/slack/adapter.py"  # the core, with the terminal as its only chat
BEFORE_PIP = "requirements/base.txt"  # the version before the one that can be installed with pip alone: digests, backup


def commit_before(path: str) -> str:
    """Return the commit before the one that added a file; the last commit where it is not committed yet.

    Raises:
        SkippedError: If the history is not here, as in an archive or a shallow clone.
    """
    added = _git("log", "--diff-filter=A", "--format=%H", "--", path).split()
    commit = f"{added[-1]}^" if added else "HEAD"
    return _git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}").strip()


def unpack_version(commit: str, folder: Path) -> Path:
    """Write the code of a commit into a folder, and return it."""
    packed = subprocess.run(["git", "archive", commit, *PACKAGES], cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def described(commit: str) -> str:
    """Return a commit as people know it."""
    return _git("log", "-1", "--format=%h of %cs (%s)", commit).strip()


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SkippedError("the history of the repository is not here")
    return done.stdout
