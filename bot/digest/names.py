"""Kinds of schedules that digests have, next to `bot.digest.subscriptions.JOB`."""

from __future__ import annotations

LOOK = "digest-look"  # looks at GeneNetwork from time to time, and mends what a dead process left half done
RUN = "digest-run"  # looks and posts now, as the operator asked for it
