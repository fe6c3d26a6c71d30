"""What this process knows of the messages it has posted or edited."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from adapters.slack.sending_values import Spot
from adapters.slack.streams import Stream

MOST: Final = 2000  # messages that are remembered; of others it is looked up again


@dataclass
class Part:
    """A further message of a long answer.

    Attributes:
        ts: Its time stamp.
        digest: Of what it shows, or "" where that is not known.
    """

    ts: str
    digest: str = ""


@dataclass
class Message:
    """The visible message of a question.

    Attributes:
        spot: Where.
        ts: Its time stamp.
        digest: Of what it shows, or "" where that is not known.
        parts: Further messages by key; None where they have to be looked up.
        stream: While it is being streamed.
        stopped: True once a person has pressed Slack's Stop.
        simple: True once Slack has refused blocks of its drafts.
        waiting: True while a status may stand below its thread.
        lock: Held while something is shown in it.
    """

    spot: Spot
    ts: str
    digest: str = ""
    parts: dict[str, Part] | None = None
    stream: Stream | None = None
    stopped: bool = False
    simple: bool = False
    waiting: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def below(self) -> Spot:
        """Where further messages of the same go: its thread, which it begins itself where it stands in none."""
        return Spot(self.spot.channel, self.spot.thread_ts or self.ts)


class Messages:
    """The messages of this process, the latest used last."""

    def __init__(self) -> None:
        self._messages: OrderedDict[tuple[str, str], Message] = OrderedDict()

    def add(self, message: Message) -> None:
        """Remember a message; the one that was not used for longest is forgotten."""
        self._messages[message.spot.channel, message.ts] = message
        while len(self._messages) > MOST:
            _, oldest = next(iter(self._messages.items()))
            if oldest.lock.locked() or oldest.stream is not None:
                break
            self._messages.popitem(last=False)

    def get(self, spot: Spot, ts: str) -> Message:
        """Return a message; one that is not known here begins as such."""
        key = (spot.channel, ts)
        if key not in self._messages:
            self.add(Message(spot, ts))
        self._messages.move_to_end(key)
        return self._messages[key]

    def drop(self, message: Message) -> None:
        """Forget a message that is gone."""
        self._messages.pop((message.spot.channel, message.ts), None)
