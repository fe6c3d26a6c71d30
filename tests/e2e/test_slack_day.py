"""The day in Slack that the documentation quotes, in small: real processes all around."""

from __future__ import annotations

import re
from pathlib import Path

from tests.slack_day import play

PAGE = Path(__file__).resolve().parents[2] / "docs" / "a-day-in-slack.md"


async def test_a_day_in_slack_can_be_played() -> None:
    """A question, a vote with a comment, and an answer that survives `kill -9` of `locus run`."""
    told: list[str] = []
    await play(told.append, short=True)
    transcript = "\n".join(told)
    scenes = re.findall(r"--- (.+) ---", transcript)
    killed = transcript.partition("kill -9")[2]

    assert 3 == len(scenes)
    assert [] == [scene for scene in scenes if scene not in PAGE.read_text(encoding="utf-8")]
    assert "Thank you, noted." in transcript
    assert (1, 2) == (killed.count("[Ask again]"), transcript.count("[Ask again]"))
