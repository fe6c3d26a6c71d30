"""Tells people who wait where they stand: "2 questions are ahead of yours", and again when that changes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from bot.chat import ChatAdapter
from bot.errors import BotError, UnavailableError
from bot.replies import Reply, Stage
from bot.requests import Kind, Request, State
from bot.store.client import Watch, text, texts
from bot.store.inbox import Inbox
from bot.store.lanes import REQUESTS
from bot.store.leader import Leader
from bot.texts import behind_own_question, queue_position
from bot.visible import HOLD_S, PostLock

logger = logging.getLogger(__name__)

EVERY_S = 1.0
FIRST_AFTER_S = 1.5  # a question that is taken at once gets no notice
AGAIN_AFTER_S = 4.0  # between two notices of one question
MOST = 50  # notices in one round
AT_ONCE = 4
BEHIND_OWN = -1


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """A waiting question and how many are answered before it; `BEHIND_OWN` when the one before it is being answered."""

    request: Request
    ahead: int


class QueueNotices:
    """Shows and updates positions; one process at a time does, whoever leads.

    Args:
        inbox: Where questions wait.
        chat: Returns the adapter that serves a chat.
        leader: Decides which process tells.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        inbox: Inbox,
        chat: Callable[[str], ChatAdapter],
        leader: Leader,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._inbox = inbox
        self._chat = chat
        self._leader = leader
        self._clock = clock
        self._lock = PostLock(inbox.store, inbox.keys, leader.holder)
        self._told: dict[str, tuple[int, float]] = {}

    async def run(self) -> None:
        """Tell until cancelled."""
        try:
            while True:
                try:
                    if await self._leader.acquire():
                        await self.tell()
                except UnavailableError:
                    pass  # the worker reports that Redis is away
                except BotError:
                    logger.exception("people who wait cannot be told where they stand")
                await asyncio.sleep(EVERY_S)
        finally:
            with contextlib.suppress(BotError):
                await self._leader.resign()

    async def tell(self) -> None:
        """Show every position that is new or has changed."""
        now = self._clock()
        waiting = await standings(self._inbox)
        self._told = {
            one.request.request_id: self._told[one.request.request_id]
            for one in waiting
            if one.request.request_id in self._told
        }
        due = [one for one in waiting if self._is_due(one, now)][:MOST]
        places = asyncio.Semaphore(AT_ONCE)

        async def tell_one(one: Standing) -> None:
            async with places:
                await self._tell_one(one, now)

        async with asyncio.TaskGroup() as tasks:
            for one in due:
                tasks.create_task(tell_one(one))

    def _is_due(self, one: Standing, now: float) -> bool:
        if one.request.request_id not in self._told:
            return now - one.request.accepted_at >= FIRST_AFTER_S
        ahead, told_at = self._told[one.request.request_id]
        return ahead != one.ahead and now - told_at >= AGAIN_AFTER_S

    async def _tell_one(self, one: Standing, now: float) -> None:
        request_id = one.request.request_id
        held = False
        try:
            if not await self._is_for_us(one.request):
                return
            held = await self._lock.acquire(request_id)
            if not held:
                return
            async with asyncio.timeout(HOLD_S):
                sentence = behind_own_question() if one.ahead == BEHIND_OWN else queue_position(one.ahead)
                await self._show(request_id, Reply(Stage.WAITING, sentence, reference=request_id))
        except (BotError, TimeoutError) as error:
            logger.info("a position in the queue was not shown: %s", error, extra={"request": request_id})
        finally:
            if held:
                # Where Redis is away the lock ends by itself.
                with contextlib.suppress(BotError):
                    await self._lock.release(request_id)
        self._told[request_id] = (one.ahead, now)

    async def _is_for_us(self, request: Request) -> bool:
        """Return whether a person waits; what the chat says of an uncertain message is stored by who takes it."""
        message = request.message
        if message.certain:
            return True
        async with asyncio.timeout(HOLD_S):
            return await self._chat(message.place.chat).ascertain(message) is not None

    async def _show(self, request_id: str, reply: Reply) -> None:
        """Post or edit the visible message of a request that no worker has; the lock is held."""
        request = await self._change(request_id, posting=True)
        if request is None:
            return
        place, message_id = request.message.place, request.message.message_id
        chat = self._chat(place.chat)
        if request.post_id:
            await chat.edit(place, request.post_id, reply)
            return
        post_id = await chat.find(place, request_id, answers=message_id) if request.posting else None
        if post_id:
            await chat.edit(place, post_id, reply)
        else:
            post_id = await chat.post(place, reply, key=request_id, answers=message_id)
        await self._change(request_id, post_id=post_id)

    async def _change(self, request_id: str, *, posting: bool = False, post_id: str = "") -> Request | None:
        """Store what is known of the visible message; returns the request as it was before, or None if it is taken."""
        key = self._inbox.keys.request(request_id)

        async def body(watch: Watch) -> Request | None:
            known = REQUESTS.find(text((await watch.read(("GET", key)))[0]))
            if (
                known is None
                or known.state is State.DONE
                or (posting and (known.state is not State.WAITING or known.quick))
            ):
                return None
            changed = dataclasses.replace(known, posting=True, post_id=post_id or known.post_id)
            if changed != known:
                await watch.commit(("SET", key, REQUESTS.dump(changed)))
            return known

        return await self._inbox.store.attempt(body, key)


async def standings(inbox: Inbox) -> list[Standing]:
    """Return the waiting questions with how many are answered before each, as it looks now."""
    store, keys = inbox.store, inbox.keys
    people = texts(await store.call("ZRANGE", keys.ring, 0, -1))
    turns = await store.batch(*(("ZRANGE", keys.turns(person), 0, -1) for person in people))
    ready = {
        person: [one.partition("/")[0] for one in texts(found)] for person, found in zip(people, turns, strict=True)
    }
    requests = {one.request_id: one for one in await inbox.all_open() if one.kind is Kind.QUESTION and not one.quick}
    lines: dict[str, list[Request]] = {}
    for one in requests.values():
        lines.setdefault(one.message.place.conversation_id, []).append(one)
    following: dict[str, str] = {}
    for line in lines.values():
        line.sort(key=lambda one: (one.state is not State.RUNNING, one.message.order, one.request_id))
        following |= {before.request_id: after.request_id for before, after in itertools.pairwise(line)}
    order = in_turn(people, ready, following, {name: one.message.sender.person_id for name, one in requests.items()})
    ahead = {name: position for position, name in enumerate(order)}
    return [
        Standing(one, ahead.get(one.request_id, BEHIND_OWN)) for one in requests.values() if one.state is State.WAITING
    ]


def in_turn(
    people: Sequence[str], ready: Mapping[str, Sequence[str]], following: Mapping[str, str], asked_by: Mapping[str, str]
) -> list[str]:
    """Return the order in which requests will be taken if nobody else asks.

    Args:
        people: The ring, the next first.
        ready: Each person's requests that can be taken.
        following: The request behind each in its conversation.
        asked_by: The person of each request.
    """
    ring = deque(people)
    lanes = {person: deque(ready.get(person, ())) for person in people}
    order: list[str] = []
    while ring:
        person = ring.popleft()
        lane = lanes[person]
        if not lane:
            continue
        name = lane.popleft()
        order.append(name)
        after = following.get(name)
        if after is not None and after in asked_by:
            owner = asked_by[after]
            lanes.setdefault(owner, deque()).append(after)
            if owner not in ring and owner != person:
                ring.append(owner)
        if lane:
            ring.append(person)
    return order
