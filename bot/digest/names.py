"""Kinds of schedules that digests have, next to `bot.digest.subscriptions.JOB`."""

from __future__ import annotations

LOOK = "digest-look"  # looks at GeneNetwork from time to time, and mends what a dead process left half done
FIRST = "digest-first"  # a schedule of the kind LOOK, at once: somebody has subscribed where nobody was
RUN = "digest-run"  # looks and posts now, as the operator asked for it
