"""Posting through another process: the one that holds a chat's connection serves the workers of all others.

A call is stored under its own key for as long as its caller waits, by the server's clock, and only its handle stands in
the chat's list: what is no longer waited for is gone, and is never done late. A caller that died, or that tries again,
does no harm: `post` and `find` know a message by its key, and an edit shows the same again.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator

from bot.chat import ChatAdapter, Reception
from bot.errors import BotError, InvalidRequestError, NotFoundError, UnavailableError
from bot.log_context import logged_as
from bot.messages import FileReference, IncomingMessage, Place, Sender
from bot.replies import Reply
from bot.store.client import Store, Watch, number, text
from bot.store.keys import KeyKind
from bot.store.relay_calls import (
    MAX_ATTACHED,
    OUTCOMES,
    PRESENCES,
    SMALL,
    Call,
    Outcome,
    Presence,
    WaitingCall,
    error_of,
    outcome_of,
    packed,
    unpacked,
)
from bot.texts import chat_away, chat_failed

logger = logging.getLogger(__name__)

LOOK_S = 1  # how long one look into a list waits
TIMEOUT_S = 30.0
RETRY_S = 2.0
CALLS_AT_ONCE = 32  # of one worker's process; each keeps a connection while it waits
MAX_WAITING = 1000  # handles in a chat's list; far more than workers ask for at once
SERVED_AT_ONCE = 64  # done or waiting for their lane; further ones stay in Redis
REPLY_MS = 30_000
STOP_GRACE_S = 5.0

RELAY_KEYS = (
    KeyKind("adapter:*", "string", "LOCUS_LEASE_S, renewed", "one per chat", "present while a process is connected"),
    KeyKind("relay:*", "list", "the call's time-out, 30 s", "1,000 handles", "handles of calls that wait to be done"),
    KeyKind("call:*", "string", "the call's time-out, 30 s", "32 per worker, up to 14 MB each", "a post, an edit, …"),
    KeyKind("reply:*", "list", "30 s", "one per call", "what became of a call"),
)


class RelayedChat:
    """A `ChatAdapter` whose connection another process holds.

    Args:
        store: Where.
        name: Name of the chat.
        timeout_s: How long a call may take.

    Attributes:
        draft_interval_s: As the connected process says; one second until the first call.
    """

    def __init__(self, store: Store, name: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self.name = name
        self.draft_interval_s = 1.0
        self._store = store
        self._timeout_s = timeout_s
        self._presence = store.key("adapter", name)
        self._list = store.key("relay", name)
        self._at_once = asyncio.Semaphore(CALLS_AT_ONCE)

    async def run(self, reception: Reception) -> None:
        """Raise InvalidRequestError: what people write reaches the inbox through the connected process alone."""
        raise InvalidRequestError(f"The chat {self.name} runs in the process that is connected to it, not here.")

    async def post(self, place: Place, reply: Reply, *, key: str, answers: str) -> str:
        outcome = await self._call(await packed(Call("post", place, reply, key=key, answers=answers)))
        return outcome.post_id or ""

    async def edit(self, place: Place, post_id: str, reply: Reply) -> None:
        await self._call(await packed(Call("edit", place, reply, post_id)))

    async def remove(self, place: Place, post_id: str) -> None:
        await self._call(await packed(Call("remove", place, post_id=post_id)))

    async def find(self, place: Place, key: str, *, answers: str) -> str | None:
        return (await self._call(await packed(Call("find", place, key=key, answers=answers)))).post_id

    async def fetch(self, place: Place, file: FileReference, *, max_bytes: int) -> bytes:
        call = Call("fetch", place, file=file, max_bytes=min(max_bytes, MAX_ATTACHED))
        outcome = await self._call(await packed(call))
        return await asyncio.to_thread(base64.b64decode, outcome.data)

    async def ascertain(self, message: IncomingMessage) -> IncomingMessage | None:
        return (await self._call(await packed(Call("ascertain", message.place, message=message)))).certain

    async def belongs(self, sender: Sender, group: str) -> bool:
        place = Place(sender.chat, sender.workspace, "")
        return (await self._call(await packed(Call("belongs", place, sender=sender, group=group)))).belongs

    async def direct(self, user: str) -> Place:
        place = (await self._call(await packed(Call("direct", Place(self.name, "", ""), user=user)))).place
        if place is None:
            raise NotFoundError("The chat names no direct conversation with this person.")
        return place

    async def _call(self, record: str) -> Outcome:
        try:
            async with asyncio.timeout(self._timeout_s) as limit, self._at_once:
                left_s = (limit.when() or 0.0) - asyncio.get_running_loop().time()
                told = await self._answer(record, max(1, int(left_s * 1000)))
                outcome = await asyncio.to_thread(OUTCOMES.load, told) if len(told) > SMALL else OUTCOMES.load(told)
        except TimeoutError as error:
            raise UnavailableError(chat_away(self.name), retry_after_s=RETRY_S) from error
        if outcome.error:
            raise error_of(outcome)
        return outcome

    async def _answer(self, record: str, timeout_ms: int) -> str:
        """Hand a call over and wait for its outcome, as long as anybody is connected to the chat."""
        call_id = secrets.token_hex(8)
        key = self._store.key("call", call_id)
        found, *_ = await self._store.transaction(
            ("GET", self._presence),
            ("SET", key, record, "PX", timeout_ms),
            ("RPUSH", self._list, call_id),
            ("LTRIM", self._list, -MAX_WAITING, -1),
            ("PEXPIRE", self._list, int(self._timeout_s * 1000) + 1000),
        )
        while True:
            presence = PRESENCES.find(text(found))
            if presence is None:
                await self._store.call("DEL", key)
                raise UnavailableError(chat_away(self.name), retry_after_s=RETRY_S)
            self.draft_interval_s = presence.draft_interval_s
            reply = await self._store.call("BLPOP", self._store.key("reply", call_id), LOOK_S)
            if isinstance(reply, list):
                return text(reply[1])
            found = await self._store.call("GET", self._presence)


class RelayServer:
    """Serves the calls of `RelayedChat`s in other processes; several processes may serve one chat.

    Calls about one message are done in order, those about different messages side by side. Of several drafts that wait
    for the same message only the newest is sent.

    Args:
        store: Where.
        adapter: The chat as this process is connected to it.
        process_id: Name of this process; unique over all processes and starts.
        lease_s: Seconds after which callers know that this process is gone.
    """

    def __init__(self, store: Store, adapter: ChatAdapter, process_id: str, *, lease_s: float = 15.0) -> None:
        self._store = store
        self._adapter = adapter
        self._presence = store.key("adapter", adapter.name)
        self._list = store.key("relay", adapter.name)
        self._bell = store.key("relay", adapter.name, process_id)  # ends a look into the list
        self._record = PRESENCES.dump(Presence(process_id, adapter.draft_interval_s))
        self._lease_s = lease_s
        self._lanes: dict[tuple[str, str], deque[WaitingCall]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(SERVED_AT_ONCE)
        self._stopping = False
        self._trouble = ""

    async def run(self) -> None:
        """Serve until cancelled; what is being done then is given a few seconds. Goes on when Redis was away."""
        present = asyncio.create_task(self._be_present(), name="relay: presence")
        serving = asyncio.create_task(self._serve(), name="relay")
        try:
            await asyncio.shield(serving)
        finally:
            self._stopping = True
            present.cancel()
            await asyncio.gather(present, return_exceptions=True)
            with contextlib.suppress(BotError):
                await self._store.attempt(self._leave, self._presence)
                await self._store.transaction(("RPUSH", self._bell, ""), ("PEXPIRE", self._bell, 1000 * LOOK_S))
            # Looking is not cut short: a call could be lost between the list and its lane.
            await asyncio.wait({serving}, timeout=2 * LOOK_S)
            if self._tasks:
                await asyncio.wait(set(self._tasks), timeout=STOP_GRACE_S)
            for task in (left := {serving, *self._tasks}):
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _serve(self) -> None:
        while not self._stopping:
            async with self._guarded():
                await self._take()

    async def _be_present(self) -> None:
        while True:
            async with self._guarded():
                await self._store.call("SET", self._presence, self._record, "PX", max(1, int(self._lease_s * 1000)))
                await asyncio.sleep(self._lease_s / 3)

    async def _leave(self, watch: Watch) -> None:
        (found,) = await watch.read(("GET", self._presence))
        if text(found) == self._record:
            await watch.commit(("DEL", self._presence))

    @contextlib.asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        """Survive that Redis is away: say so once, and pause."""
        try:
            yield
        except BotError as error:
            if str(error) != self._trouble:
                logger.warning("what other processes post to %s waits: %s", self._adapter.name, error)
            self._trouble = str(error)
            await asyncio.sleep(getattr(error, "retry_after_s", None) or 1.0)
        else:
            if self._trouble:
                logger.info("what other processes post to %s is sent again", self._adapter.name)
            self._trouble = ""

    async def _take(self) -> None:
        """Take one call, if one comes while there is room, and put it into its lane."""
        await self._room.acquire()
        waiting = None
        try:
            waiting = await self._pop()
        finally:
            if waiting is None:
                self._room.release()
        if waiting is not None:
            await self._put(waiting)

    async def _pop(self) -> WaitingCall | None:
        found = await self._store.call("BLPOP", self._list, self._bell, LOOK_S)
        if not isinstance(found, list) or found[0] != self._list:
            return None
        call_id = text(found[1])
        key = self._store.key("call", call_id)
        left_ms, record = await self._store.transaction(("PTTL", key), ("GETDEL", key))
        if record is None:
            return None  # nobody waits for it any more
        until = asyncio.get_running_loop().time() + max(0, number(left_ms)) / 1000
        try:
            return WaitingCall(call_id, await unpacked(text(record)), until)
        except BotError as error:
            await self._tell(call_id, outcome_of(error))
            return None

    async def _put(self, waiting: WaitingCall) -> None:
        key = waiting.call.lane
        lane = self._lanes.get(key)
        if lane is None:
            self._lanes[key] = lane = deque((waiting,))
            task = asyncio.create_task(self._work(lane, key), name="relay: message")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        passed = [older for older in lane if older.draft] if waiting.call.method in ("edit", "remove") else []
        for older in passed:
            lane.remove(older)
        lane.append(waiting)
        for older in passed:
            self._room.release()
            await self._tell(older.call_id, Outcome())

    async def _work(self, lane: deque[WaitingCall], key: tuple[str, str]) -> None:
        """Do the calls about one message, one after the other."""
        try:
            while lane:
                waiting = lane.popleft()
                try:
                    outcome = await self._do(waiting)
                    if outcome is not None:
                        await self._tell(waiting.call_id, outcome)
                finally:
                    self._room.release()
        finally:
            del self._lanes[key]

    async def _do(self, waiting: WaitingCall) -> Outcome | None:
        """Do one call; None when its caller has given up."""
        if asyncio.get_running_loop().time() >= waiting.until:
            return None
        try:
            async with asyncio.timeout_at(waiting.until) as limit:
                with logged_as(waiting.call.reference):
                    return await self._ask(waiting.call)
        except BotError as error:
            return outcome_of(error)
        except Exception:
            if limit.expired():
                return None
            about = {"request": waiting.call.reference} if waiting.call.reference else {}
            logger.exception("the chat %s failed", self._adapter.name, extra=about)
            return outcome_of(BotError(chat_failed(self._adapter.name)))

    async def _ask(self, call: Call) -> Outcome:
        adapter, place = self._adapter, call.place
        if call.method == "find":
            return Outcome(await adapter.find(place, call.key, answers=call.answers))
        if call.file is not None:
            data = await adapter.fetch(place, call.file, max_bytes=call.max_bytes)
            return Outcome(data=(await asyncio.to_thread(base64.b64encode, data)).decode())
        if call.message is not None:
            return Outcome(certain=await adapter.ascertain(call.message))
        if call.sender is not None:
            return Outcome(belongs=await adapter.belongs(call.sender, call.group))
        if call.method == "direct":
            return Outcome(place=await adapter.direct(call.user))
        if call.method == "remove":
            await adapter.remove(place, call.post_id)
        elif call.reply is None:
            raise InvalidRequestError("A call to a chat holds no reply.")
        elif call.method == "post":
            return Outcome(await adapter.post(place, call.reply, key=call.key, answers=call.answers))
        else:
            await adapter.edit(place, call.post_id, call.reply)
        return Outcome()

    async def _tell(self, call_id: str, outcome: Outcome) -> None:
        key = self._store.key("reply", call_id)
        # A caller that hears nothing tries again.
        with contextlib.suppress(BotError):
            await self._store.transaction(("RPUSH", key, OUTCOMES.dump(outcome)), ("PEXPIRE", key, REPLY_MS))
