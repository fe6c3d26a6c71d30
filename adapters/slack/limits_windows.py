"""How many calls of one kind may begin within a span of time."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

MARGIN = 1.02  # a span is taken this much longer: calls do not arrive in the rhythm in which they were made
LEAST_DRAFTS = 5  # within a span, however many messages are being written


@dataclass(frozen=True, slots=True)
class Rate:
    """What Slack bears.

    Attributes:
        calls: Calls within the span, > 0.
        span_s: Length of the span, in seconds.
        kept: Calls of these that drafts leave to what has to arrive, 0 <= kept < calls.
        shows_finals: True for the method by which every finished text is shown: drafts leave a call to each message
            that is being written.
    """

    calls: int
    span_s: float = 60.0
    kept: int = 0
    shows_finals: bool = False

    def kept_for(self, messages: int) -> int:
        """Return how many calls drafts leave while so many messages are being written."""
        return min(max(self.kept, messages), self.calls - LEAST_DRAFTS) if self.shows_finals else self.kept

    def draft_spacing_s(self, messages: int) -> float:
        """Return the seconds between two drafts that use up what drafts may use."""
        return self.span_s * MARGIN / (self.calls - self.kept_for(messages))


class Window:
    """A sliding window: in no span of time are there more calls than the rate allows.

    That is stricter than a bucket that fills up at the same rate, and so it holds whichever of the two Slack uses.

    Attributes:
        rate: What is allowed.
        line: Held, in order of arrival, by the one call that waits for its turn.
        last_draft: When a draft was let through last.
    """

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.line = asyncio.Lock()
        self.last_draft = float("-inf")
        self._begun: deque[float] = deque(maxlen=rate.calls)
        self._closed_until = float("-inf")

    def free_at(self, *, kept: int = 0) -> float:
        """Return from when on a call may begin, so that `kept` further ones still could; the past for "now"."""
        calls = self.rate.calls - kept
        begun_at = self._begun[-calls] + self.rate.span_s * MARGIN if len(self._begun) >= calls else float("-inf")
        return max(begun_at, self._closed_until)

    def take(self, now: float) -> None:
        """Count a call that begins now."""
        self._begun.append(now)

    def close(self, until: float) -> None:
        """Let no call begin before `until`."""
        self._closed_until = max(self._closed_until, until)

    def idle(self, now: float) -> bool:
        """True when a new window would behave the same."""
        return not self.line.locked() and self.free_at(kept=self.rate.calls - 1) <= now
