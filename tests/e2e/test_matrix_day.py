"""The day in Matrix that the documentation quotes, in small: a real Synapse, encrypted rooms, real processes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.matrix_day import play
from tests.matrix_server.synapse import MISSING, SYNAPSE_PYTHON

PAGE = Path(__file__).resolve().parents[2] / "docs" / "a-day-in-matrix.md"


@pytest.mark.skipif(not SYNAPSE_PYTHON.exists(), reason=MISSING)
async def test_a_day_in_matrix_can_be_played() -> None:
    """Logged in by a command and invited; a question, a vote, and an answer that survives `kill -9`."""
    told: list[str] = []
    await play(told.append, short=True)
    transcript = "\n".join(told)
    scenes = re.findall(r"--- (.+) ---", transcript)
    killed = transcript.partition("kill -9")[2]

    assert 5 == len(scenes)
    assert [] == [scene for scene in scenes if scene not in PAGE.read_text(encoding="utf-8")]
    assert "Thank you, noted." in transcript
    assert (1, 2) == (killed.count("Sources"), transcript.count("Sources"))
