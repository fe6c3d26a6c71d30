"""Slack's limits on the number of calls, kept by all messages of this process together.

Finished texts wait for their turn in order of arrival. Drafts never wait: one that would use what is kept for finished
texts, or the turn of another message, is simply not shown, since the next holds all of its text. Where other processes
use the same app, Slack's 429 is what tells; it closes the window for as long as Slack says.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Final

from adapters.slack.errors import LIMITED, RATE_PAUSE_S
from adapters.slack.limits_windows import Rate, Window
from bot.errors import UnavailableError

# Calls a minute that Slack grants to one app in one workspace, by tier of its page on rate limits; per method.
TIER_2: Final = 20
TIER_3: Final = 50
TIER_4: Final = 100

# Of tier 3, for the methods that many long answers at once use up: Slack counts its minutes by its own clock, and 429
# would hold up finished texts for longer than the calls left unused do.
UNHURRIED: Final = 45

# "About one message a second in a channel", and "several hundred a minute" in all channels together: the least that
# several hundred can mean.
CHANNEL: Final = Rate(1, span_s=1.1)  # a tenth more, since two calls do not take the same time on their way
WORKSPACE: Final = Rate(200, kept=50)
OTHER: Final = Rate(TIER_2)  # methods whose limit is not known here

RATES: Final[Mapping[str, Rate]] = {
    "chat.update": Rate(UNHURRIED, kept=12, shows_finals=True),
    "chat.delete": Rate(TIER_3),
    "chat.postEphemeral": Rate(TIER_4),
    "chat.startStream": Rate(TIER_2, kept=2),
    "chat.appendStream": Rate(TIER_4, kept=10),
    "chat.stopStream": Rate(TIER_2),
    "conversations.replies": Rate(UNHURRIED),
    "conversations.history": Rate(TIER_3),
    "conversations.info": Rate(TIER_3),
    "conversations.members": Rate(TIER_4),
    "conversations.open": Rate(TIER_3),
    "users.conversations": Rate(TIER_3),
    "users.info": Rate(TIER_4),
    "usergroups.users.list": Rate(TIER_2),
    "reactions.add": Rate(TIER_3),
    "views.open": Rate(TIER_4),
    "views.update": Rate(TIER_4),
    "views.publish": Rate(TIER_4),
    "files.getUploadURLExternal": Rate(TIER_4),
    "files.completeUploadExternal": Rate(TIER_4),
    "files.info": Rate(TIER_4),
    "assistant.threads.setStatus": Rate(TIER_3, kept=5),  # "special" in Slack's table, without a number
    "assistant.threads.setSuggestedPrompts": Rate(TIER_4),
    "assistant.threads.setTitle": Rate(TIER_4),
    "agents.sessions.setStatus": Rate(TIER_3),
}
POST: Final = "chat.postMessage"

ACTIVE_S: Final = 10.0  # a message that has shown no draft for so long takes no share of them
SHARE: Final = 0.9  # of its fair pause, after which a message may show its next draft
LONGEST_WAIT_S: Final = 120.0
SHORTEST_SLEEP_S: Final = 0.001  # a shorter one may not move a clock at all
LINE_PAUSE_S: Final = 0.5  # after which it is looked again whether others still wait for a method
MOST_CHANNELS: Final = 500  # windows of channels that are remembered before those that are idle are dropped


class Limits:
    """Says when a call may be made.

    Args:
        clock: Seconds that only grow.
        sleep: Waits that many seconds of `clock`.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._methods: dict[str, Window] = {}
        self._channels: dict[str, Window] = {}
        self._asked: dict[str, dict[str, float]] = {}
        self._served: dict[str, dict[str, float]] = {}

    def now(self) -> float:
        """Return the time of the clock."""
        return self._clock()

    async def turn(self, method: str, *, channel: str = "", longest_s: float = LONGEST_WAIT_S) -> None:
        """Wait until a call of `method` may be made, and count it.

        Args:
            method: As Slack names it.
            channel: Where it posts; counts for posting only.
            longest_s: Longest time to wait, seconds.

        Raises:
            UnavailableError: If its turn would come later than that.
        """
        windows = self._windows(method, channel)
        until = self._clock() + longest_s
        async with AsyncExitStack() as lines:
            # Always the channel before the workspace, so that no two calls wait for each other; and with the
            # workspace's line only while the channel is free, so that one channel holds up no other.
            for window in windows:
                await self._open(window, until)
                await lines.enter_async_context(window.line)
                if self._clock() > until:
                    raise UnavailableError(LIMITED, retry_after_s=window.rate.span_s)
            while not all([await self._open(window, until) for window in windows]):
                pass
            now = self._clock()
            for window in windows:
                window.take(now)

    def draft(self, method: str, *, message: str = "", channel: str = "") -> bool:
        """Count a call that need not be made and return True, or False when it is to be left out.

        Args:
            method: As Slack names it.
            message: Whose draft it is. The drafts of all messages are spread evenly over time, and each message has
                the same share of them. "" is for what is done once: it may be made whenever there is room.
            channel: Where it posts.
        """
        now = self._clock()
        windows = self._windows(method, channel)
        if message:
            self._ask(method, message, now)
        writing = len({one for asked in self._asked.values() for one in asked})
        if message and self._next_draft_at(method, message, windows[-1], writing) > now:
            return False
        if any(one.line.locked() or one.free_at(kept=one.rate.kept_for(writing)) > now for one in windows):
            return False
        if message:
            self._served[method][message] = windows[-1].last_draft = now
        for window in windows:
            window.take(now)
        return True

    async def spare(self, method: str) -> None:
        """Wait until a call that nobody waits for may be made, and count it; half of all calls are left to others."""
        (window,) = self._windows(method, "")
        while True:
            pause_s = window.free_at(kept=window.rate.calls // 2) - self._clock()
            if pause_s <= 0 and not window.line.locked():
                window.take(self._clock())
                return
            await self._sleep(max(pause_s, LINE_PAUSE_S))

    async def pause(self, seconds: float) -> None:
        """Wait so many seconds of the clock."""
        await self._sleep(seconds)

    def over(self, message: str) -> None:
        """Forget a message: it shows no drafts any more, and the others get its share."""
        for method in self._asked:
            self._asked[method].pop(message, None)
            self._served[method].pop(message, None)

    def limited(self, method: str, *, channel: str = "", retry_after_s: float | None = None) -> None:
        """Slack has answered 429: no such call before the time it names."""
        until = self._clock() + (RATE_PAUSE_S if retry_after_s is None else retry_after_s)
        # A 429 to a post does not say which of the limits it was; the narrower one is by far the likelier.
        self._windows(method, channel)[0].close(until)

    def wait_s(self, method: str, *, channel: str = "") -> float:
        """Return the seconds until a call could be made if nobody else waited."""
        return max(0.0, *(window.free_at() - self._clock() for window in self._windows(method, channel)))

    def _ask(self, method: str, message: str, now: float) -> None:
        """Note that a message wants to show a draft, and forget those that have not wanted to for a while."""
        self._served.setdefault(method, {})
        self._asked.setdefault(method, {})[message] = now
        for name, asked in self._asked.items():
            for one in [one for one, at in asked.items() if at < now - ACTIVE_S]:
                del asked[one]
                self._served[name].pop(one, None)

    def _next_draft_at(self, method: str, message: str, window: Window, writing: int) -> float:
        """Return from when on a message may show its next draft."""
        spacing_s = window.rate.draft_spacing_s(writing) * SHARE
        own = self._served[method].get(message, float("-inf")) + len(self._asked[method]) * spacing_s
        return max(own, window.last_draft + spacing_s)

    async def _open(self, window: Window, until: float) -> bool:
        """Wait until a window is free; True when it was so at once."""
        at_once = True
        while (pause_s := window.free_at() - self._clock()) > 0:
            at_once = False
            if self._clock() + pause_s > until:
                raise UnavailableError(LIMITED, retry_after_s=pause_s)
            await self._sleep(max(pause_s, SHORTEST_SLEEP_S))
        return at_once

    def _windows(self, method: str, channel: str) -> list[Window]:
        """Return the windows of a call, the narrowest first."""
        rate = WORKSPACE if method == POST else RATES.get(method, OTHER)
        whole = self._methods.setdefault(method, Window(rate))
        if method != POST:
            return [whole]
        if len(self._channels) >= MOST_CHANNELS and channel not in self._channels:
            now = self._clock()
            self._channels = {name: window for name, window in self._channels.items() if not window.idle(now)}
        return [self._channels.setdefault(channel, Window(CHANNEL)), whole]
