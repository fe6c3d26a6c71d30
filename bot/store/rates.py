"""How often a person or a channel may ask: sliding windows over the times of their questions.

Times are whole milliseconds of the clock that is given. Times that lie in its future do not count: they were written
before the clock was set back, and would else keep somebody out for as long as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.messages import IncomingMessage
from bot.store.client import Command, Reply
from bot.store.keys import Keys
from bot.texts import too_many_questions


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Questions within a window; 0 is no limit.

    Attributes:
        person: Of one person.
        channel: Of all people of one channel together.
        window_s: Length of the window, in seconds.
    """

    person: int = 0
    channel: int = 0
    window_s: float = 60.0


class Rates:
    """Counts questions in windows; what it reads and writes belongs into the transaction that accepts."""

    def __init__(self, keys: Keys, limits: RateLimits) -> None:
        self._keys = keys
        self._limits = limits

    def reads(self, messages: Sequence[IncomingMessage], now: float) -> list[Command]:
        """Return the commands that read the windows of everybody who wrote: after their begin, up to now."""
        end = _ms(now)
        begin = end - _ms(self._limits.window_s)
        return [("ZRANGEBYSCORE", key, f"({begin}", end, "WITHSCORES") for key, _ in self._windows(messages)]

    def counts(self, replies: Sequence[Reply], messages: Sequence[IncomingMessage]) -> Counts:
        """Return the windows as read."""
        windows: dict[str, list[int]] = {}
        for (key, _), reply in zip(self._windows(messages), replies, strict=True):
            values = reply if isinstance(reply, list) else []
            windows[key] = [int(float(str(score))) for score in values[1::2]]
        return Counts(self, windows, self._limits.window_s)

    def of(self, message: IncomingMessage) -> list[tuple[str, int]]:
        """Return the windows that a message counts in, each with its limit."""
        sender, place = message.sender, message.place
        windows = (
            (self._keys.rate("person", sender.person_id), self._limits.person),
            (self._keys.rate("channel", place.channel_id), self._limits.channel),
        )
        return [(key, limit) for key, limit in windows if limit]

    def _windows(self, messages: Sequence[IncomingMessage]) -> list[tuple[str, int]]:
        return list(dict(window for message in messages for window in self.of(message)).items())


class Counts:
    """Windows as they stood, and as the messages of this transaction change them."""

    def __init__(self, rates: Rates, windows: dict[str, list[int]], window_s: float) -> None:
        self._rates = rates
        self._windows = windows
        self._window_s = window_s

    def refusal(self, message: IncomingMessage, now: float) -> str:
        """Return the sentence that says when to try again, or "" where there is room."""
        wait_ms = 0
        for key, limit in self._rates.of(message):
            times = self._windows[key]
            if len(times) >= limit:
                wait_ms = max(wait_ms, times[len(times) - limit] + _ms(self._window_s) - _ms(now))
        return too_many_questions(wait_ms / 1000) if wait_ms > 0 else ""

    def writes(self, message: IncomingMessage, now: float) -> list[Command]:
        """Count a message, also one that is refused: it does not make the wait longer, see `refusal`."""
        if self.refusal(message, now):
            return []
        commands: list[Command] = []
        lifetime = _ms(self._window_s)
        for key, _ in self._rates.of(message):
            self._windows[key].append(_ms(now))
            commands += [
                ("ZADD", key, _ms(now), message.request_id),
                ("ZREMRANGEBYSCORE", key, "-inf", _ms(now) - lifetime),
                ("PEXPIRE", key, lifetime),
            ]
        return commands


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
