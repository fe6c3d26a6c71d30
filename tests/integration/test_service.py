"""The durable core: one visible answer for each question, in order, whatever happens in between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio.connection import Connection

from bot.errors import BusyError, RefusedError, UnavailableError
from bot.messages import Audience
from bot.replies import Stage
from bot.requests import Cancelled, State
from bot.service import Role, Service
from bot.settings import Settings
from bot.store.client import Store, number
from bot.texts import REFUSAL
from tests.fakes import HeldAnswerer, MemoryChat, held_application, message
from tests.redis_servers import RedisServer

DEADLINE_S = 10.0
ROLES = frozenset({Role.ADAPTER, Role.WORKER})


class Running:
    """A service in a task, with all that a test looks at."""

    def __init__(self, store: Store, chat: MemoryChat, answerer: HeldAnswerer, **settings: object) -> None:
        self.store = store
        self.chat = chat
        self.answerer = answerer
        values = {"lease_s": 1.0, "rate_person": 0, "rate_channel": 0, "shutdown_grace_s": 5.0, **settings}
        self.service = Service(Settings.model_validate(values), held_application(answerer), store, [chat], ROLES)
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self.service.run(self.stop))

    async def started(self) -> None:
        """Wait until it accepts."""
        async with asyncio.timeout(DEADLINE_S):
            await self.service.started.wait()

    async def end(self) -> None:
        """Stop as SIGTERM does."""
        self.stop.set()
        await self.task


class MortalStore(Store):
    """A store whose process can die: from then on nothing reaches the server any more."""

    dead = False

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        if self.dead:
            raise UnavailableError("This process is dead.")
        async with super()._connection() as connection:
            yield connection


@asynccontextmanager
async def running(
    store: Store, chat: MemoryChat | None = None, answerer: HeldAnswerer | None = None, **settings: object
) -> AsyncIterator[Running]:
    """Run a service for the time of a test."""
    one = Running(store, chat or MemoryChat(), answerer or HeldAnswerer(), **settings)
    await one.started()
    try:
        yield one
    finally:
        one.answerer.release.set()
        await one.end()


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait for something that has no event of its own."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - polled on purpose, with a deadline
            await asyncio.sleep(0.005)


async def settled(one: Running) -> None:
    """Wait until every request is done."""
    async with asyncio.timeout(DEADLINE_S):
        while number(await one.store.call("XLEN", one.service.inbox.keys.inbox)):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)


async def begun(one: Running) -> None:
    """Wait until an answer is being written."""
    async with asyncio.timeout(DEADLINE_S):
        await one.answerer.begun.wait()
    one.answerer.begun.clear()


async def test_a_question_has_one_visible_message_that_becomes_its_answer(store: Store) -> None:
    """The placeholder is posted first, grows, and becomes the checked answer with its sources."""
    asked = message("What is QTL mapping?")
    async with running(store) as one:
        receipt = await one.service.reception.message(asked)
        await one.chat.until(asked)

        (post,) = one.chat.of(asked)
        assert (True, asked.request_id) == (receipt.new, receipt.request_id)
        assert Stage.WAITING == post.history[0].stage
        assert "About: What is QTL mapping? [1]" == post.now.text
        assert ("A document", True) == (post.now.citations[0].title, bool(post.now.handle))


async def test_deliveries_of_the_same_message_are_answered_once(store: Store) -> None:
    """Ten deliveries at the same time and one after the answer make one visible message."""
    asked = message("What is a haplotype?")
    async with running(store) as one:
        receipts = await asyncio.gather(*(one.service.reception.message(asked) for _ in range(10)))
        await one.chat.until(asked)
        late = await one.service.reception.message(asked)

        assert (1, False) == (sum(receipt.new for receipt in receipts), late.new)
        assert 1 == len(one.chat.posts)
        assert 1 == len(one.answerer.asked)


async def test_one_conversation_is_answered_in_order_and_others_beside_it(store: Store) -> None:
    """A slow first question holds back the second of its conversation and no other."""
    slow, second = message("slow one", number=1), message("the second", number=2)
    other = message("elsewhere", number=3, channel="c2", user="u2")
    async with running(store) as one:
        for asked in (slow, second, other):
            await one.service.reception.message(asked)
        await one.chat.until(other)
        unanswered = [bool(one.chat.of(asked)) and one.chat.of(asked)[0].now.final for asked in (slow, second)]
        one.answerer.release.set()
        await one.chat.until(slow, second)

        assert [False, False] == unanswered
        assert ["slow one", "the second"] == [
            asked.question for asked in one.answerer.asked if asked.question != "elsewhere"
        ]
        history = next(asked.history for asked in one.answerer.asked if asked.question == "the second")
        assert ["slow one", "About: slow one [1]"] == [turn.content for turn in history]


async def test_an_edited_question_restarts_its_answer(store: Store) -> None:
    """The answer in the same message is the one to the new text."""
    asked = message("slow first wording")
    async with running(store) as one:
        await one.service.reception.message(asked)
        await begun(one)
        assert await one.service.reception.edit(message("second wording", version="2"))
        await one.chat.until(asked)

        (post,) = one.chat.of(asked)
        assert "About: second wording [1]" == post.now.text


async def test_an_older_edit_changes_nothing(store: Store) -> None:
    """Edits that arrive out of order leave the newest text."""
    asked = message("slow first")
    async with running(store) as one:
        await one.service.reception.message(asked)
        await begun(one)
        await one.service.reception.edit(message("newest", version="1700000002.5"))
        await one.service.reception.edit(message("older", version="1700000001.5"))
        await one.chat.until(asked)

        assert "About: newest [1]" == one.chat.of(asked)[0].now.text


async def test_a_deleted_question_takes_its_placeholder_with_it(store: Store) -> None:
    """Nothing of a question that was deleted while it was answered stays visible, and the next one is answered."""
    asked, following = message("slow and deleted"), message("the next", number=2)
    async with running(store) as one:
        await one.service.reception.message(asked)
        await begun(one)
        await one.service.reception.message(following)
        assert await one.service.reception.delete(asked.place, asked.message_id)
        await one.chat.until(following)

        assert [] == one.chat.of(asked)
        assert "About: the next [1]" == one.chat.of(following)[0].now.text


async def test_a_deletion_that_overtakes_its_message_wins(store: Store) -> None:
    """A question that arrives after its own deletion is never shown."""
    asked, other = message("deleted early"), message("another", number=2, channel="c2")
    async with running(store) as one:
        await one.service.reception.delete(asked.place, asked.message_id)
        await one.service.reception.message(asked)
        await one.service.reception.message(other)
        await one.chat.until(other)

        assert [] == one.chat.of(asked)
        assert ["another"] == [seen.question for seen in one.answerer.asked]


@pytest.mark.parametrize("word", ["stop", "Stop!", "/stop"])
async def test_the_word_stop_ends_what_the_person_waits_for(store: Store, word: str) -> None:
    """The running answer says that it was stopped; the word itself gets no message of its own."""
    asked, stop = message("slow question"), message(word, number=2)
    async with running(store) as one:
        await one.service.reception.message(asked)
        await begun(one)
        await one.service.reception.message(stop)
        await one.chat.until(asked)
        await settled(one)

        assert "Stopped, as you asked." == one.chat.of(asked)[0].now.text
        assert [] == one.chat.of(stop)


async def test_stop_with_nothing_to_stop_says_so(store: Store) -> None:
    """Silence would look like a failure."""
    stop = message("stop")
    async with running(store) as one:
        await one.service.reception.message(stop)
        await one.chat.until(stop)

        assert "There is nothing of yours to stop here." == one.chat.of(stop)[0].now.text


async def test_only_who_asked_can_stop_by_button(store: Store) -> None:
    """Another person, and the same person in another channel, stop nothing."""
    asked = message("slow question", audience=Audience.PRIVATE)
    elsewhere = message("", channel="c9")
    async with running(store) as one:
        await one.service.reception.message(asked)
        await begun(one)
        other = message("", user="u2").sender
        refused = [
            await one.service.reception.stop(asked.place, other, request_id=asked.request_id),
            await one.service.reception.stop(elsewhere.place, asked.sender, request_id=asked.request_id),
        ]
        done = await one.service.reception.stop(asked.place, asked.sender, request_id=asked.request_id)
        await one.chat.until(asked)

        assert ([False, False], True) == (refused, done)


async def test_a_lost_response_to_a_post_makes_no_second_message(store: Store) -> None:
    """The message whose id was lost is found by its key."""
    asked = message("What is LOD?")
    chat = MemoryChat()
    chat.lost.append(UnavailableError("the connection broke", retry_after_s=0.01))
    async with running(store, chat) as one:
        await one.service.reception.message(asked)
        await chat.until(asked)

        assert 1 == len(chat.posts)
        assert "find" in chat.calls


async def test_a_worker_that_dies_in_the_middle_is_replaced(store: Store, redis_server: RedisServer) -> None:
    """Another process takes over when the lease has ended, and finishes in the same message."""
    asked = message("slow question")
    chat = MemoryChat()
    mortal = MortalStore(redis_server.url, prefix=store.prefix)
    first = Running(mortal, chat, HeldAnswerer())
    await first.started()
    await first.service.reception.message(asked)
    await begun(first)
    mortal.dead = True
    first.task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first.task
    second_answerer = HeldAnswerer()
    second_answerer.release.set()
    async with running(store, chat, second_answerer):
        await chat.until(asked)

    (post,) = chat.of(asked)
    assert "About: slow question [1]" == post.now.text
    assert 1 == len(second_answerer.asked)
    await mortal.close()


async def test_an_answer_that_is_complete_is_not_written_again(store: Store) -> None:
    """When only showing it failed, the same text is shown by the next attempt."""
    asked = message("slow once")
    chat = MemoryChat()
    async with running(store, chat) as one:
        await one.service.reception.message(asked)
        await begun(one)
        chat.failures += [UnavailableError("away", retry_after_s=0.01)] * 3
        one.answerer.release.set()
        await chat.until(asked)

        assert 1 == len(one.answerer.asked)
        assert 1 == len(chat.of(asked))


async def test_a_question_that_fails_again_and_again_gets_one_apology(store: Store) -> None:
    """The apology names the reference, the question goes to the dead letters, and the next one is answered."""
    asked, following = message("bad"), message("good", number=2)
    answerer = HeldAnswerer()
    answerer.failures += [ZeroDivisionError("a defect")] * 2
    async with running(store, answerer=answerer, max_failures=2) as one:
        await one.service.reception.message(asked)
        await one.service.reception.message(following)
        await one.chat.until(asked, following)
        dead = await store.call("XLEN", one.service.inbox.keys.dead)

        (post,) = one.chat.of(asked)
        assert asked.request_id in post.now.text
        assert (False, 1) == (post.now.answered, number(dead))
        assert "About: good [1]" == one.chat.of(following)[0].now.text


async def test_a_question_the_documents_do_not_answer_gets_a_reference(store: Store) -> None:
    """The person reads why, and the reference is one that the inbox knows."""
    asked = message("unknown thing")
    async with running(store) as one:
        await one.service.reception.message(asked)
        await one.chat.until(asked)
        await settled(one)
        reply = one.chat.of(asked)[0].now
        found = await one.service.inbox.find(reply.reference)

        assert (False, asked.request_id) == (reply.answered, reply.reference)
        assert found is not None
        assert (State.DONE, "") == (found.state, found.message.text)


async def test_a_busy_model_is_asked_again(store: Store) -> None:
    """A full queue of the model is no failure of the question."""
    asked = message("hello there")
    answerer = HeldAnswerer()
    answerer.failures.append(BusyError("full"))
    async with running(store, answerer=answerer) as one:
        await one.service.reception.message(asked)
        await one.chat.until(asked)

        (post,) = one.chat.of(asked)
        assert post.now.answered
        assert any("The model is busy" in reply.text for reply in post.history)


async def test_a_repeated_question_is_answered_from_the_cache_and_says_so(store: Store) -> None:
    """Another person in the same channel gets the same answer at once; "again" gets a new one."""
    first, second = message("What is BXD?", number=1), message("What is BXD", number=2, user="u2", thread="t2")
    again = message("again", number=3, user="u2", thread="t2")
    async with running(store) as one:
        for asked in (first, second, again):
            await one.service.reception.message(asked)
            await one.chat.until(asked)

        assert 2 == len(one.answerer.asked)
        note = one.chat.of(second)[0].now.note
        assert "answered" in note
        assert "" == one.chat.of(again)[0].now.note


async def test_an_answer_with_a_lone_surrogate_is_shown(store: Store) -> None:
    """A model may write what UTF-8 cannot hold; the rest of its answer is given all the same."""
    asked = message("odd")
    answerer = HeldAnswerer()
    answerer.text = "half a sign: \ud83d. [1]"
    async with running(store, answerer=answerer) as one:
        await one.service.reception.message(asked)
        await one.chat.until(asked)

        assert "half a sign: ?. [1]" == one.chat.of(asked)[0].now.text


async def test_who_asks_too_often_is_told_when_to_come_back(store: Store) -> None:
    """The refusal is a sentence with a time, and takes no place in the queue."""
    asked = [message(f"question {place}", number=place) for place in range(1, 4)]
    async with running(store, rate_person=2) as one:
        for each in asked:
            await one.service.reception.message(each)
        await one.chat.until(*asked)

        texts = [one.chat.of(each)[0].now.text for each in asked]
        assert texts[2].startswith("That were many questions in a short time. Please ask again in ")
        assert 2 == len(one.answerer.asked)


async def test_people_who_wait_see_where_they_stand(store: Store) -> None:
    """The position is shown in the message that becomes the answer, and it changes."""
    slow = [message("slow", number=place, channel=f"c{place}", user=f"u{place}") for place in range(1, 4)]
    async with running(store, answers_at_once=1) as one:
        for each in slow:
            await one.service.reception.message(each)
        await until(lambda: all(one.chat.of(each) for each in slow))
        shown = [one.chat.of(each)[0].history[0].text for each in slow]
        one.answerer.release.set()
        await one.chat.until(*slow)

        assert ["Reading the documents …", "Your question is next.", "1 question is ahead of yours."] == shown
        assert [1, 1, 1] == [len(one.chat.of(each)) for each in slow]


async def test_a_place_where_the_bot_may_not_post_ends_in_the_dead_letters(store: Store) -> None:
    """A refused post is not tried for ever."""
    asked, other = message("hello"), message("other", number=2, channel="c2")
    chat = MemoryChat()
    chat.failures.append(RefusedError("The bot was removed from the channel."))
    async with running(store, chat) as one:
        await one.service.reception.message(asked)
        await until(lambda: chat.calls)
        await one.service.reception.message(other)
        await chat.until(other)
        await until(lambda: not chat.failures)
        dead = await store.call("XLEN", one.service.inbox.keys.dead)

        assert (0, 1) == (len(chat.of(asked)), number(dead))


async def test_stopping_hands_back_what_cannot_finish(store: Store) -> None:
    """A question that runs too long at SIGTERM waits for the next start, counted neither as failure nor as death."""
    asked = message("slow question")
    chat = MemoryChat()
    first = Running(store, chat, HeldAnswerer(), shutdown_grace_s=0.05)
    await first.started()
    await first.service.reception.message(asked)
    await begun(first)
    await first.end()
    found = await first.service.inbox.find(asked.request_id)
    with pytest.raises(UnavailableError):
        await first.service.reception.message(message("too late", number=2))
    async with running(store, chat) as second:
        second.answerer.release.set()
        await chat.until(asked)

    assert found is not None
    assert (State.WAITING, 0, 0) == (found.state, found.failures, found.deaths)
    assert 1 == len(chat.of(asked))


async def test_an_outage_of_redis_in_the_middle_of_an_answer(tmp_path: object) -> None:
    """Nothing is accepted while Redis is away; the answer is there after its return, once."""
    with RedisServer() as server:
        store = Store(server.url)
        asked, later = message("slow question"), message("later", number=2, channel="c2")
        async with running(store) as one:
            await one.service.reception.message(asked)
            await begun(one)
            await asyncio.to_thread(server.stop)
            with pytest.raises(UnavailableError):
                await one.service.reception.message(later)
            await until(lambda: not one.service.health.ready())
            one.answerer.release.set()
            await asyncio.to_thread(server.start)
            await one.chat.until(asked)
            await until(lambda: one.service.health.ready())
            await one.service.reception.message(later)
            await one.chat.until(later)

            assert 1 == len(one.chat.of(asked))
        await store.close()


async def test_votes_and_passages_need_the_handle_and_the_channel(store: Store) -> None:
    """A handle works in its channel only; a made-up one nowhere."""
    asked = message("What is BXD?", audience=Audience.PRIVATE)
    async with running(store) as one:
        await one.service.reception.message(asked)
        await one.chat.until(asked)
        handle = one.chat.of(asked)[0].now.handle
        elsewhere = message("", channel="c9").place
        votes = [
            await one.service.reception.vote(asked.place, asked.sender, handle, "down", "wrong mouse"),
            await one.service.reception.vote(elsewhere, asked.sender, handle, "down"),
            await one.service.reception.vote(asked.place, asked.sender, "x" * 22, "down"),
        ]
        opinions = await one.service.feedback.list(limit=10)

        assert [True, False, False] == votes
        assert [("down", "wrong mouse")] == [(opinion.vote, opinion.comment) for opinion in opinions]


async def test_nothing_of_an_answered_question_is_left_open(store: Store) -> None:
    """The stream, the lines and the turns are empty when everything is answered."""
    asked = [message(f"question {place}", number=place, channel=f"c{place % 3}") for place in range(1, 13)]
    async with running(store) as one:
        for each in asked:
            await one.service.reception.message(each)
        await one.service.inbox.cancel(asked[5].request_id, Cancelled.STOPPED)
        await one.chat.until(*asked)
        await settled(one)

        keys = one.service.inbox.keys
        assert 0 == number(await store.call("EXISTS", keys.ring, keys.quick, keys.delayed))


def test_a_refusal_is_recognisable() -> None:
    """What tests and people rely on."""
    assert "The documents do not say." == REFUSAL
