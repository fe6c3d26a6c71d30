"""Until when somebody listened to a chat, and from when on its messages still have to be looked at."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bot.store.client import Command, Watch, number, text
from bot.store.inbox import Inbox
from bot.store.keys import KeyKind
from bot.store.leader import Leader, LostLeadershipError
from bot.store.records import Record

# Slack delivers for the last time six minutes and three acknowledgements of three seconds after the message. A question
# whose deliveries met one dying process after the other is that much older than the death of the last.
MARGIN_S: Final = 600.0
GAP_S: Final = 60.0  # many times what lies between two notes of one process
LEASE_S: Final = 15.0  # after which another process looks on for one that died

UNHEARD_KEYS = (
    KeyKind(
        "heard:*",
        "string",
        "for good",
        "one per chat, some 100 bytes",
        "until when somebody listened, and from when on messages still have to be looked for",
    ),
)


@dataclass(frozen=True, slots=True)
class Heard:
    """How well a chat was listened to; times are seconds since 1970.

    Attributes:
        until: When somebody listened last.
        owed: From when on messages have to be looked for; None where nothing was missed.
        taken: From when on somebody looks, or has looked without coming to an end.
    """

    until: float
    owed: float | None = None
    taken: float | None = None


HEARD = Record(Heard)


class UnheardTimes:
    """Implements `bot.unheard.Unheard`.

    Args:
        inbox: Where messages are accepted; what it has forgotten is not looked at, since it would be answered twice.
        chat: Name of the chat.
        holder: Name of this process; unique over all processes and starts.
        span_s: How old a message may be that is still answered, in seconds.
        lease_s: How long it counts as looking after `take` or `go_on`.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        inbox: Inbox,
        chat: str,
        holder: str,
        *,
        span_s: float,
        lease_s: float = LEASE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = inbox.store
        self._inbox = inbox
        self._key = inbox.store.key("heard", chat)
        self._leader = Leader(inbox.store, f"unheard-{chat}", holder, lease_s=lease_s)
        self._span_s = min(span_s, inbox.limits.duplicates_h * 3600.0 - MARGIN_S)
        self._clock = clock

    async def listening(self, *, anew: bool) -> None:
        async def body(watch: Watch) -> None:
            known, now = await self._read(watch), self._clock()
            heard = Heard(now)
            if known is not None:
                missed = anew or now - known.until > GAP_S
                # A clock that was set back says that somebody will have listened: that is not believed.
                since = min(known.until, now) - MARGIN_S
                heard = dataclasses.replace(known, until=now, owed=_earlier(known.owed, since if missed else None))
            await watch.commit(self._write(heard))

        await self._store.attempt(body, self._key)

    async def take(self) -> float | None:
        known = HEARD.find(text(await self._store.call("GET", self._key)))
        if known is None or _earlier(known.owed, known.taken) is None or not await self._leader.acquire():
            return None

        async def body(watch: Watch) -> float | None:
            heard = await self._read(watch)
            since = _earlier(heard.owed, heard.taken) if heard is not None else None
            if heard is None or since is None:
                await watch.commit()
                return None
            await watch.commit(self._write(Heard(heard.until, None, since)))
            return since

        try:
            since = await self._leader.attempt(body, self._key)
        except LostLeadershipError:
            return None
        if since is None:
            await self._leader.resign()
            return None
        return max(since, self.oldest())

    async def go_on(self) -> bool:
        return await self._leader.renew()

    async def done(self) -> None:
        async def body(watch: Watch) -> None:
            heard = await self._read(watch)
            await watch.commit(*([] if heard is None else [self._write(dataclasses.replace(heard, taken=None))]))

        try:
            await self._leader.attempt(body, self._key)
        except LostLeadershipError:
            return  # another one looks as well, and comes to the same
        await self._leader.resign()

    async def leave(self) -> None:
        await self._leader.resign()

    async def crowded(self) -> bool:
        return 2 * number(await self._store.call("XLEN", self._inbox.keys.inbox)) >= self._inbox.limits.queue

    def oldest(self) -> float:
        return self._clock() - self._span_s

    async def _read(self, watch: Watch) -> Heard | None:
        return HEARD.find(text((await watch.read(("GET", self._key)))[0]))

    def _write(self, heard: Heard) -> Command:
        return ("SET", self._key, HEARD.dump(heard))


def _earlier(one: float | None, other: float | None) -> float | None:
    return min((time for time in (one, other) if time is not None), default=None)
