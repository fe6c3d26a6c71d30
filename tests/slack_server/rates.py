"""Slack's limits on the number of calls."""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from dataclasses import dataclass

from tests.slack_server.clock import Clock

# Calls that Slack bears in a minute, by tier of its documentation on rate limits. Tier "special" is a generous one.
PER_MINUTE: dict[str, int] = {"1": 1, "2": 20, "3": 50, "4": 100, "special": 600, "post": 600, "none": 0}


@dataclass
class RateLimits:
    """How strict the limits are.

    Attributes:
        allowance: Factor on every limit; `math.inf` turns them off.
        posts_per_second: Messages a channel bears in a second.
        burst: Messages a channel bears at once after a pause.
        workspace_posts_per_minute: Messages of the app in all channels together.
        leeway_s: Real seconds by which a message may come too early for its channel, as calls do not all take equally
            long, which a fast clock magnifies. It is owed: the messages of a minute stay the same.
    """

    allowance: float = 1.0
    posts_per_second: float = 1.0
    burst: int = 3
    workspace_posts_per_minute: int = 300
    leeway_s: float = 0.02


class Rates:
    """Counts calls and says when one is too many.

    Attributes:
        limited: Number of 429s by method.
        accepted: Number of calls that were let through, by method.
    """

    def __init__(self, clock: Clock, limits: RateLimits) -> None:
        self.limits = limits
        self.limited: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self._clock = clock
        self._windows: dict[str, deque[float]] = defaultdict(deque)
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, method: str, tier: str, channel: str = "") -> int:
        """Count a call and return 0, or the seconds to wait (>= 1) if it is one too many.

        Args:
            method: Whose limit is used; every method has its own.
            tier: A key of `PER_MINUTE`; "post" is limited per channel.
            channel: For "post".
        """
        if math.isinf(self.limits.allowance):
            self.accepted[method] += 1
            return 0
        wait = self._wait(method, PER_MINUTE[tier]) if PER_MINUTE[tier] else 0.0
        if tier == "post":
            wait = max(
                self._wait("post", self.limits.workspace_posts_per_minute), self._bucket_wait(channel, take=False)
            )
        if wait > 0:
            self.limited[method] += 1
            return max(1, math.ceil(wait))
        now = self._clock.now()
        self._windows["post" if tier == "post" else method].append(now)
        if tier == "post":
            self._bucket_wait(channel, take=True)
        self.accepted[method] += 1
        return 0

    def _wait(self, key: str, per_minute: int) -> float:
        """Seconds until a sliding minute has room again."""
        window, now = self._windows[key], self._clock.now()
        while window and window[0] <= now - 60:
            window.popleft()
        room = max(1, int(per_minute * self.limits.allowance))
        return window[len(window) - room] + 60 - now if len(window) >= room else 0.0

    def _bucket_wait(self, channel: str, *, take: bool) -> float:
        """Seconds until a channel bears one more message."""
        now, rate = self._clock.now(), self.limits.posts_per_second * self.limits.allowance
        burst = float(self.limits.burst)
        tokens, since = self._buckets.get(channel, (burst, now))
        tokens = min(burst, tokens + (now - since) * rate)
        if take:
            self._buckets[channel] = (tokens - 1, now)
            return 0.0
        wait = (1 - tokens) / rate
        return wait if wait > self._clock.speed * self.limits.leeway_s else 0.0
