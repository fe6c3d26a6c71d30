"""The inbox on a real Redis, case by case; `test_inbox_machine.py` adds what nobody thought of."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from bot.errors import BusyError, UnavailableError
from bot.messages import IncomingMessage, Place, Sender
from bot.requests import Cancelled, Kind, Request, State
from bot.store.claims import ChangedError, Claims, LostError
from bot.store.client import Command, Reply, Store, Watch, number, text, texts
from bot.store.inbox import Inbox, InboxLimits, Receipt, newer
from bot.store.keys import GROUP, WAITING
from bot.store.rates import RateLimits
from bot.store.repair import repair
from bot.store.succession import Succession
from tests.redis_servers import RedisServer


class Clock:
    """Seconds since 1970, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.25

    def __call__(self) -> float:
        return self.now


def message(
    number: int, *, order: float | None = None, user: str = "", channel: str = "c", thread: str = "t", text: str = ""
) -> IncomingMessage:
    """Return a message; its order is its number unless said otherwise."""
    return IncomingMessage(
        Place("test", "w", channel, thread),
        Sender("test", "w", user or "u"),
        f"m{number}",
        text or f"question {number}",
        float(number) if order is None else order,
    )


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
async def inbox(store: Store, clock: Clock) -> Inbox:
    """An empty inbox."""
    made = Inbox(store, clock=clock)
    await made.prepare()
    return made


@pytest.fixture
def worker(inbox: Inbox, clock: Clock) -> Claims:
    """A worker."""
    return Claims(inbox, "worker-1", clock=clock)


async def taken(worker: Claims) -> Request:
    """Take a request that must be there."""
    request = await worker.take()
    assert request is not None
    return request


async def answer_all(worker: Claims) -> list[str]:
    """Take and finish everything, one after the other; returns the ids of the messages."""
    answered = []
    while (request := await worker.take_quick() or await worker.take()) is not None:
        await worker.finish(request, "answered")
        answered.append(request.message.message_id)
    return answered


# Accepting


async def test_a_delivery_counts_once(inbox: Inbox, worker: Claims) -> None:
    """A message that is delivered again, in the same call or later, also after its answer, makes no second request."""
    one = message(1)

    assert [True, False] == [receipt.new for receipt in await accept(inbox, one, one)]
    assert [False] == [receipt.new for receipt in await accept(inbox, one)]
    assert ["m1"] == await answer_all(worker)
    assert [False] == [receipt.new for receipt in await accept(inbox, one)]
    assert await worker.take() is None


async def accept(inbox: Inbox, *messages: IncomingMessage) -> list[Receipt]:
    """Accept messages that must not find the inbox full."""
    receipts = await inbox.accept(messages)
    assert all(isinstance(receipt, Receipt) for receipt in receipts)
    return [receipt for receipt in receipts if isinstance(receipt, Receipt)]


async def test_many_deliveries_at_once_make_one_request(inbox: Inbox) -> None:
    """Ten processes that accept the same message at the same time agree on who was first."""
    receipts = await asyncio.gather(*(accept(inbox, message(1), message(2)) for _ in range(10)))

    assert 2 == sum(receipt.new for pair in receipts for receipt in pair)
    assert 2 == number(await inbox.store.call("XLEN", inbox.keys.inbox))


async def test_an_accepted_message_is_in_the_group_at_once(inbox: Inbox) -> None:
    """Entries count as nobody's until a worker has one: only what is in the group can be taken over."""
    await accept(inbox, *(message(index, thread=str(index)) for index in range(5)))
    (pending,) = await inbox.store.batch(("XPENDING", inbox.keys.inbox, GROUP, "-", "+", 100, WAITING))

    assert isinstance(pending, list)
    assert 5 == len(pending)


async def test_beyond_the_queue_people_are_told_and_beyond_everything_nothing_is_accepted(
    store: Store, clock: Clock
) -> None:
    """Questions beyond the limit become sentences to be said; beyond the hard one not even these."""
    inbox = Inbox(store, InboxLimits(queue=2, hard=3), clock=clock)
    await inbox.prepare()
    results = await inbox.accept([message(index, thread=str(index)) for index in range(4)])
    refused = await inbox.find(message(2).request_id)

    assert [Receipt, Receipt, Receipt, BusyError] == [type(result) for result in results]
    assert refused is not None
    assert Kind.NOTICE is refused.kind
    assert "2 others are open" in refused.notice
    assert ["m2", "m0", "m1"] == await answer_all(Claims(inbox, "w", clock=clock))


async def test_a_message_to_stop_takes_no_turn(inbox: Inbox, worker: Claims) -> None:
    """What only stops something is quick, also when the conversation's first question is being answered."""
    await accept(inbox, message(1))
    await taken(worker)
    stop = message(2, text="stop")
    await inbox.accept([stop], {stop.request_id})
    request = await worker.take_quick()

    assert request is not None
    assert (Kind.STOP, "m2") == (request.kind, request.message.message_id)


async def test_a_lost_counter_gives_no_position_twice(inbox: Inbox, worker: Claims) -> None:
    """Without the counter, positions go on after the last entry that was ever in the stream."""
    await accept(inbox, message(1), message(2))
    await answer_all(worker)
    await inbox.store.call("DEL", inbox.keys.counter)
    await accept(inbox, message(3))
    request = await taken(worker)

    assert 3 == request.seq


# Order and fairness


async def test_a_conversation_is_answered_in_the_order_it_was_written(inbox: Inbox, worker: Claims) -> None:
    """Messages that arrive out of order are answered as they were written."""
    await accept(inbox, message(3))
    await accept(inbox, message(1), message(2))

    assert ["m1", "m2", "m3"] == await answer_all(worker)


async def test_one_of_a_conversation_at_a_time(inbox: Inbox, worker: Claims) -> None:
    """A second question waits until the first is answered, also one that was written earlier and arrives late."""
    await accept(inbox, message(2), message(3))
    running = await taken(worker)
    await accept(inbox, message(1))

    assert await worker.take() is None
    await worker.finish(running, "answered")
    assert ["m1", "m3"] == await answer_all(worker)


async def test_a_person_with_many_questions_does_not_hold_up_others(inbox: Inbox, worker: Claims) -> None:
    """Each person who waits has one turn in each round."""
    many = [message(index, user="many", thread=f"t{index}") for index in range(3)]
    few = [message(index, user=f"few{index}", thread=f"f{index}") for index in range(10, 12)]
    await accept(inbox, *many, *few)

    assert ["m0", "m10", "m11", "m1", "m2"] == await answer_all(worker)


async def test_a_late_message_of_another_person_takes_no_turn_away(inbox: Inbox, worker: Claims) -> None:
    """When one that was written earlier arrives late, its own person's turn is used for it."""
    await accept(inbox, message(2, user="first"), message(5, user="late", thread="other"))
    await accept(inbox, message(1, user="late"), message(6, user="third", thread="third"))
    people = [(await taken(worker)).message.sender.user for _ in range(2)]

    assert ["late", "third"] == people


async def test_withdrawing_the_one_that_was_ready_lets_the_late_one_go(inbox: Inbox, worker: Claims) -> None:
    """A conversation goes on when the question goes that was first until an earlier one arrived."""
    await accept(inbox, message(2))
    await accept(inbox, message(1))
    await inbox.cancel(message(2).request_id, Cancelled.DELETED)

    assert ["m2", "m1"] == await answer_all(worker)


async def test_many_workers_take_everything_once(inbox: Inbox, clock: Clock) -> None:
    """Workers that take at the same time never have the same request."""
    await accept(inbox, *(message(index, thread=str(index), user=f"u{index % 7}") for index in range(40)))
    done = await asyncio.gather(*(answer_all(Claims(inbox, f"w{index}", clock=clock)) for index in range(8)))

    assert sorted(f"m{index}" for index in range(40)) == sorted(one for some in done for one in some)


# Edits, deletions, stops


async def test_an_edit_of_a_running_question_makes_its_answer_old(inbox: Inbox, worker: Claims) -> None:
    """An answer to the text before the edit is not final; one to the text after it is."""
    await accept(inbox, message(1))
    running = await taken(worker)
    await inbox.edit(dataclasses.replace(message(1, text="better"), version="2"))

    with pytest.raises(ChangedError):
        await worker.finish(running, "answered")
    with pytest.raises(ChangedError):
        await worker.update(running, ready="old answer")
    again = await worker.reload(running)
    assert ("better", "") == (again.message.text, again.ready)
    await worker.finish(again, "answered")


async def test_an_older_edit_changes_nothing(inbox: Inbox, worker: Claims) -> None:
    """Edits that arrive out of order leave the newest text."""
    await accept(inbox, message(1))
    await inbox.edit(dataclasses.replace(message(1, text="newest"), version="10"))
    await inbox.edit(dataclasses.replace(message(1, text="older"), version="9"))

    assert "newest" == (await taken(worker)).message.text


@pytest.mark.parametrize(
    ("version", "than", "expected"),
    [("2", "", True), ("10", "9", True), ("9", "10", False), ("2", "2", False), ("b", "a", True), ("", "", False)],
)
def test_versions_are_compared_as_numbers_where_they_are(version: str, than: str, expected: bool) -> None:
    """Ten comes after nine; what is no number is compared as text."""
    assert expected is newer(version, than)


async def test_an_edit_before_its_message_is_kept(inbox: Inbox, worker: Claims) -> None:
    """The message that arrives after its edit is answered as edited."""
    await inbox.edit(dataclasses.replace(message(1, text="edited"), version="2"))
    assert await worker.take() is None
    (receipt,) = await accept(inbox, message(1))

    assert receipt.new
    assert "edited" == (await taken(worker)).message.text


async def test_a_deletion_before_its_message_is_kept(inbox: Inbox, worker: Claims) -> None:
    """A message that arrives after its deletion is never answered, and its text is not kept."""
    await inbox.cancel(message(1).request_id, Cancelled.DELETED, early=message(1))
    await accept(inbox, message(1))
    kept = await inbox.find(message(1).request_id)

    assert [] == await answer_all(worker)
    assert kept is not None
    assert (State.DONE, "") == (kept.state, kept.message.text)


async def test_a_withdrawn_question_is_tidied_up_without_a_turn(inbox: Inbox, worker: Claims) -> None:
    """A deleted question that waits leaves its line at once; the next one is ready."""
    await accept(inbox, message(1), message(2))
    await inbox.cancel(message(1).request_id, Cancelled.DELETED)
    gone = await worker.take_quick()
    following = await taken(worker)

    assert gone is not None
    assert ("m1", Cancelled.DELETED) == (gone.message.message_id, gone.cancelled)
    assert "m2" == following.message.message_id


async def test_who_may_not_stop_changes_nothing(inbox: Inbox, worker: Claims) -> None:
    """The question of the caller is asked with the request as it is, in the transaction."""
    await accept(inbox, message(1))

    assert not await inbox.cancel(message(1).request_id, Cancelled.STOPPED, allowed=lambda _: False)
    assert Cancelled.NO is (await taken(worker)).cancelled


async def test_a_running_question_that_is_stopped_ends_its_conversations_turn(inbox: Inbox, worker: Claims) -> None:
    """The worker learns of it when it finishes; only then does the conversation go on."""
    await accept(inbox, message(1), message(2))
    running = await taken(worker)
    await inbox.cancel(running.request_id, Cancelled.STOPPED)

    assert await worker.take() is None
    with pytest.raises(ChangedError):
        await worker.finish(running, "answered")
    stopped = await worker.reload(running)
    await worker.finish(stopped, "stopped")
    assert "m2" == (await taken(worker)).message.message_id


# Workers that fail, die, or only seemed to


async def test_a_failed_question_waits_and_keeps_its_place(inbox: Inbox, worker: Claims, clock: Clock) -> None:
    """Until it is due nothing else of its conversation is answered, also nothing that was written earlier."""
    await accept(inbox, message(2), message(3))
    await worker.hand_back(await taken(worker), failed=True, after_s=10)
    await accept(inbox, message(1))
    clock.now += 9.9
    assert (0, None) == (await worker.wake_due(), await worker.take())
    clock.now += 0.1

    assert 1 == await worker.wake_due()
    again = await taken(worker)
    assert ("m2", 1, 2) == (again.message.message_id, again.failures, again.attempt)


async def test_the_questions_of_a_dead_worker_go_to_another(inbox: Inbox, worker: Claims, clock: Clock) -> None:
    """What it still says is refused from then on, and it is forgotten."""
    other = Claims(inbox, "worker-2", clock=clock)
    await accept(inbox, message(1))
    running = await taken(worker)
    assert 0 == await Succession(other).take_over()
    await worker.resign()

    assert 1 == await Succession(other).take_over()
    again = await taken(other)
    assert (1, 2) == (again.deaths, again.attempt)
    for step in (worker.finish(running, "late"), worker.give_up(running, "", ""), worker.hand_back(running)):
        with pytest.raises(LostError):
            await step
    with pytest.raises(LostError):
        await worker.update(running, post_id="p1")
    await other.finish(again, "answered")
    assert [] == await answer_all(worker)


async def test_a_clock_that_is_set_back_delays_no_retry(inbox: Inbox, worker: Claims, clock: Clock) -> None:
    """What was to wait for a second does not wait for the hour that the clock went back."""
    await accept(inbox, message(1))
    await worker.hand_back(await taken(worker), after_s=1.0)
    waiting = await worker.wake_due()
    clock.now -= 3600

    assert (0, 1) == (waiting, await worker.wake_due())
    assert "m1" == (await taken(worker)).message.message_id


async def test_a_question_that_is_given_up_ends_with_an_apology(inbox: Inbox, worker: Claims) -> None:
    """The request stands among the dead letters, its person is told, and the conversation goes on."""
    await accept(inbox, message(1), message(2))
    await worker.give_up(await taken(worker), "I am sorry.", "it failed")
    told = await worker.take_quick()

    assert told is not None
    assert (Kind.NOTICE, "I am sorry.") == (told.kind, told.notice)
    assert "m2" == (await taken(worker)).message.message_id
    assert 1 == number(await inbox.store.call("XLEN", inbox.keys.dead))


class HookedStore(Store):
    """A store in which something can happen between the reading and the writing of a transaction, and after it."""

    before: list[str]  # the command before which `hook` runs, once
    lost: bool = False

    def __init__(self, url: str, prefix: str) -> None:
        super().__init__(url, prefix=prefix)
        self.before = []
        self.hook = asyncio.Event().wait

    @asynccontextmanager
    async def watch(self, *keys: str) -> AsyncIterator[Watch]:
        """Watch as ever; see `HookedWatch`."""
        async with super().watch(*keys) as watch:
            yield HookedWatch(watch, self)


class HookedWatch(Watch):
    """Passes everything on, with what the store asks for between."""

    def __init__(self, watch: Watch, store: HookedStore) -> None:
        self._watch = watch
        self._store = store

    async def read(self, *commands: Command, also: Sequence[str] = ()) -> list[Reply]:
        return await self._watch.read(*commands, also=also)

    async def commit(self, *commands: Command) -> list[Reply]:
        if any(list(command[: len(self._store.before)]) == self._store.before for command in commands):
            self._store.before = ["no such command"]
            await self._store.hook()
        replies = await self._watch.commit(*commands)
        if self._store.lost:
            self._store.lost = False
            raise UnavailableError("The connection broke before the reply came.")
        return replies


@pytest.fixture
async def hooked(redis_server: RedisServer, store: Store) -> AsyncIterator[HookedStore]:
    """The same store, with hooks."""
    opened = HookedStore(redis_server.url, store.prefix)
    opened.before = ["no such command"]
    yield opened
    await opened.close()


async def test_a_slow_worker_that_takes_something_while_it_is_forgotten_keeps_it(
    inbox: Inbox, worker: Claims, clock: Clock, hooked: HookedStore
) -> None:
    """Deleting a dead worker from the group must not delete what it took meanwhile: that would belong to nobody."""
    await accept(inbox, message(1), message(2, thread="other"))
    await taken(worker)
    await worker.resign()

    async def revive() -> bool:
        return await worker.take() is not None

    hooked.before, hooked.hook = ["XGROUP", "DELCONSUMER"], revive  # type: ignore[assignment]
    await Succession(Claims(Inbox(hooked, clock=clock), "worker-2", clock=clock)).take_over()

    assert 1 == len(await worker.owned())


async def test_a_finish_whose_reply_was_lost_is_final(inbox: Inbox, clock: Clock, hooked: HookedStore) -> None:
    """The worker that tries again learns that the request is not its own any more; nothing is left of it."""
    unsure = Claims(Inbox(hooked, clock=clock), "worker-1", clock=clock)
    await accept(inbox, message(1))
    running = await taken(unsure)
    hooked.lost = True
    with pytest.raises(UnavailableError):
        await unsure.finish(running, "answered")

    with pytest.raises(LostError):
        await unsure.finish(running, "answered")
    assert [] == await unsure.owned()
    assert [] == await answer_all(unsure)


async def test_a_take_whose_reply_was_lost_is_found_again(inbox: Inbox, clock: Clock, hooked: HookedStore) -> None:
    """What the group counts as the worker's is its own, also if it never heard of it."""
    unsure = Claims(Inbox(hooked, clock=clock), "worker-1", clock=clock)
    await accept(inbox, message(1))
    hooked.lost = True
    with pytest.raises(UnavailableError):
        await unsure.take()
    (found,) = await unsure.owned()

    await unsure.hand_back(found)
    assert ["m1"] == await answer_all(unsure)


async def test_turns_never_go_back(inbox: Inbox, clock: Clock, hooked: HookedStore) -> None:
    """The count of turns only grows, also when one process writes what it read before others had their turns."""
    unsure = Claims(Inbox(hooked, clock=clock), "worker-1", clock=clock)
    await accept(inbox, *(message(index, user=f"u{index}", thread=str(index)) for index in range(6)))
    running = await taken(unsure)
    rounds: list[int] = []

    async def others_take() -> bool:
        other = Claims(inbox, "worker-2", clock=clock)
        for _ in range(4):
            await taken(other)
        rounds.append(number(await inbox.store.call("GET", inbox.keys.round)))
        return True

    hooked.before, hooked.hook = ["XCLAIM"], others_take  # type: ignore[assignment]
    await unsure.hand_back(running)

    assert rounds[0] < number(await inbox.store.call("GET", inbox.keys.round))


# Rates


@pytest.fixture
async def limited(store: Store, clock: Clock) -> Inbox:
    """An inbox in which a person may ask twice within a minute."""
    made = Inbox(store, InboxLimits(rates=RateLimits(person=2, channel=3, window_s=60)), clock=clock)
    await made.prepare()
    return made


async def refused(inbox: Inbox, one: IncomingMessage) -> str:
    """Accept a message and return the sentence of its refusal, or ""."""
    await accept(inbox, one)
    request = await inbox.find(one.request_id)
    assert request is not None
    return request.notice


async def test_the_window_ends_exactly(limited: Inbox, clock: Clock) -> None:
    """A question counts for the length of the window and not a millisecond longer."""
    assert ["", ""] == [await refused(limited, message(1)), await refused(limited, message(2))]
    clock.now += 59.999
    assert "in 1 second." in await refused(limited, message(3))
    clock.now += 0.001

    assert ["", ""] == [await refused(limited, message(4)), await refused(limited, message(5))]
    assert "in 60 seconds." in await refused(limited, message(6))


async def test_a_refused_question_does_not_make_the_wait_longer(limited: Inbox, clock: Clock) -> None:
    """Who keeps asking waits as long as who does not."""
    for index in range(2):
        await refused(limited, message(index))
    for index in range(2, 30):
        clock.now += 2
        assert await refused(limited, message(index))
    clock.now += 4

    assert "" == await refused(limited, message(99))


async def test_people_of_a_channel_share_its_window(limited: Inbox) -> None:
    """The channel's limit counts all of its people, in all threads, and no other channel's."""
    told = [await refused(limited, message(index, user=f"u{index}", thread=f"t{index}")) for index in range(4)]

    assert [False, False, False, True] == [bool(one) for one in told]
    assert "" == await refused(limited, message(9, user="u9", channel="another"))


@pytest.mark.parametrize("step_s", [-86_400.0, -30.0, 30.0, 86_400.0])
async def test_a_step_of_the_clock_locks_nobody_out(limited: Inbox, clock: Clock, step_s: float) -> None:
    """Wherever the clock jumps, and back again, nobody waits longer than the window."""
    for index in range(3):
        await refused(limited, message(index))
    clock.now += step_s
    for index in range(10, 13):
        await refused(limited, message(index))
    clock.now -= step_s
    clock.now += 60

    assert "" == await refused(limited, message(99))


async def test_the_clock_set_back_does_not_count_the_future(limited: Inbox, clock: Clock) -> None:
    """Questions that seem to lie in the future are not held against anybody."""
    for index in range(2):
        await refused(limited, message(index))
    clock.now -= 3600

    assert "" == await refused(limited, message(9))


# Repair


async def test_an_inbox_that_is_well_is_left_alone(inbox: Inbox, worker: Claims) -> None:
    """Nothing is put right where nothing is lost."""
    await a_bit_of_everything(inbox, worker)

    assert 0 == await repair(inbox)


async def a_bit_of_everything(inbox: Inbox, worker: Claims) -> set[str]:
    """Fill an inbox with requests in all states; returns the messages that are open."""
    people = ("ada", "bob", "eve")
    some = [message(index, user=people[index % 3], thread=str(index % 5)) for index in range(20)]
    await accept(inbox, *some)
    finished, delayed, running, stopped, given_up = [await taken(worker) for _ in range(5)]
    await worker.finish(finished, "answered")
    await worker.hand_back(delayed, after_s=10)
    await inbox.cancel(stopped.request_id, Cancelled.STOPPED)
    await worker.give_up(given_up, "sorry", "it failed")
    await inbox.cancel(some[-1].request_id, Cancelled.DELETED)
    assert State.RUNNING is running.state
    return {one.message_id for one in some} - {finished.message.message_id}


@pytest.mark.parametrize("seed", range(25))
async def test_lost_keys_lose_no_request(inbox: Inbox, worker: Claims, clock: Clock, seed: int) -> None:
    """Whatever is deleted but the requests themselves: each is answered once, and each conversation in order."""
    chosen = random.Random(seed)
    opened = await a_bit_of_everything(inbox, worker)
    names = [name for name in await keys_of(inbox.store) if not name.startswith(inbox.keys.request(""))]
    lost = chosen.sample(names, chosen.randint(1, len(names)))
    if seed == 0:
        lost = [inbox.keys.inbox]
    await inbox.store.call("DEL", *lost)

    assert await repair(inbox) > 0 or not set(lost) - {inbox.keys.round, inbox.keys.dead, *leases(inbox)}
    assert 0 == await repair(inbox)
    other = Claims(inbox, "worker-2", clock=clock)
    await worker.resign()
    await Succession(other).take_over()
    clock.now += 1000
    await other.wake_due()
    answered = await answer_all(other)
    assert sorted(opened) == sorted(answered)
    left = [name for name in await keys_of(inbox.store) if ":line:" in name or ":turns:" in name]
    assert [] == left


def leases(inbox: Inbox) -> list[str]:
    """Return the names of the leases of the tests' workers; one that is lost needs no repair, but another worker."""
    return [inbox.keys.worker("worker-1"), inbox.keys.worker("worker-2")]


async def keys_of(store: Store) -> list[str]:
    """Return the names of all keys of a store."""
    names: set[str] = set()
    cursor = "0"
    while True:
        reply = await store.call("SCAN", cursor, "MATCH", store.key("*"), "COUNT", 1000)
        assert isinstance(reply, list)
        cursor = text(reply[0])
        names |= set(texts(reply[1]))
        if cursor == "0":
            return sorted(names)


async def test_a_lost_request_does_not_block_its_conversation(inbox: Inbox, worker: Claims) -> None:
    """Without its record nothing can be answered; what was asked after it still is."""
    await accept(inbox, message(1), message(2))
    await inbox.store.call("DEL", inbox.keys.request(message(1).request_id))

    assert await repair(inbox) > 0
    assert ["m2"] == await answer_all(worker)
    assert 0 == number(await inbox.store.call("XLEN", inbox.keys.inbox))


async def test_repair_disturbs_no_worker(inbox: Inbox, clock: Clock) -> None:
    """While many workers take and finish, a repair that runs beside them changes nothing and makes nothing twice."""
    await accept(inbox, *(message(index, thread=str(index % 9), user=f"u{index % 4}") for index in range(60)))
    workers = [Claims(inbox, f"w{index}", clock=clock) for index in range(4)]

    async def repairs() -> int:
        return sum([await repair(inbox) for _ in range(6)])

    *done, repaired = await asyncio.gather(*(answer_all(one) for one in workers), repairs())

    assert 0 == repaired
    answered = [one for some in done if isinstance(some, list) for one in some]
    assert len(answered) == len(set(answered))
    rest = await answer_all(workers[0])
    assert 60 == len({*answered, *rest})
