"""What was accepted before its chat could be asked about it: it waits, and is answered with the rights of then."""

from __future__ import annotations

import asyncio
import dataclasses
import time

from bot.errors import RefusedError, UnavailableError
from bot.messages import Audience, IncomingMessage, Sender
from bot.queue_notices import QueueNotices
from bot.requests import Cancelled, Kind
from bot.store.client import Store, number
from bot.store.leader import Leader
from bot.texts import not_allowed_here
from tests.fakes import HeldAnswerer, MemoryChat, message
from tests.integration.test_service import MortalStore, Running, running, settled
from tests.redis_servers import RedisServer

MEMBER = Sender("memory", "w1", "u1", "Ada")


def uncertain(text: str = "What is BXD?", *, order: int = 1, workspace: str = "w1") -> IncomingMessage:
    """Return a message as it is accepted before anybody could be asked: a stranger's, who writes for everybody."""
    asked = message(text, number=order, audience=Audience.SHARED)
    return dataclasses.replace(asked, sender=Sender("memory", workspace, "u1", external=True), certain=False)


def described(asked: IncomingMessage, audience: Audience = Audience.PRIVATE, by: Sender = MEMBER) -> IncomingMessage:
    """Return a message as the chat describes it when it is asked."""
    place = dataclasses.replace(asked.place, audience=audience)
    return dataclasses.replace(asked, place=place, sender=by, certain=True)


class Away(MemoryChat):
    """A chat that says nothing of its messages until `back`."""

    def __init__(self) -> None:
        super().__init__()
        self.back = False
        self.asked = asyncio.Event()

    async def ascertain(self, message: IncomingMessage) -> IncomingMessage | None:
        """Fail while it is away."""
        self.asked.set()
        if not self.back:
            raise UnavailableError("The chat is away.", retry_after_s=0.0)
        return await super().ascertain(message)


async def was_asked(chat: Away, times: int = 1) -> None:
    """Wait until the chat was asked so many times more."""
    for _ in range(times):
        chat.asked.clear()
        async with asyncio.timeout(10):
            await chat.asked.wait()


async def scopes_searched(one: Running) -> list[int]:
    """Return how many scopes were searched for each answer."""
    keys = await one.store.call("KEYS", f"{one.store.prefix}*given:*")
    assert isinstance(keys, list)
    found = [await one.service.given.find(str(key).rpartition(":")[2]) for key in keys]
    return sorted(len(given.scopes) for given in found if given is not None)


async def test_a_member_is_answered_with_what_the_channel_may_see(store: Store) -> None:
    """The chat's word counts, not what was assumed in its place, and it is asked once."""
    asked, chat = uncertain(), MemoryChat()
    chat.described[asked.message_id] = described(asked)
    async with running(store, chat) as one:
        await one.service.reception.message(asked)
        await chat.until(asked)
        await settled(one)

        assert 1 == chat.calls.count("ascertain")
        assert "About: What is BXD? [1]" == chat.of(asked)[0].now.text
        assert [2] == await scopes_searched(one)


async def test_an_external_person_stays_unanswered(store: Store) -> None:
    """As one whom the chat had described at once; no answer is written."""
    asked, chat = uncertain(), MemoryChat()
    stranger = Sender("memory", "w9", "u1", external=True)
    chat.described[asked.message_id] = described(asked, Audience.SHARED, stranger)
    async with running(store, chat) as one:
        await one.service.reception.message(asked)
        await chat.until(asked)

        assert not_allowed_here() == chat.of(asked)[0].now.text
        assert [] == one.answerer.asked


async def test_nothing_is_shown_while_the_chat_does_not_say_who_asks(store: Store) -> None:
    """The question stays open, is tried again, and is answered once the chat is back."""
    asked, chat = uncertain(), Away()
    async with running(store, chat) as one:
        receipt = await one.service.reception.message(asked)
        await was_asked(chat, 2)
        before = (await one.service.inbox.find(receipt.request_id), list(chat.posts))
        chat.described[asked.message_id], chat.back = described(asked), True
        await chat.until(asked)

        assert before[0] is not None
        assert (False, []) == (before[0].message.certain, before[1])
        assert 1 == len(chat.posts)


async def test_an_uncertain_question_survives_its_process(store: Store, redis_server: RedisServer) -> None:
    """The next process asks the chat about it."""
    asked, chat = uncertain(), Away()
    mortal = MortalStore(redis_server.url, prefix=store.prefix.rstrip(":"))
    first = Running(mortal, chat, HeldAnswerer())
    await first.started()
    await first.service.reception.message(asked)
    await was_asked(chat)
    mortal.dead = True
    first.task.cancel()
    await asyncio.gather(first.task, return_exceptions=True)
    await mortal.close()
    chat.described[asked.message_id], chat.back = described(asked), True
    async with running(store, chat):
        await chat.until(asked)

    assert 1 == len(chat.of(asked))


async def test_the_audience_is_that_of_the_answer_not_of_the_question(store: Store) -> None:
    """A channel that was opened to others while its question waited shows nothing of its own there any more."""
    private = message("Hello", number=1, audience=Audience.PRIVATE)
    asked, chat = uncertain("What is BXD?", order=2), Away()
    async with running(store, chat) as one:
        await one.service.reception.message(private)
        await chat.until(private)
        await one.service.reception.message(asked)
        await was_asked(chat)
        chat.described[asked.message_id] = described(asked, Audience.PUBLIC)
        chat.back = True
        await chat.until(asked)
        await settled(one)

        assert [1, 2] == await scopes_searched(one)


async def test_what_is_not_for_the_bot_ends_without_a_word(store: Store) -> None:
    """Nothing was shown, nothing is kept, and its conversation goes on."""
    asked, after, chat = uncertain(), message("What is LOD?", number=2), MemoryChat()
    chat.described[asked.message_id] = None
    async with running(store, chat) as one:
        receipt = await one.service.reception.message(asked)
        await one.service.reception.message(after)
        await chat.until(after)
        await settled(one)
        found = await one.service.inbox.find(receipt.request_id)

        assert [] == chat.of(asked)
        assert found is not None
        assert "not for the bot" == found.outcome


async def test_a_place_that_is_gone_ends_among_the_given_up(store: Store) -> None:
    """Nobody can be told there; an operator finds it."""
    asked, chat = uncertain(), MemoryChat()
    chat.failures.append(RefusedError("The bot was removed from the channel."))
    async with running(store, chat) as one:
        await one.service.reception.message(asked)
        await settled(one)

        assert 1 == number(await one.store.call("XLEN", one.service.inbox.keys.dead))
        assert {} == chat.posts


async def test_an_edit_meanwhile_is_answered(store: Store) -> None:
    """What the chat says of the message is kept, and the new words are asked."""
    asked, chat = uncertain(), Away()
    edited = dataclasses.replace(asked, text="What is a marker?", version="1")
    async with running(store, chat) as one:
        await one.service.reception.message(asked)
        await was_asked(chat)
        await one.service.reception.edit(edited)
        chat.described[asked.message_id], chat.back = described(asked), True
        await chat.until(asked)
        await settled(one)

        assert "About: What is a marker? [1]" == chat.of(asked)[0].now.text
        assert [2] == await scopes_searched(one)


async def test_a_deletion_needs_no_word_of_the_chat(store: Store) -> None:
    """Nothing was shown, so nothing has to be removed."""
    asked, chat = uncertain(), Away()
    async with running(store, chat) as one:
        await one.service.reception.message(asked)
        await was_asked(chat)
        await one.service.reception.delete(asked.place, asked.message_id)
        await settled(one)

        assert {} == chat.posts


async def test_a_person_stops_what_they_asked_before_they_were_looked_up(store: Store) -> None:
    """In the channel an account is known by its id; somebody else stops nothing."""
    asked, chat = uncertain("slow", workspace="w7"), Away()
    async with running(store, chat) as one:
        receipt = await one.service.reception.message(asked)
        await was_asked(chat)
        other = await one.service.reception.stop(asked.place, Sender("memory", "w1", "u2"))
        stopped = await one.service.reception.stop(asked.place, MEMBER)
        found = await one.service.inbox.find(receipt.request_id)
        chat.described[asked.message_id], chat.back = described(asked), True
        await chat.until(asked)

        assert (False, True) == (other, stopped)
        assert found is not None
        assert Cancelled.STOPPED is found.cancelled
        assert [] == one.answerer.asked


async def test_a_stop_of_an_account_known_by_its_id_alone_counts(store: Store) -> None:
    """A platform may not say of which workspace who pressed Stop is."""
    asked, chat = message("slow"), MemoryChat()
    async with running(store, chat) as one:
        await one.service.reception.message(asked)
        await one.answerer.begun.wait()
        stopped = await one.service.reception.stop(asked.place, Sender("memory", "", "u1", external=True))
        await chat.until(asked)

        assert stopped


async def test_who_waits_is_told_so_only_once_it_is_known_who_it_is(store: Store) -> None:
    """A position in the queue is something that is shown."""
    asked, member, chat = uncertain(), uncertain(order=2), Away()
    async with running(store) as idle:
        await idle.end()
        inbox = idle.service.inbox
        member = dataclasses.replace(member, place=dataclasses.replace(member.place, thread="t2"))
        await inbox.accept([asked, member])
        chat.described = {asked.message_id: None, member.message_id: described(member)}
        leader = Leader(store, "notices", "p1", lease_s=5.0)
        notices = QueueNotices(inbox, lambda _: chat, leader, clock=lambda: time.time() + 60)
        await notices.tell()
        away = dict(chat.posts)
        chat.back = True
        notices = QueueNotices(inbox, lambda _: chat, leader, clock=lambda: time.time() + 60)
        await notices.tell()

        assert {} == away
        assert [member.request_id] == [post.key for post in chat.posts.values()]
        kept = await inbox.find(member.request_id)
        assert kept is not None
        assert (Kind.QUESTION, False) == (kept.kind, kept.message.certain)
