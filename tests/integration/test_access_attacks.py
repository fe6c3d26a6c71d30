"""Random attacks on a running service: nothing of one channel is ever visible in another.

The answerer is the worst there can be: it repeats every document it was given and all that was said before. What
channels, people and documents say carries the name of its channel, so that whatever is out of place is seen.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.access import own_scope
from bot.application import Application
from bot.evidence import Answer, Citation, CitedPassage, Evidence, Home, Passage
from bot.messages import Audience, IncomingMessage, Place, Sender, Turn
from bot.ports import PUBLIC_SCOPE, Asked
from bot.replies import Reply
from bot.requests import Cancelled, State
from bot.service import Role, Service
from bot.settings import Settings
from bot.store.client import Store, number
from bot.store.places import Places
from tests.fakes import MemoryChat, OneRevision
from tests.redis_servers import RedisServer

DEADLINE_S = 20.0
CHANNELS = ("alpha", "beta", "delta")
AUDIENCE = {"alpha": Audience.PRIVATE, "beta": Audience.PUBLIC, "delta": Audience.DIRECT}
PEOPLE = ("ann", "bob", "guest", "boss")
MARK = re.compile(r"<(\w+):(\w+)>")  # whose text it is, and what; `public` is everybody's


class Library:
    """A retriever with one document in each scope, and no mercy for a scope it does not know."""

    def __init__(self) -> None:
        self.documents = {PUBLIC_SCOPE: "<public:document>"}
        for channel in CHANNELS:
            self.documents[own_scope(place_of(channel))] = f"<{channel}:document>"

    async def search(
        self, question: str, *, scopes: Sequence[str], history: Sequence[Turn] = (), top_k: int = 10
    ) -> Evidence:
        """Return the documents of the scopes."""
        home = Home("a.md", "A document", "https://example.org/a")
        return Evidence(
            question, tuple(Passage(scope, self.documents[scope], "", (home,), 0.9) for scope in scopes), 0.9
        )


class Gossip:
    """An answerer that tells everything it knows; a question that holds "slow" waits for `release`."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.asked: list[Asked] = []

    async def rewrite(self, asked: Asked) -> Asked:
        """Leave a question as it is."""
        return asked

    async def stream(self, asked: Asked, evidence: Evidence) -> AsyncGenerator[str | Answer]:
        """Yield all texts that were given."""
        self.asked.append(asked)
        told = [asked.question, *(turn.content for turn in asked.history), *(one.text for one in evidence.passages)]
        yield " ".join(told)
        if "slow" in asked.question:
            await self.release.wait()
        citations = tuple(
            Citation(n, one.text, "a.md", "https://example.org/", one.text)
            for n, one in enumerate(evidence.passages, 1)
        )
        yield Answer(asked.question, " ".join(told), "quotes", True, citations, 0.9)


class OpenBook(Application):
    """An application that shows the documents behind its citations."""

    async def cited_passages(self, answer: Answer) -> tuple[CitedPassage, ...]:
        """Return the whole document behind each citation."""
        return tuple(CitedPassage(citation, "", citation.quote) for citation in answer.citations)


def place_of(channel: str, audience: Audience | None = None, thread: str = "") -> Place:
    """Return a place in a channel."""
    return Place("memory", "w1", channel, thread, audience or AUDIENCE[channel])


def sender_of(person: str) -> Sender:
    """Return a person."""
    return Sender("memory", "w1", person, name=person, external=person == "guest")


channels = st.sampled_from(CHANNELS)
people = st.sampled_from(PEOPLE)
picks = st.integers(0, 7)
HOW = st.sampled_from(("as is", "as is", "as is", "cut", "swapped", "other"))
WORDS = (*["own"] * 3, *["common"] * 4, *["slow"] * 4, "again", "export", "new", "status", "stop")
STEPS = st.one_of(
    st.tuples(
        st.just("ask"),
        channels,
        people,
        st.sampled_from(WORDS),
        st.sampled_from(("", "t")),
        st.booleans(),
    ),
    st.tuples(st.just("press"), channels, people, picks, HOW),
    st.tuples(st.just("stop"), channels, people, picks, HOW),
    st.tuples(st.just("edit"), channels, people, picks),
    st.tuples(st.just("delete"), channels, picks),
    st.tuples(st.just("audience"), channels, st.sampled_from(tuple(Audience))),
    st.tuples(st.just("confirm"), channels),
)


@dataclass
class World:
    """A running service, and what is known of what was done to it."""

    store: Store
    chat: MemoryChat
    gossip: Gossip
    service: Service
    audience: dict[str, Audience] = field(default_factory=lambda: dict(AUDIENCE))
    asked: list[IncomingMessage] = field(default_factory=list)
    votes: set[tuple[str, str]] = field(default_factory=set)  # person and handle
    hidden: set[str] = field(default_factory=set)  # requests whose channel may not see its own documents

    def here(self, channel: str, thread: str = "") -> Place:
        """Return a channel as the chat describes it now."""
        return place_of(channel, self.audience[channel], thread)

    async def settle(self) -> None:
        """Let everything be answered."""
        self.gossip.release.set()
        async with asyncio.timeout(DEADLINE_S):
            while number(await self.store.call("XLEN", self.service.inbox.keys.inbox)):  # noqa: ASYNC110 - with a deadline
                await asyncio.sleep(0.002)
        self.gossip.release.clear()

    async def ask(self, channel: str, person: str, words: str, thread: str, settle: bool) -> None:
        """Somebody writes something; message ids are the same in all channels."""
        count = 1 + sum(one.place.channel == channel for one in self.asked)
        texts = {"own": f"<{channel}:q{count}>?", "common": "What is BXD?", "slow": f"slow <{channel}:q{count}>?"}
        message = IncomingMessage(
            self.here(channel, thread), sender_of(person), f"m{count}", texts.get(words, words), float(count)
        )
        await self.service.reception.message(message)
        self.asked.append(message)
        if settle and words != "slow":
            await self.settle()
            await self.look(channel)

    async def look(self, channel: str) -> None:
        """Note which answers were given while the channel's own documents were hidden, or to a guest."""
        known = await Places(self.store).find(place_of(channel).channel_id)
        last = self.asked[-1]
        if last.sender.user == "guest" or (known is not None and not known.open):
            self.hidden.add(last.request_id)

    def handles(self) -> dict[str, str]:
        """Return all handles that were shown, and the channel of each."""
        shown = [(reply.handle, post.place.channel) for post in self.chat.posts.values() for reply in post.history]
        return {handle: channel for handle, channel in shown if handle}

    async def press(self, channel: str, person: str, pick: int, how: str) -> None:
        """Somebody votes on an answer and asks for its passages, with a handle from anywhere."""
        handles = self.handles()
        handle = forged(list(handles), pick, how, [one.request_id for one in self.asked])
        place, by = self.here(channel), sender_of(person)
        voted = await self.service.reception.vote(place, by, handle, "down", f"<{channel}:comment>")
        passages = await self.service.reception.passages(place, by, handle)
        assert not (voted or passages) or handles.get(handle) == channel
        if voted:
            self.votes.add((by.person_id, handle))
        known = await Places(self.store).find(place.channel_id)
        own = known is not None and known.open and person != "guest"
        assert marks(repr(passages)) <= ({channel, "public"} if own else {"public"})

    async def stop(self, channel: str, person: str, pick: int, how: str) -> None:
        """Somebody presses stop, with a reference from anywhere."""
        references = {one.request_id: one for one in reversed(self.asked)}  # the newest may still be open
        reference = forged(list(references), pick, how, list(self.handles()))
        before = await self.cancelled()
        stopped = await self.service.reception.stop(self.here(channel), sender_of(person), request_id=reference)
        changed = await self.cancelled() - before
        for request_id in changed:
            message = references[request_id]
            assert channel == message.place.channel
            assert person in ("boss", message.sender.user)
        assert stopped or not changed

    async def cancelled(self) -> set[str]:
        """Return the requests that were stopped."""
        found = [await self.service.inbox.find(one.request_id) for one in self.asked]
        return {one.request_id for one in found if one is not None and one.cancelled is not Cancelled.NO}

    async def edit(self, channel: str, person: str, pick: int) -> None:
        """Somebody edits a message, whose id may be that of another channel's."""
        words = f"slow <{channel}:edit{pick}>?"
        edited = IncomingMessage(self.here(channel), sender_of(person), f"m{pick}", words, float(pick), version="2")
        await self.service.reception.edit(edited)

    async def delete(self, channel: str, pick: int) -> None:
        """Somebody deletes a message, whose id may be that of another channel's."""
        others = [one for one in self.asked if one.place.channel != channel]
        before = {one.request_id for one in others} & await self.cancelled()
        await self.service.reception.delete(self.here(channel), f"m{pick}")
        assert before == {one.request_id for one in others} & await self.cancelled()

    async def change_audience(self, channel: str, audience: Audience) -> None:
        """More or fewer people can read a channel from now on; what was asked before is answered first."""
        await self.settle()
        self.audience[channel] = audience

    async def widen(self, channel: str, audience: Audience) -> None:
        """More people can read a channel from now on, while answers are being written in it."""
        self.audience[channel] = audience
        found = [await self.service.inbox.find(one.request_id) for one in self.asked if one.place.channel == channel]
        self.hidden |= {one.request_id for one in found if one is not None and one.state is not State.DONE}

    async def begun(self) -> None:
        """Wait until an answer is being written."""
        async with asyncio.timeout(DEADLINE_S):
            while not self.gossip.asked:  # noqa: ASYNC110 - with a deadline
                await asyncio.sleep(0.002)

    async def confirm(self, channel: str) -> None:
        """An administrator vouches for a channel as it was seen last."""
        known = await Places(self.store).find(place_of(channel).channel_id)
        if known is not None:
            await Places(self.store).confirm(known.channel_id, known.seen)

    async def check(self) -> None:
        """Nothing of one channel was visible in another, and nobody voted across channels."""
        asked = {one.request_id: one for one in self.asked}
        for post in self.chat.posts.values():
            channel = post.place.channel
            for reply in post.history:
                assert marks(shown(reply)) <= {channel, "public"}
                person = asked[post.key].sender.user
                theirs = {one.place.channel for one in self.asked if one.sender.user == person}
                assert marks(attached(reply)) <= {*theirs, "public"}
                assert not reply.attachments or self.chat_was_direct(asked[post.key])
                if reply.final and asked[post.key].request_id in self.hidden:
                    assert f"<{channel}:document>" not in shown(reply)
        conversations = {one.place.conversation_id: one.place.channel for one in self.asked}
        guests = {sender_of("guest").person_id}
        for one in self.gossip.asked:
            own = own_scope(place_of(conversations[one.conversation]))
            assert set(one.scopes) <= ({PUBLIC_SCOPE} if one.user in guests else {PUBLIC_SCOPE, own})
        opinions = [opinion async for opinion in self.service.feedback.each()]
        assert len(self.votes) == len(opinions)
        for opinion in opinions:
            assert marks(f"{opinion.question} {opinion.answer} {opinion.comment}") - {"public"} <= {
                next(name for name in CHANNELS if place_of(name).channel_id == opinion.channel_id)
            }

    @staticmethod
    def chat_was_direct(message: IncomingMessage) -> bool:
        """True when only the person could read the reply."""
        return message.place.audience is Audience.DIRECT


def forged(real: Sequence[str], pick: int, how: str, others: Sequence[str]) -> str:
    """Return a handle that is real, cut, put together from two, of another kind, or made up."""
    if how == "other" or not real:
        made_up = ["", "*", "../request", "a" * 10_000, "\x00", *others]
        return made_up[pick % len(made_up)]
    one, another = real[pick % len(real)], real[(pick + 1) % len(real)]
    half = len(one) // 2
    return {"as is": one, "cut": one[:half], "swapped": one[:half] + another[half:]}[how]


def marks(text: str) -> set[str]:
    """Return the channels whose text this holds."""
    return {channel for channel, _ in MARK.findall(text)}


def shown(reply: Reply) -> str:
    """Return all that people can read in a reply."""
    return f"{reply.text} {reply.note} {reply.citations!r}"


def attached(reply: Reply) -> str:
    """Return all that stands in a reply's files."""
    return " ".join(json.dumps(json.loads(one.data), ensure_ascii=False) for one in reply.attachments)


async def attack(url: str, steps: Sequence[tuple[object, ...]]) -> None:
    """Run a service, do all this to it, and look at what can be seen."""
    store = Store(url, prefix=f"t{secrets.token_hex(4)}")
    gossip, chat, stop = Gossip(), MemoryChat(), asyncio.Event()
    application = OpenBook(Library(), OneRevision(), gossip, gossip, top_k=5)
    values = {
        "rate_person": 0,
        "rate_channel": 0,
        "answer_external": True,
        "administrators": ("memory/w1/boss",),
        "shutdown_grace_s": 5.0,
    }
    service = Service(
        Settings.model_validate(values), application, store, [chat], frozenset({Role.ADAPTER, Role.WORKER})
    )
    running = asyncio.create_task(service.run(stop))
    world = World(store, chat, gossip, service)
    actions = {
        "ask": world.ask,
        "press": world.press,
        "stop": world.stop,
        "edit": world.edit,
        "delete": world.delete,
        "audience": world.change_audience,
        "widen": world.widen,
        "begun": world.begun,
        "confirm": world.confirm,
    }
    try:
        async with asyncio.timeout(DEADLINE_S):
            await service.started.wait()
        for name, *arguments in steps:
            await actions[str(name)](*arguments)  # type: ignore[operator]
        await world.settle()
        await world.check()
    finally:
        gossip.release.set()
        stop.set()
        await running
        await store.close()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, min_size=10, max_size=40))
@example(
    [  # guests share answers to public questions; what was said in alpha before must not be in them
        ("ask", "alpha", "ann", "own", "", True),
        ("ask", "alpha", "guest", "common", "", True),
        ("ask", "beta", "guest", "common", "", True),
    ]
)
@example(
    [  # what was found for the members of alpha was said there before everybody could read it
        ("ask", "alpha", "ann", "own", "", True),
        ("audience", "alpha", Audience.PUBLIC),
        ("ask", "alpha", "ann", "common", "", True),
        ("ask", "alpha", "ann", "again", "", True),
    ]
)
@example(
    [  # an answer is being written when everybody can read alpha, as another message tells
        ("ask", "alpha", "ann", "slow", "", False),
        ("begun",),
        ("widen", "alpha", Audience.PUBLIC),
        ("ask", "alpha", "bob", "common", "t", False),
    ]
)
def test_nothing_of_a_channel_is_visible_in_another(redis_server: RedisServer, steps: list[tuple[object, ...]]) -> None:
    """Whatever is asked, pressed, stopped, edited and deleted, with handles and ids from anywhere."""
    with asyncio.Runner() as runner:
        runner.run(attack(redis_server.url, steps))
