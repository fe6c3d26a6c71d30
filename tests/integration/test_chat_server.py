"""The scripted chat server and its adapter: that they misbehave as the soak needs it, and no further."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from bot.chat import Vote
from bot.errors import BotError, BusyError, InvalidRequestError, NotFoundError, RefusedError, UnavailableError
from bot.evidence import CitedPassage
from bot.messages import IncomingMessage, Place, Sender
from bot.replies import Reply, Stage
from tests.chat_adapter import ScriptedChat
from tests.chat_process import ChatProcess
from tests.chat_records import ChatEvent, EventKind, Faults, Snapshot
from tests.fakes import NothingGiven

PLACE = Place("scripted", "", "C1", "t1")
QUESTION = ChatEvent(EventKind.MESSAGE, "C1", "m1", "ada", "What is the BXD family?", "t1", 1.0)
WAITING = Reply(Stage.WAITING, "Reading …")
FINAL = Reply(Stage.FINAL, "A family of strains.", reference="r1")


@dataclasses.dataclass(frozen=True, slots=True)
class _Receipt:
    request_id: str
    new: bool = True


class _Taken(NothingGiven):
    """A reception that notes what it is given; raises `refusals` first, one per call."""

    def __init__(self, *refusals: BotError) -> None:
        self.refusals = list(refusals)
        self.calls: list[tuple[str, str]] = []

    def _note(self, what: str, message_id: str) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.calls.append((what, message_id))

    async def message(self, message: IncomingMessage) -> _Receipt:
        self._note("message", message.message_id)
        return _Receipt(message.request_id)

    async def edit(self, message: IncomingMessage) -> bool:
        self._note(f"edit {message.text}", message.message_id)
        return True

    async def delete(self, place: Place, message_id: str) -> bool:
        self._note("delete", message_id)
        return True

    async def stop(self, place: Place, by: Sender, *, request_id: str = "") -> bool:
        self._note(f"stop by {by.user}", request_id)
        return True

    async def vote(self, place: Place, by: Sender, handle: str, vote: Vote, comment: str = "") -> bool:
        raise NotImplementedError

    async def withdraw(self, place: Place, by: Sender, handle: str, vote: Vote) -> bool:
        raise NotImplementedError

    async def passages(self, place: Place, by: Sender, handle: str) -> Sequence[CitedPassage]:
        raise NotImplementedError


@pytest.fixture
async def chat() -> AsyncIterator[ChatProcess]:
    """A server that behaves well."""
    async with ChatProcess() as process:
        yield process


@pytest.fixture
async def adapter(chat: ChatProcess) -> AsyncIterator[ScriptedChat]:
    """An adapter that only posts."""
    async with ScriptedChat(chat.url) as made:
        yield made


@asynccontextmanager
async def connected(chat: ChatProcess, reception: _Taken) -> AsyncIterator[None]:
    """A replica: an adapter that delivers to `reception`."""
    async with ScriptedChat(chat.url) as adapter:
        running = asyncio.create_task(adapter.run(reception))
        try:
            yield
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


def all_acknowledged(snapshot: Snapshot) -> bool:
    """True when an adapter has taken every event."""
    return all(record.acknowledged for record in snapshot.events)


def numbered(count: int) -> list[ChatEvent]:
    """Questions of one conversation."""
    return [dataclasses.replace(QUESTION, message_id=f"m{n}", order=float(n)) for n in range(count)]


async def test_events_of_every_kind_arrive_and_are_acknowledged(chat: ChatProcess) -> None:
    """A message, its edit, its deletion and a stop reach the reception, each once."""
    reception = _Taken()
    async with connected(chat, reception):
        for kind in EventKind:
            await chat.send(dataclasses.replace(QUESTION, kind=kind, text="again", version="2"))
        snapshot = await chat.until(all_acknowledged)

    request = IncomingMessage(PLACE, Sender("scripted", "", "ada"), "m1", "", 0.0).request_id
    assert {("message", "m1"), ("edit again", "m1"), ("delete", "m1"), ("stop by ada", request)} == set(reception.calls)
    assert [1] * 4 == [len(record.deliveries) for record in snapshot.events]


async def test_several_adapters_share_the_events(chat: ChatProcess) -> None:
    """Each event goes to one of the adapters, and each of them gets some."""
    first, second = _Taken(), _Taken()
    async with connected(chat, first), connected(chat, second):
        await chat.until(lambda snapshot: snapshot.adapters == 2)
        for event in numbered(20):
            await chat.send(event)
        await chat.until(all_acknowledged)

    assert (10, 10) == (len(first.calls), len(second.calls))
    assert 20 == len(set(first.calls + second.calls))


async def test_some_events_are_delivered_twice(chat: ChatProcess) -> None:
    """A share of the events arrives again though it was acknowledged."""
    reception = _Taken()
    await chat.misbehave(Faults(twice=0.5, twice_within_s=0.05))
    async with connected(chat, reception):
        for event in numbered(40):
            await chat.send(event)
        twice = sum(len(record.deliveries) == 2 for record in (await chat.until(_settled)).events)

    assert 10 <= twice <= 30
    assert 40 + twice == len(reception.calls)


def _settled(snapshot: Snapshot) -> bool:
    """True when every delivery was acknowledged, and some event had two."""
    deliveries = sum(len(record.deliveries) for record in snapshot.events)
    acknowledged = sum(len(record.acknowledged) for record in snapshot.events)
    return all_acknowledged(snapshot) and deliveries == acknowledged >= 50


@pytest.mark.parametrize("refusal", [UnavailableError("away"), BusyError("full")])
async def test_what_was_not_stored_is_delivered_again(chat: ChatProcess, refusal: BotError) -> None:
    """An event that the reception could not store is not acknowledged, and comes again."""
    reception = _Taken(refusal)
    await chat.misbehave(Faults(redeliver_s=0.1))
    async with connected(chat, reception):
        await chat.send(QUESTION)
        snapshot = await chat.until(all_acknowledged)

    assert [("message", "m1")] == reception.calls
    assert 2 == len(snapshot.events[0].deliveries)


async def test_a_malformed_event_is_acknowledged(chat: ChatProcess) -> None:
    """What would be refused again is not delivered again."""
    reception = _Taken(InvalidRequestError("no text"))
    async with connected(chat, reception):
        await chat.send(QUESTION)
        snapshot = await chat.until(all_acknowledged)

    assert [] == reception.calls
    assert 1 == len(snapshot.events[0].deliveries)


async def test_an_event_whose_connection_broke_is_delivered_again(chat: ChatProcess) -> None:
    """It goes to the adapter's next connection without waiting for the time of redelivery."""
    reception = _Taken(UnavailableError("away"))
    await chat.misbehave(Faults(redeliver_s=1000))
    async with connected(chat, reception):
        await chat.send(QUESTION)
        await chat.until(lambda snapshot: bool(snapshot.events[0].deliveries) and not reception.refusals)
        await chat.disconnect()
        await chat.until(all_acknowledged)

    assert [("message", "m1")] == reception.calls


async def test_events_can_overtake_one_another(chat: ChatProcess) -> None:
    """Of a conversation whose events are reordered, some arrive before earlier ones; none is lost."""
    reception = _Taken()
    await chat.misbehave(Faults(reordered=0.5, held_s=0.2))
    async with connected(chat, reception):
        for event in numbered(20):
            await chat.send(event)
        await chat.until(all_acknowledged)

    arrived = [int(message_id[1:]) for _, message_id in reception.calls]
    assert list(range(20)) == sorted(arrived) != arrived


async def test_a_reply_is_posted_edited_found_and_removed(chat: ChatProcess, adapter: ScriptedChat) -> None:
    """All states of a message are recorded, and it is found by its key while it is visible."""
    post_id = await adapter.post(PLACE, WAITING, key="k", answers="m1")
    await adapter.edit(PLACE, post_id, FINAL)
    found = await adapter.find(PLACE, "k", answers="m1")
    other = await adapter.find(dataclasses.replace(PLACE, channel="C2"), "k", answers="m1")
    await adapter.remove(PLACE, post_id)
    await adapter.remove(PLACE, post_id)

    assert (post_id, None) == (found, other)
    assert await adapter.find(PLACE, "k", answers="m1") is None
    (post,) = (await chat.snapshot()).posts
    assert [(Stage.WAITING, "Reading …"), (Stage.FINAL, "A family of strains.")] == [
        (version.body.stage, version.body.text) for version in post.versions
    ]
    assert ("k", "m1", "t1", False) == (post.key, post.answers, post.thread, post.visible)
    with pytest.raises(NotFoundError):
        await adapter.edit(PLACE, post_id, FINAL)


async def test_two_posts_are_two_messages(chat: ChatProcess, adapter: ScriptedChat) -> None:
    """As on Slack, the key does not keep a second message away."""
    await adapter.post(PLACE, WAITING, key="k", answers="m1")
    await adapter.post(PLACE, WAITING, key="k", answers="m1")

    assert 2 == len((await chat.snapshot()).posts)


async def test_a_lost_response_leaves_the_outcome_unknown(chat: ChatProcess, adapter: ScriptedChat) -> None:
    """The post fails, and yet the message is there and can be found."""
    await chat.misbehave(Faults(lost=1.0))
    with pytest.raises(UnavailableError):
        await adapter.post(PLACE, WAITING, key="k", answers="m1")
    await chat.misbehave(Faults())

    assert "p1" == await adapter.find(PLACE, "k", answers="m1")


async def test_refusals_of_the_server_are_our_errors(chat: ChatProcess, adapter: ScriptedChat) -> None:
    """Status 500 and 429 say when to try again, where they say so, and 403 is a refusal; nothing is posted."""
    await chat.misbehave(Faults(away_s=1000))
    with pytest.raises(UnavailableError) as away:
        await adapter.post(PLACE, WAITING, key="k", answers="m1")
    await chat.misbehave(Faults(limited_s=30))
    with pytest.raises(UnavailableError) as limited:
        await adapter.post(PLACE, WAITING, key="k", answers="m1")
    await chat.misbehave(Faults(refused=("C1",)))
    with pytest.raises(RefusedError):
        await adapter.post(PLACE, WAITING, key="k", answers="m1")

    assert away.value.retry_after_s is None
    assert 29 < (limited.value.retry_after_s or 0) <= 30
    assert [] == (await chat.snapshot()).posts


async def test_a_server_that_is_gone_is_away() -> None:
    """Nobody listening is an UnavailableError too."""
    async with ChatProcess() as chat, ScriptedChat(chat.url) as adapter:
        await chat.__aexit__(None, None, None)
        with pytest.raises(UnavailableError):
            await adapter.find(PLACE, "k", answers="m1")
