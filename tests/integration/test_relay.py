"""Posting through another process: a `RelayedChat` and a `RelayServer` on one real Redis."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest

from bot.chat import ChatAdapter
from bot.errors import (
    BotError,
    BusyError,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    SettingsError,
    UnavailableError,
)
from bot.evidence import Citation
from bot.messages import Audience, IncomingMessage, Place, Sender
from bot.replies import Attachment, Reply, Stage
from bot.store.client import Store, number
from bot.store.errors import AWAY
from bot.store.relay import MAX_WAITING, RelayedChat, RelayServer
from bot.store.relay_calls import MAX_ATTACHED
from tests.fakes import MemoryChat
from tests.redis_servers import RedisServer

PLACE = Place("memory", "w1", "c1", "t1", Audience.SHARED)


ASKED = IncomingMessage(PLACE, Sender("memory", "w1", "u1", external=True), "m1", "What is BXD?", 1.0, certain=False)


def draft(text: str) -> Reply:
    return Reply(Stage.DRAFT, text)


def final(text: str) -> Reply:
    return Reply(Stage.FINAL, text)


class HeldChat(MemoryChat):
    """A chat whose calls wait for `release`."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.release = asyncio.Event()

    async def edit(self, place: Place, post_id: str, reply: Reply) -> None:
        """Wait, then show."""
        self.begun.set()
        await self.release.wait()
        await super().edit(place, post_id, reply)


@contextlib.asynccontextmanager
async def served(
    store: Store, adapter: ChatAdapter, *, process: str = "p1", lease_s: float = 5
) -> AsyncIterator[RelayServer]:
    """Serve a chat, from when its presence is known."""
    server = RelayServer(store, adapter, process, lease_s=lease_s)
    task = asyncio.create_task(server.run())
    try:
        await until(lambda: _there(store, adapter.name))
        yield server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _there(store: Store, name: str) -> bool:
    return await store.call("EXISTS", store.key("adapter", name)) == 1


async def until(condition: Callable[[], Awaitable[object]], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.002)


async def keys(store: Store) -> set[str]:
    found = await store.call("KEYS", store.key("*"))
    assert isinstance(found, list)
    return {str(key).removeprefix(store.prefix + ":").partition(":")[0] for key in found}


async def test_every_call_reaches_the_chat_as_it_was_made(store: Store) -> None:
    """Post, find, edit and remove, with everything a reply holds; nothing stays in Redis but who is there."""
    adapter = MemoryChat(draft_interval_s=2.5)
    relayed: ChatAdapter = RelayedChat(store, "memory")
    reply = Reply(
        Stage.FINAL,
        "Text [1] ü 🧬\x00",
        (Citation(1, "Title", "a.md", None, "quote"),),
        note="From a cache.",
        reference="r1",
        handle="h1",
        attachments=(Attachment("a.bin", "application/x", bytes(range(256))), Attachment("b", "text/plain", b"")),
    )
    async with served(store, adapter):
        post_id = await relayed.post(PLACE, draft("…"), key="k1", answers="m1")
        await relayed.edit(PLACE, post_id, reply)
        found = [await relayed.find(PLACE, key, answers="m1") for key in ("k1", "k2")]
        await relayed.remove(PLACE, post_id)
        left = await keys(store)

    assert ("k1", PLACE, [draft("…"), reply]) == (
        adapter.posts["p1"].key,
        adapter.posts["p1"].place,
        adapter.posts["p1"].history,
    )
    assert [post_id, None] == found
    assert adapter.posts["p1"].removed
    assert 2.5 == relayed.draft_interval_s
    assert {"adapter"} == left


async def test_a_chat_elsewhere_says_what_was_uncertain_of_a_message(store: Store) -> None:
    """Who wrote it and who reads along, or that it is nothing for the bot."""
    adapter = MemoryChat()
    relayed: ChatAdapter = RelayedChat(store, "memory")
    known = dataclasses.replace(ASKED, sender=Sender("memory", "w1", "u1", "Ada"), certain=True)
    other = dataclasses.replace(ASKED, message_id="m2")
    adapter.described = {ASKED.message_id: known, other.message_id: None}
    async with served(store, adapter):
        told = [await relayed.ascertain(one) for one in (ASKED, other)]

    assert [known, None] == told


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequestError("a"),
        NotFoundError("b"),
        RefusedError("c"),
        BusyError("d"),
        SettingsError("e"),
        BotError("f"),
        UnavailableError("g"),
        UnavailableError("h", retry_after_s=7.5),
    ],
)
async def test_an_error_of_the_chat_is_raised_as_the_same(store: Store, error: BotError) -> None:
    """With its sentence and when to try again."""
    adapter = MemoryChat()
    adapter.failures.append(error)
    async with served(store, adapter):
        with pytest.raises(BotError) as caught:
            await RelayedChat(store, "memory").post(PLACE, draft("…"), key="k", answers="m")

    assert type(error) is type(caught.value)
    assert str(error) == str(caught.value)
    assert getattr(error, "retry_after_s", None) == getattr(caught.value, "retry_after_s", None)


async def test_an_error_of_the_adapters_own_arrives_as_the_nearest_that_both_know(store: Store) -> None:
    """Other processes do not know its class."""

    class RateLimitedError(UnavailableError):
        """Of one chat."""

    adapter = MemoryChat()
    adapter.failures.append(RateLimitedError("slowly", retry_after_s=3))
    async with served(store, adapter):
        with pytest.raises(UnavailableError, match="slowly") as caught:
            await RelayedChat(store, "memory").remove(PLACE, "p1")

    assert 3 == caught.value.retry_after_s


async def test_a_defect_of_the_chat_is_logged_where_it_is_and_a_sentence_elsewhere(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """And the next call is served."""
    adapter = MemoryChat()
    relayed = RelayedChat(store, "memory")
    async with served(store, adapter):
        with pytest.raises(BotError, match="unforeseen") as caught:
            await relayed.remove(PLACE, "never posted")  # MemoryChat raises KeyError
        posted = await relayed.post(PLACE, draft("…"), key="k", answers="m")

    assert not caught.value.retryable
    assert "p1" == posted
    assert ["the chat memory failed"] == caplog.messages


async def test_where_nobody_is_connected_a_call_fails_at_once_and_is_never_done(store: Store) -> None:
    """Not even when a process connects right after."""
    relayed = RelayedChat(store, "memory", timeout_s=30)
    begun = time.monotonic()
    with pytest.raises(UnavailableError, match="memory") as caught:
        await relayed.post(PLACE, draft("…"), key="k", answers="m")
    took_s = time.monotonic() - begun
    adapter = MemoryChat()
    async with served(store, adapter):
        await relayed.find(PLACE, "k", answers="m")

    assert caught.value.retryable
    assert took_s < 5
    assert ["find"] == adapter.calls


async def test_a_call_that_nobody_waits_for_any_more_is_dropped(store: Store) -> None:
    """Its process was stopped until the caller had given up; what comes after is served."""
    await store.call("SET", store.key("adapter", "memory"), '{"v":1,"process_id":"p1","draft_interval_s":1.0}')
    with pytest.raises(UnavailableError):
        await RelayedChat(store, "memory", timeout_s=0.05).post(PLACE, draft("late"), key="late", answers="m")
    await until(lambda: _no_calls(store))
    adapter = MemoryChat()
    async with served(store, adapter):
        await RelayedChat(store, "memory").post(PLACE, draft("…"), key="in time", answers="m")

    assert ["in time"] == [post.key for post in adapter.posts.values()]


async def _no_calls(store: Store) -> bool:
    return "call" not in await keys(store)


async def test_a_call_that_takes_longer_than_its_caller_waits_is_stopped(store: Store) -> None:
    """So that it is not done late behind the back of a second try."""
    adapter = HeldChat()
    relayed = RelayedChat(store, "memory", timeout_s=0.3)
    async with served(store, adapter):
        await RelayedChat(store, "memory").post(PLACE, draft("…"), key="k", answers="m")
        with pytest.raises(UnavailableError):
            await relayed.edit(PLACE, "p1", final("late"))
        adapter.release.set()
        await RelayedChat(store, "memory").edit(PLACE, "p1", final("in time"))

    assert ["…", "in time"] == [reply.text for reply in adapter.posts["p1"].history]


async def test_of_drafts_that_wait_for_one_message_only_the_newest_is_sent(store: Store) -> None:
    """Those passed over count as shown; a final reply and other messages are never passed over."""
    adapter = HeldChat()
    relayed = RelayedChat(store, "memory")
    async with served(store, adapter) as server:
        first, second = [await relayed.post(PLACE, draft("…"), key=key, answers="m") for key in ("k1", "k2")]
        edits = [asyncio.create_task(relayed.edit(PLACE, first, draft("1")))]
        await adapter.begun.wait()
        for text in ("2", "3", "4"):
            edits.append(asyncio.create_task(relayed.edit(PLACE, first, draft(text))))
            await until(partial(_waiting, server, [text]))
        await asyncio.gather(*edits[1:3])  # those passed over are done, though nothing was released
        edits.append(asyncio.create_task(relayed.edit(PLACE, second, draft("other"))))
        for count in (1, 2):
            edits.append(asyncio.create_task(relayed.edit(PLACE, first, final("end"))))
            await until(partial(_waiting, server, ["end"] * count))
        adapter.release.set()
        await asyncio.gather(*edits)

    assert ["…", "1", "end"] == [reply.text for reply in adapter.posts[first].history]
    assert ["…", "other"] == [reply.text for reply in adapter.posts[second].history]


async def _waiting(server: RelayServer, texts: list[str]) -> bool:
    """True when these and no others wait for their turn."""
    calls = [waiting.call for lane in server._lanes.values() for waiting in lane]
    return texts == [call.reply.text for call in calls if call.reply is not None]


async def test_calls_about_one_message_are_done_in_order_and_others_beside_them(store: Store) -> None:
    """A slow message keeps nobody else waiting."""
    adapter = HeldChat()
    relayed = RelayedChat(store, "memory")
    async with served(store, adapter) as server:
        post_id = await relayed.post(PLACE, draft("…"), key="k", answers="m")
        slow = asyncio.create_task(relayed.edit(PLACE, post_id, final("end")))
        await adapter.begun.wait()
        gone = asyncio.create_task(relayed.remove(PLACE, post_id))
        await until(lambda: _removal_waits(server))
        await relayed.post(PLACE, draft("beside"), key="k2", answers="m")
        before = list(adapter.calls)
        adapter.release.set()
        await asyncio.gather(slow, gone)

    assert ["post", "post"] == before
    assert ["post", "post", "edit", "remove"] == adapter.calls


async def _removal_waits(server: RelayServer) -> bool:
    return any(waiting.call.method == "remove" for lane in server._lanes.values() for waiting in lane)


async def test_files_up_to_ten_megabytes_are_carried_and_larger_ones_refused(store: Store) -> None:
    """The bound counts all files of a reply together."""
    adapter = MemoryChat()
    relayed = RelayedChat(store, "memory")
    data = bytes(MAX_ATTACHED)
    large = Reply(Stage.FINAL, "", attachments=(Attachment("a", "x/y", data),))
    larger = Reply(Stage.FINAL, "", attachments=(Attachment("a", "x/y", data), Attachment("b", "x/y", b"1")))
    async with served(store, adapter):
        await relayed.post(PLACE, large, key="k", answers="m")
        with pytest.raises(InvalidRequestError, match="10 MB"):
            await relayed.post(PLACE, larger, key="k", answers="m")

    assert [large] == adapter.posts["p1"].history


async def test_text_that_is_no_unicode_is_refused_by_a_sentence(store: Store) -> None:
    """A lone surrogate cannot be written as JSON in UTF-8."""
    with pytest.raises(InvalidRequestError, match="text"):
        await RelayedChat(store, "memory").post(PLACE, draft("\ud800"), key="k", answers="m")


@pytest.mark.parametrize(
    "record",
    [
        "{",
        '{"v":99}',
        '{"v":1,"method":"drop","place":{"chat":"memory","workspace":"","channel":"c"}}',
        '{"v":1,"method":"post","place":{"chat":"memory","workspace":"","channel":"c"}}',
        '{"v":1,"method":"post","place":{"chat":"memory","workspace":"","channel":"c"},"reply":{"stage":"final","text":"",'
        '"attachments":[{"name":"a","media_type":"b","data":""}]},"attached":[]}',
    ],
)
async def test_a_damaged_call_is_answered_by_an_error_and_the_next_one_served(store: Store, record: str) -> None:
    """Nothing in Redis stops the server."""
    adapter = MemoryChat()
    async with served(store, adapter):
        await store.transaction(
            ("SET", store.key("call", "bad"), record, "PX", 9000), ("RPUSH", store.key("relay", "memory"), "bad")
        )
        reply = await store.call("BLPOP", store.key("reply", "bad"), 5)
        await RelayedChat(store, "memory").post(PLACE, draft("…"), key="k", answers="m")

    assert isinstance(reply, list)
    assert '"error":"' in str(reply[1])
    assert ["post"] == adapter.calls


async def test_handles_that_nobody_takes_are_bounded(store: Store) -> None:
    """With the oldest, whose callers gave up first, going."""
    await store.call("SET", store.key("adapter", "memory"), '{"v":1,"process_id":"p1","draft_interval_s":1.0}')
    await store.call("RPUSH", store.key("relay", "memory"), *range(MAX_WAITING))
    with pytest.raises(UnavailableError):
        await RelayedChat(store, "memory", timeout_s=0.05).remove(PLACE, "p1")

    assert MAX_WAITING == number(await store.call("LLEN", store.key("relay", "memory")))
    assert number(await store.call("PTTL", store.key("relay", "memory"))) > 0


async def test_a_server_that_stops_finishes_what_it_took_and_leaves_no_presence(store: Store) -> None:
    """But not another process' presence."""
    adapter = HeldChat()
    relayed = RelayedChat(store, "memory")
    async with served(store, adapter):
        post_id = await relayed.post(PLACE, draft("…"), key="k", answers="m")
        edit = asyncio.create_task(relayed.edit(PLACE, post_id, final("end")))
        await adapter.begun.wait()
        asyncio.get_running_loop().call_soon(adapter.release.set)
    await edit
    after = await _there(store, "memory")
    async with served(store, adapter, process="p2"):
        async with served(store, MemoryChat(), process="p3"):
            await store.call("SET", store.key("adapter", "memory"), '{"v":1,"process_id":"p2","draft_interval_s":0.0}')
        still = await _there(store, "memory")

    assert "end" == adapter.posts[post_id].now.text
    assert not after
    assert still


async def test_it_goes_on_after_redis_was_away_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """Calls meanwhile fail in a way that may be tried again."""
    with RedisServer() as server:
        store = Store(server.url)
        adapter = MemoryChat()
        relayed = RelayedChat(store, "memory")
        with caplog.at_level(logging.INFO, "bot.store.relay"):
            async with served(store, adapter):
                await relayed.post(PLACE, draft("…"), key="k1", answers="m")
                await asyncio.to_thread(server.stop, signal.SIGKILL)
                with pytest.raises(UnavailableError, match="Redis"):
                    await relayed.post(PLACE, draft("…"), key="k2", answers="m")
                await until(lambda: _said(caplog, 1))
                await asyncio.to_thread(server.start)
                await until(lambda: _there(store, "memory"))
                await until(lambda: _said(caplog, 2))
                await relayed.post(PLACE, draft("…"), key="k3", answers="m")
        await store.close()

    assert ["k1", "k3"] == [post.key for post in adapter.posts.values()]
    assert [
        f"what other processes post to memory waits: {AWAY}",
        "what other processes post to memory is sent again",
    ] == caplog.messages


async def _said(caplog: pytest.LogCaptureFixture, count: int) -> bool:
    return len(caplog.messages) >= count


async def test_a_relayed_chat_delivers_nothing(store: Store) -> None:
    """That is the connected process' part."""
    with pytest.raises(InvalidRequestError, match="connected"):
        await RelayedChat(store, "memory").run(None)  # type: ignore[arg-type]


async def test_a_direct_conversation_is_opened_by_the_process_that_is_connected(store: Store) -> None:
    """And nobody is nobody there too."""
    far: ChatAdapter = RelayedChat(store, "memory")
    async with served(store, MemoryChat()):
        place = await far.direct("ada")
        with pytest.raises(NotFoundError):
            await far.direct("nobody")

    assert (Audience.DIRECT, "direct-ada") == (place.audience, place.channel)
