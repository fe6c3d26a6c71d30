"""The inbox under random interleavings: nothing is lost, nothing is answered twice, order and fairness hold.

A model in plain Python says what each step must do; after each step all keys in a real Redis are compared with it.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.errors import BusyError, UnavailableError
from bot.messages import IncomingMessage, Place, Sender
from bot.requests import Cancelled, Kind, Request, State
from bot.store.claims import ChangedError, Claims, LostError
from bot.store.client import Command, Reply, Store, Watch, number, text, texts
from bot.store.inbox import EARLY_MS, HOUR_MS, Inbox, InboxLimits, Receipt
from bot.store.keys import GROUP, INBOX_KEYS, WAITING
from bot.store.repair import repair
from bot.store.succession import Succession
from tests.redis_servers import RedisServer

T = TypeVar("T")

MESSAGES = 18
CONVERSATIONS = 3
PEOPLE = 4
LIMITS = InboxLimits(queue=9, hard=12)
RETENTION_MS = 90 * 86_400_000
BEGUN = -math.inf  # where a request stands in its line once a worker has had it


class LossyStore(Store):
    """A store that can lose the reply to the next transaction, after it was carried out."""

    lossy = False

    @asynccontextmanager
    async def watch(self, *keys: str) -> AsyncIterator[Watch]:
        """Watch as ever; see `LossyWatch`."""
        async with super().watch(*keys) as watch:
            yield LossyWatch(watch, self)


class LossyWatch(Watch):
    """Passes everything on; a lost reply looks like a broken connection."""

    def __init__(self, watch: Watch, store: LossyStore) -> None:
        self._watch = watch
        self._store = store

    async def read(self, *commands: Command, also: Sequence[str] = ()) -> list[Reply]:
        return await self._watch.read(*commands, also=also)

    async def commit(self, *commands: Command) -> list[Reply]:
        replies = await self._watch.commit(*commands)
        if self._store.lossy:
            self._store.lossy = False
            raise UnavailableError("The connection broke before the reply came.")
        return replies


@dataclass
class Known:
    """What the model knows of a request."""

    request_id: str
    person: str
    conversation: str
    order: float
    seq: int
    text: str
    version: str
    kind: Kind = Kind.QUESTION
    state: State = State.WAITING
    cancelled: Cancelled = Cancelled.NO
    owner: str = ""
    attempt: int = 0
    revision: int = 0
    due_ms: int | None = None
    in_line: bool = True
    finishes: int = 0

    @property
    def open(self) -> bool:
        return self.state in (State.WAITING, State.RUNNING)

    @property
    def quick(self) -> bool:
        return self.kind is not Kind.QUESTION or self.cancelled is not Cancelled.NO

    @property
    def takeable(self) -> bool:
        return self.state is State.WAITING and self.due_ms is None


@dataclass
class Early:
    """An edit or a deletion that arrived before its message."""

    text: str = ""
    version: str = ""
    deleted: bool = False


def newer(version: str, than: str) -> bool:
    return version != "" and (than == "" or int(version) > int(than))


def message_of(index: int, order: float = 0.0, text: str = "", version: str = "") -> IncomingMessage:
    """Return a message; person and conversation follow from its number."""
    place = Place("test", "w", f"c{index % CONVERSATIONS}", "t")
    sender = Sender("test", "w", f"u{index // CONVERSATIONS % PEOPLE}")
    return IncomingMessage(place, sender, f"m{index}", text or f"question {index}", order, version)


indexes = st.integers(0, MESSAGES - 1)
targets = st.integers(0, 2 * MESSAGES)
orders = st.integers(0, 8).map(float)


class InboxMachine(RuleBasedStateMachine):
    """Random steps of chats, workers and outages."""

    url = ""
    copies = Bundle("copies")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store = LossyStore(self.url, prefix=f"t{secrets.token_hex(4)}")
        self.now = 1_700_000_000.0
        self.inbox = Inbox(self.store, LIMITS, clock=lambda: self.now)
        self.keys = self.inbox.keys
        self.known: dict[int, Known] = {}
        self.early: dict[int, Early] = {}
        self.claims: dict[str, Claims] = {}
        self.alive: dict[str, bool] = {}
        self.names: list[str] = []
        self.seq = 0
        self.dead = 0
        self.again: set[str] = set()  # people whose question was interrupted: it has its turn back
        self.served: dict[str, dict[str, int]] = {}  # of each person who waits: how often others had a turn meanwhile

    def run(self, step: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(step)

    def lost(self, step: Coroutine[Any, Any, T], lose: bool) -> T | None:
        """Run a step; None when the reply to its transaction was lost."""
        self.store.lossy = lose
        try:
            return self.run(step)
        except UnavailableError:
            assert lose
            return None
        finally:
            self.store.lossy = False

    # The model's view of lines and lanes.

    def opened(self) -> list[Known]:
        return [known for known in self.known.values() if known.open]

    def by_id(self, request_id: str) -> Known:
        return next(known for known in self.known.values() if known.request_id == request_id)

    def line(self, conversation: str) -> list[Known]:
        members = [known for known in self.opened() if known.in_line and known.conversation == conversation]
        return sorted(members, key=lambda known: (known.order, known.request_id))

    def ready(self) -> list[Known]:
        """Questions that can be taken: the first of each line that waits."""
        firsts = [line[0] for name in {known.conversation for known in self.opened()} if (line := self.line(name))]
        return [first for first in firsts if first.takeable and not first.quick]

    def quick(self) -> list[Known]:
        return sorted((known for known in self.opened() if known.quick and known.takeable), key=lambda known: known.seq)

    def mine(self, worker: str, copy: Request) -> Known | None:
        """Return the request if a worker's copy of it still counts."""
        known = self.by_id(copy.request_id)
        return known if known.owner == worker and known.attempt == copy.attempt else None

    # Chats.

    @initialize()
    def begin(self) -> None:
        self.run(self.inbox.prepare())
        self.start_worker()
        self.start_worker()

    @rule(
        chosen=st.lists(st.tuples(indexes, orders), min_size=1, max_size=5),
        stopping=st.sets(indexes, max_size=2),
        lose=st.booleans(),
    )
    def accept(self, chosen: list[tuple[int, float]], stopping: set[int], lose: bool) -> None:
        """Messages arrive, alone or together, new and again; some only say stop."""
        messages = [message_of(index, order) for index, order in chosen]
        stops = {message_of(index).request_id for index in stopping}
        receipts = self.lost(self.inbox.accept(messages, stops), lose)
        expected = [self._accepted(index, order, index in stopping) for index, order in chosen]
        if receipts is not None:
            told = [receipt.new if isinstance(receipt, Receipt) else None for receipt in receipts]
            # A message that is refused twice within one call is refused twice; the model sees the same.
            assert expected == told
            assert all(isinstance(receipt, (Receipt, BusyError)) for receipt in receipts)

    def _accepted(self, index: int, order: float, stops: bool) -> bool | None:
        """Apply to the model; True for new, None for busy."""
        if index in self.known:
            return False
        open_requests = len(self.opened())
        if open_requests >= LIMITS.hard:
            return None
        message = message_of(index, order)
        early = self.early.pop(index, None)
        known = Known(
            message.request_id,
            message.sender.person_id,
            message.place.conversation_id,
            order,
            self.seq + 1,
            early.text if early else message.text,
            early.version if early else "",
        )
        self.known[index] = known
        if early is not None and early.deleted:
            known.state, known.seq, known.cancelled = State.DONE, 0, Cancelled.DELETED
            return True
        self.seq += 1
        if stops or open_requests >= LIMITS.queue:
            known.kind, known.in_line = Kind.STOP if stops else Kind.NOTICE, False
        return True

    def message(self, index: int) -> int:
        """Return the number of a message: any, or beyond those one that is open."""
        opened = [one for one, known in self.known.items() if known.open]
        return index if index < MESSAGES or not opened else opened[index % len(opened)]

    @rule(index=targets, versions=st.lists(st.integers(8, 11).map(str), min_size=1, max_size=3), lose=st.booleans())
    def edit(self, index: int, versions: list[str], lose: bool) -> None:
        """A message is edited, perhaps before it arrives, perhaps with an older version."""
        index = self.message(index)
        for version in versions:
            words = f"question {index}, version {version}"
            result = self.lost(self.inbox.edit(message_of(index, text=words, version=version)), lose)
            expected = self._edited(index, words, version)
            assert result in (None, expected)

    def _edited(self, index: int, words: str, version: str) -> bool:
        known = self.known.get(index)
        if known is None:
            early = self.early.setdefault(index, Early())
            if early.deleted:
                return False
            if newer(version, early.version):
                early.text, early.version = words, version
            return True
        if not known.open or known.cancelled:
            return False
        if newer(version, known.version):
            known.text, known.version, known.revision = words, version, known.revision + 1
        return True

    @rule(index=targets, lose=st.booleans())
    def delete(self, index: int, lose: bool) -> None:
        """A message is deleted, perhaps before it arrives."""
        index = self.message(index)
        message = message_of(index)
        result = self.lost(self.inbox.cancel(message.request_id, Cancelled.DELETED, early=message), lose)
        if index not in self.known:
            self.early[index] = Early(message.text, deleted=True)
            assert result in (None, True)
        else:
            assert result in (None, self._cancelled(self.known[index], Cancelled.DELETED))

    @rule(index=targets, allowed=st.booleans(), lose=st.booleans())
    def stop(self, index: int, allowed: bool, lose: bool) -> None:
        """Somebody says stop, perhaps somebody who may not."""
        index = self.message(index)
        step = self.inbox.cancel(message_of(index).request_id, Cancelled.STOPPED, allowed=lambda _: allowed)
        result = self.lost(step, lose)
        expected = allowed and index in self.known and self._cancelled(self.known[index], Cancelled.STOPPED)
        assert result in (None, expected)

    def _cancelled(self, known: Known, how: Cancelled) -> bool:
        if not known.open or known.cancelled:
            return False
        known.cancelled, known.revision = how, known.revision + 1
        if known.state is State.WAITING:
            known.in_line, known.due_ms = False, None
        return True

    # Workers.

    @rule()
    def start_worker(self) -> None:
        """Another process begins to work."""
        name = f"worker-{len(self.names)}"
        self.names.append(name)
        self.claims[name] = Claims(self.inbox, name, lease_s=600, clock=lambda: self.now)
        self.alive[name] = True
        self.run(self.claims[name].renew())

    def worker(self, chosen: int) -> str:
        return self.names[chosen % len(self.names)]

    @rule(target=copies, chosen=st.integers(0, 9), lose=st.booleans())
    def take(self, chosen: int, lose: bool) -> Any:
        """A worker takes the next question."""
        worker = self.worker(chosen)
        ready = self.ready()
        request = self._taken(worker, self.claims[worker].take(), lose)
        if request is None:
            assert not ready or lose
            return multiple()
        self._check_turn(request, ready)
        return self._claimed(worker, request)

    def _check_turn(self, request: Request, ready: list[Known]) -> None:
        known = self.by_id(request.request_id)
        assert known in ready
        of_person = [one for one in ready if one.person == known.person]
        assert min(one.seq for one in of_person) == known.seq
        if known.person in self.again:
            self.again.discard(known.person)
            return
        for person in {one.person for one in ready} - {known.person}:
            turns = self.served.setdefault(person, {})
            turns[known.person] = turns.get(known.person, 0) + 1
            # Between two turns of one person, everybody else who waits has one.
            assert turns[known.person] == 1

    @rule(target=copies, chosen=st.integers(0, 9), lose=st.booleans())
    def take_quick(self, chosen: int, lose: bool) -> Any:
        """A worker takes what needs no turn."""
        worker = self.worker(chosen)
        quick = self.quick()
        request = self._taken(worker, self.claims[worker].take_quick(), lose)
        if request is None:
            assert not quick or lose
            return multiple()
        assert quick[0].request_id == request.request_id
        return self._claimed(worker, request)

    def _taken(self, worker: str, step: Coroutine[Any, Any, Request | None], lose: bool) -> Request | None:
        """Run a step that takes; one whose reply was lost is found again by what the group counts as the worker's."""
        self.store.lossy = lose
        try:
            return self.run(step)
        except UnavailableError:
            self.store.lossy = False
            known = {one.request_id for one in self.opened() if one.owner == worker}
            found = [one for one in self.run(self.claims[worker].owned()) if one.request_id not in known]
            assert len(found) <= 1
            return found[0] if found else None
        finally:
            self.store.lossy = False

    def _claimed(self, worker: str, request: Request) -> tuple[str, Request]:
        known = self.by_id(request.request_id)
        known.state, known.owner, known.attempt = State.RUNNING, worker, known.attempt + 1
        known.order = BEGUN
        self.alive[worker] = True
        self.served.pop(known.person, None)
        assert (known.attempt, known.revision) == (request.attempt, request.revision)
        return worker, request

    @precondition(lambda self: len({known.person for known in self.ready()}) > 1)
    @rule(target=copies, chosen=st.integers(0, 9))
    def serve_everybody(self, chosen: int) -> Any:
        """With n people waiting and nobody arriving, the next n questions are of n people."""
        worker = self.worker(chosen)
        people = {known.person for known in self.ready()}
        taken: list[tuple[str, Request]] = []
        for _ in people:
            ready = self.ready()
            request = self.run(self.claims[worker].take())
            assert request is not None
            self._check_turn(request, ready)
            taken.append(self._claimed(worker, request))
            self._forget_served()
        assert people == {request.message.sender.person_id for _, request in taken}
        return multiple(*taken)

    @rule(copy=copies, lose=st.booleans())
    def finish(self, copy: tuple[str, Request], lose: bool) -> None:
        """A worker, perhaps one that was taken for dead, perhaps with an old copy, says that the answer is visible."""
        worker, request = copy
        known = self.mine(worker, request)
        try:
            self.lost(self.claims[worker].finish(request, "answered"), lose)
        except LostError:
            assert known is None
        except ChangedError:
            assert known is not None
            assert known.revision != request.revision
        else:
            assert known is not None
            assert known.revision == request.revision
            self._finished(known)

    def _finished(self, known: Known) -> None:
        known.state, known.owner, known.finishes = State.DONE, "", known.finishes + 1

    @rule(target=copies, copy=copies, lose=st.booleans())
    def update(self, copy: tuple[str, Request], lose: bool) -> Any:
        """A worker stores the visible message's id and looks at the request again."""
        worker, request = copy
        claims, known = self.claims[worker], self.mine(worker, request)
        try:
            self.lost(claims.update(request, post_id=f"p{request.seq}"), lose)
        except ChangedError:
            assert known is not None
            assert known.revision != request.revision
        except LostError:
            assert known is None
            return multiple()
        assert known is not None
        fresh = self.run(claims.reload(request))
        assert (known.revision, f"p{request.seq}") == (fresh.revision, fresh.post_id)
        return worker, fresh

    @rule(copy=copies, after_s=st.sampled_from([0.0, 0.0, 5.0, 50.0]), failed=st.booleans(), lose=st.booleans())
    def hand_back(self, copy: tuple[str, Request], after_s: float, failed: bool, lose: bool) -> None:
        """A worker lets another try, at once or later."""
        worker, request = copy
        known = self.mine(worker, request)
        try:
            self.lost(self.claims[worker].hand_back(request, failed=failed, after_s=after_s), lose)
        except LostError:
            assert known is None
            return
        assert known is not None
        known.state, known.owner = State.WAITING, ""
        known.due_ms = int((self.now + after_s) * 1000) if after_s else None
        if not failed and not after_s:
            self.again.add(known.person)

    @rule(copy=copies, lose=st.booleans())
    def give_up(self, copy: tuple[str, Request], lose: bool) -> None:
        """A worker gives a request up; what is left to do is to apologise."""
        worker, request = copy
        known = self.mine(worker, request)
        try:
            self.lost(self.claims[worker].give_up(request, "sorry", "it failed"), lose)
        except LostError:
            assert known is None
            return
        assert known is not None
        known.state, known.owner, known.kind, known.in_line = State.WAITING, "", Kind.NOTICE, False
        self.dead += known.cancelled is not Cancelled.DELETED

    @rule(copy=copies)
    def bury(self, copy: tuple[str, Request]) -> None:
        """A worker gives a request up that nobody can be told about."""
        worker, request = copy
        known = self.mine(worker, request)
        try:
            self.run(self.claims[worker].bury(request, "the chat is gone"))
        except LostError:
            assert known is None
            return
        assert known is not None
        self.dead += known.cancelled is not Cancelled.DELETED
        self._finished(known)

    @rule(chosen=st.integers(0, 9))
    def die(self, chosen: int) -> None:
        """A worker's lease ends; it may have been only slow."""
        worker = self.worker(chosen)
        self.alive[worker] = False
        self.run(self.claims[worker].resign())

    @rule(chosen=st.integers(0, 9), lose=st.booleans())
    def take_over(self, chosen: int, lose: bool) -> None:
        """A worker looks for dead ones."""
        worker = self.worker(chosen)
        count = self.lost(Succession(self.claims[worker]).take_over(), lose)
        if count is None:
            self.run(Succession(self.claims[worker]).take_over())
        orphans = [
            known
            for known in self.opened()
            if known.state is State.RUNNING and known.owner != worker and not self.alive[known.owner]
        ]
        assert count in (None, len(orphans))
        for known in orphans:
            known.state, known.owner = State.WAITING, ""
            self.again.add(known.person)

    @rule(seconds=st.sampled_from([0, 1, 5, 60]), lose=st.booleans())
    def wake_due(self, seconds: int, lose: bool) -> None:
        """Time passes, and what was to be tried again later becomes ready."""
        self.now += seconds
        worker = self.claims[self.names[0]]
        due = [known for known in self.opened() if known.due_ms is not None and known.due_ms <= self.now * 1000]
        count = self.lost(worker.wake_due(), lose)
        if count is None:
            self.run(worker.wake_due())
        assert count in (None, len(due))
        for known in due:
            known.due_ms = None

    @rule()
    def nothing_to_repair(self) -> None:
        """Repairing an inbox that is well changes nothing."""
        assert self.run(repair(self.inbox)) == 0

    # What must hold after every step.

    def _forget_served(self) -> None:
        waiting = {known.person for known in self.ready()}
        self.served = {person: turns for person, turns in self.served.items() if person in waiting}

    @invariant()
    def redis_agrees(self) -> None:
        """Everything in Redis is as the model says."""
        self._forget_served()
        self.run(self._compare())

    async def _compare(self) -> None:
        await self._compare_requests()
        await self._compare_lanes()
        await self._compare_keys()

    async def _compare_requests(self) -> None:
        entries, pending = await self.store.batch(
            ("XRANGE", self.keys.inbox, "-", "+"), ("XPENDING", self.keys.inbox, GROUP, "-", "+", 1000)
        )
        assert isinstance(entries, list)
        assert isinstance(pending, list)
        opened = self.opened()
        in_stream = {text(texts(entry[1])[1]): text(entry[0]) for entry in entries if isinstance(entry, list)}
        assert {known.request_id: f"{known.seq}-0" for known in opened} == in_stream
        owners = {text(row[0]): text(row[1]) for row in pending if isinstance(row, list)}
        assert {f"{known.seq}-0": known.owner or WAITING for known in opened} == owners
        for known in self.known.values():
            request = await self.inbox.find(known.request_id)
            assert request is not None
            expected = (known.state, known.owner, known.attempt, known.revision, known.kind, known.cancelled)
            found = (request.state, request.owner, request.attempt, request.revision, request.kind, request.cancelled)
            assert expected == found
            assert (known.text if known.open else "") == request.message.text
            assert known.finishes <= 1

    async def _compare_lanes(self) -> None:
        quick, delayed, ring, dead = await self.store.batch(
            ("ZRANGE", self.keys.quick, 0, -1),
            ("ZRANGE", self.keys.delayed, 0, -1),
            ("ZRANGE", self.keys.ring, 0, -1),
            ("XLEN", self.keys.dead),
        )
        opened = self.opened()
        assert [known.request_id for known in self.quick()] == texts(quick)
        assert {known.request_id for known in opened if known.due_ms is not None} == set(texts(delayed))
        assert self.dead == number(dead)
        for conversation in {known.conversation for known in self.known.values()}:
            line = self.line(conversation)
            members = texts(await self.store.call("ZRANGE", self.keys.line(conversation), 0, -1))
            assert [known.request_id for known in line] == members
            # At most one is being worked on, and it is the first.
            assert [known for known in line[1:] if known.state is State.RUNNING or known.due_ms is not None] == []
        ready = self.ready()
        for person in {known.person for known in self.known.values()}:
            turns = texts(await self.store.call("ZRANGE", self.keys.turns(person), 0, -1))
            expected = sorted((one for one in ready if one.person == person), key=lambda one: one.seq)
            assert [f"{one.request_id}/{one.conversation}" for one in expected] == turns
        assert {one.person for one in ready} <= set(texts(ring))

    async def _compare_keys(self) -> None:
        kinds = {kind.name: kind for kind in INBOX_KEYS}
        for name, kind, lifetime_ms in await all_keys(self.store):
            described = kinds.get(name) or kinds[next(one for one in kinds if _matches(one, name))]
            assert described.type == kind
            if name.startswith("worker:"):
                assert 0 < lifetime_ms <= 600_000
            elif name == "dead":
                assert 0 < lifetime_ms <= RETENTION_MS
            elif name.startswith("request:"):
                known = [one for one in self.known.values() if f"request:{one.request_id}" == name]
                longest = 0 if known and known[0].open else LIMITS.duplicates_h * HOUR_MS if known else EARLY_MS
                assert (0 < lifetime_ms <= longest) if longest else lifetime_ms == -1
            else:
                assert lifetime_ms == -1

    def teardown(self) -> None:
        """In the end everything can be answered, once, in order, and only what has a lifetime stays."""
        try:
            self.run(self._drain())
        finally:
            self.run(self.store.close())
            self.runner.close()

    async def _drain(self) -> None:
        if not self.names:
            return
        for claims in self.claims.values():
            await claims.resign()
        last = Claims(self.inbox, "last", lease_s=600, clock=lambda: self.now)
        await last.renew()
        await Succession(last).take_over()
        self.now += 1000
        await last.wake_due()
        left = {known.request_id for known in self.opened()}
        while (request := await last.take_quick() or await last.take()) is not None:
            left.remove(request.request_id)
            await last.finish(request, "answered")
        assert set() == left
        await last.resign()
        allowed = {"counter", "round", "inbox"}
        kept = {name for name, _, lifetime_ms in await all_keys(self.store) if lifetime_ms == -1}
        assert kept <= allowed


def _matches(pattern: str, name: str) -> bool:
    return pattern.endswith("*") and name.startswith(pattern[:-1])


async def all_keys(store: Store) -> list[tuple[str, str, int]]:
    """Return name below the prefix, type and remaining milliseconds of every key."""
    names: set[str] = set()
    cursor = "0"
    while True:
        reply = await store.call("SCAN", cursor, "MATCH", store.key("*"), "COUNT", 1000)
        assert isinstance(reply, list)
        cursor = text(reply[0])
        names |= set(texts(reply[1]))
        if cursor == "0":
            break
    ordered = sorted(names)
    commands: list[Command] = [command for name in ordered for command in (("TYPE", name), ("PTTL", name))]
    replies = await store.batch(*commands)
    return [
        (name[len(store.prefix) + 1 :], text(kind), number(lifetime))
        for name, kind, lifetime in zip(ordered, replies[::2], replies[1::2], strict=True)
    ]


def test_no_request_is_lost_or_answered_twice(redis_server: RedisServer) -> None:
    """Whatever chats, workers and outages do, the inbox does what the model says."""

    class Machine(InboxMachine):
        url = redis_server.url

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=80,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
