"""Being told later: who agrees is told once, where it was asked, when the documents answer it; nobody else is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from bot.access import own_scope
from bot.agent.judging import Judged
from bot.application import Application
from bot.errors import RefusedError, UnavailableError
from bot.evidence import Answer
from bot.mending.gap_questions import GapQuestions
from bot.mending.leading import Lead
from bot.messages import Audience
from bot.store.client import Store, texts
from bot.store.feedback import Feedback
from bot.store.gap_states import GapStates
from bot.store.gaps import Unanswered
from bot.store.inbox import Inbox
from bot.store.leader import Leader, LostLeadershipError
from bot.store.person_index import PersonIndex
from bot.telling_texts import how_to_be_told, nothing_to_tell, told_no_more, will_tell
from bot.texts import REFUSAL
from knowledge.embeddings import MiniLmEmbedder
from knowledge.index import KnowledgeIndex
from tests.documents import LAB
from tests.fakes import MemoryChat, message
from tests.integration.test_service import MortalStore
from tests.opinions import answer, request
from tests.redis_servers import RedisServer
from tests.telling import ANSWER, MENDED, OTHER_ANSWER, OTHER_MENDED, OTHER_QUESTION, QUESTION, Lab, ingest, running

THREAD = {"thread": "t1", "audience": Audience.PRIVATE}


@pytest.fixture
def index(tmp_path: Path, embedder: MiniLmEmbedder) -> Iterator[KnowledgeIndex]:
    """An index with a few public documents, none of which answers the questions here."""
    opened = KnowledgeIndex(tmp_path / "data", embedder)
    ingest(opened, tmp_path / "source-public", LAB)
    yield opened
    opened.close()


@pytest.fixture
def chat() -> MemoryChat:
    """A chat that goes on while services die."""
    return MemoryChat()


@asynccontextmanager
async def lab_of(
    redis_server: RedisServer, store: Store, index: KnowledgeIndex, chat: MemoryChat, folder: Path, **settings: object
) -> AsyncIterator[Lab]:
    """Run a service that can be killed, on the state of a test."""
    mortal = MortalStore(redis_server.url, prefix=store.prefix)
    try:
        async with running(mortal, index, chat, folder, **settings) as lab:
            yield lab
    finally:
        await mortal.close()


@pytest.fixture
async def lab(
    redis_server: RedisServer, store: Store, index: KnowledgeIndex, chat: MemoryChat, tmp_path: Path
) -> AsyncIterator[Lab]:
    """A running service."""
    async with lab_of(redis_server, store, index, chat, tmp_path) as opened:
        yield opened


async def told(lab: Lab, count: int = 1) -> None:
    """Wait until so many messages have been told and are confirmed."""

    async def done() -> bool:
        return len(lab.told()) >= count and not await lab.service.mending.agreements.offers()

    await lab.until(done)


async def test_who_agrees_is_told_where_they_asked(lab: Lab) -> None:
    """The refusal says how; the answer stands in the thread with its source, once, and the agreement is used up."""
    refusal = await lab.say(QUESTION, **THREAD)
    agreed = await lab.say("tell me", **THREAD)
    await lab.learn(MENDED)
    await told(lab)
    await lab.learn(OTHER_MENDED)
    await lab.looked()

    assert (True, how_to_be_told()) == (refusal.text.startswith(REFUSAL), refusal.note)
    assert will_tell(90) == agreed.text
    (post,) = lab.told()
    assert ("t1", True) == (post.place.thread, f"{ANSWER} [1]" in post.now.text)
    assert f"> {QUESTION}" in post.now.text
    assert ["Perfusion"] == [citation.title for citation in post.now.citations]
    assert [] == list(await lab.service.mending.agreements.list())
    given = await lab.service.given.find(post.now.handle)
    assert given is not None
    assert ["public"] == [passage.scope for passage in given.passages]


async def test_a_follow_up_knows_what_was_told(lab: Lab) -> None:
    """It stands in the conversation like any other answer, as the asker's, who can have it deleted."""
    await lab.say(QUESTION, **THREAD)
    await lab.say("Tell me.", **THREAD)
    await lab.learn(MENDED)
    await told(lab)
    place = message("x", **THREAD).place  # type: ignore[arg-type]
    scopes = ("public", own_scope(place))
    recalled = await lab.service.state.conversations.load(place, scopes=scopes)
    await lab.say("forget me now", channel="d1")
    after = await lab.service.state.conversations.load(place, scopes=scopes)

    assert QUESTION == recalled.turns[-2].content
    assert ANSWER in recalled.turns[-1].content
    assert () == after.turns


async def test_nobody_is_told_who_did_not_ask_for_it(lab: Lab) -> None:
    """Neither who asked without agreeing, nor who took it back; each is answered in a sentence."""
    await lab.say(QUESTION, thread="t1", user="u1")
    await lab.say(QUESTION, thread="t2", user="u2")
    await lab.say("tell me", thread="t2", user="u2")
    withdrawn = await lab.say("don’t tell me", thread="t2", user="u2")
    again = await lab.say("do not tell me", thread="t2", user="u2")
    await lab.learn(MENDED)
    await lab.looked()

    assert (told_no_more(1), told_no_more(0)) == (withdrawn.text, again.text)
    assert [] == lab.told()


async def test_only_ones_own_question_in_that_conversation_counts(lab: Lab) -> None:
    """Another person, another thread, and an answered question have nothing to be told."""
    await lab.say(QUESTION, thread="t1", user="u1")
    await lab.say("What were the BXD strains made by crossing?", thread="t3", user="u1")
    elsewhere = [
        await lab.say("tell me", thread="t1", user="u2"),
        await lab.say("tell me", thread="t2", user="u1"),
        await lab.say("tell me", thread="t3", user="u1"),
    ]

    assert [nothing_to_tell()] * 3 == [reply.text for reply in elsewhere]
    assert [] == list(await lab.service.mending.agreements.list())


async def test_typed_beside_the_conversation_the_whole_channel_is_meant(lab: Lab) -> None:
    """A slash command has no thread: the last question of the person in the channel is the one."""
    await lab.say(QUESTION, thread="t1")
    asked = message("x")
    reply = await lab.service.reception.command(asked.place, asked.sender, "tell me")
    await lab.learn(MENDED)
    await told(lab)

    assert reply is not None
    assert "where you asked it" in reply.text
    assert ["t1"] == [post.place.thread for post in lab.told()]


async def test_saying_it_twice_is_one_agreement(lab: Lab) -> None:
    """It is told once."""
    await lab.say(QUESTION, thread="t1")
    await lab.say("tell me", thread="t1")
    await lab.say("tell me", thread="t1")
    await lab.learn(MENDED)
    await told(lab)
    await lab.looked()

    assert 1 == len(lab.told())


async def test_several_answers_for_a_thread_are_one_message(lab: Lab) -> None:
    """Each question stands above its answer, and the sources are numbered through."""
    await lab.say(QUESTION, thread="t1", user="u1")
    await lab.say("tell me", thread="t1", user="u1")
    await lab.say(OTHER_QUESTION, thread="t1", user="u2")
    await lab.say("tell me", thread="t1", user="u2")
    await lab.learn({**MENDED, **OTHER_MENDED})
    await told(lab)
    await lab.looked()

    (post,) = lab.told()
    assert f"> {QUESTION}\n\n{ANSWER} [1]" in post.now.text
    assert f"> {OTHER_QUESTION}\n\n{OTHER_ANSWER} [2]" in post.now.text
    assert [1, 2] == [citation.n for citation in post.now.citations]


async def test_a_forgotten_person_is_told_nothing(lab: Lab, store: Store) -> None:
    """What they agreed to is exported before, counted when it is deleted, and leaves no key."""
    await lab.say(QUESTION, thread="t1")
    await lab.say("tell me", thread="t1")
    person_id = message("x").sender.person_id
    people = lab.service.commands._people  # type: ignore[union-attr]
    exported = await people.export(person_id)
    done = await people.forget(person_id)
    await lab.learn(MENDED)
    await lab.looked()

    assert QUESTION in str(exported["to_be_told"])
    assert 1 == done.agreements
    assert [] == lab.told()
    left = texts(await store.call("KEYS", store.key("agreement*")))
    assert [] == left
    assert [] == await PersonIndex(store, days=1).handles(person_id, "agreement")


async def test_who_is_forgotten_while_the_chat_is_away_is_told_nothing(lab: Lab, store: Store) -> None:
    """What was about to be posted goes with the agreement; the others in the thread are told theirs."""
    await lab.say(QUESTION, thread="t1", user="u1")
    await lab.say("tell me", thread="t1", user="u1")
    await lab.say(OTHER_QUESTION, thread="t1", user="u2")
    await lab.say("tell me", thread="t1", user="u2")
    find, tried = lab.chat.find, asyncio.Event()

    async def away(*args: object, **options: object) -> str | None:
        tried.set()
        raise UnavailableError("The chat is away.")

    lab.chat.find = away  # type: ignore[method-assign]
    await lab.learn({**MENDED, **OTHER_MENDED})
    async with asyncio.timeout(60):
        await tried.wait()
    (offer,) = await lab.service.mending.agreements.offers()
    await lab.service.commands._people.forget(message("x", user="u1").sender.person_id)  # type: ignore[union-attr]
    left = texts(await store.batch(*(("GET", key) for key in texts(await store.call("KEYS", store.key("offer:*"))))))
    lab.chat.find = find  # type: ignore[method-assign]
    await told(lab)

    assert 2 == len(offer.answers)
    assert [False] == [QUESTION in record for record in left]
    (post,) = lab.told()
    assert (False, True) == (QUESTION in post.now.text, f"{OTHER_ANSWER} [1]" in post.now.text)


@pytest.mark.parametrize("after_posting", [False, True])
async def test_a_process_that_dies_meanwhile_costs_nothing(
    redis_server: RedisServer,
    store: Store,
    index: KnowledgeIndex,
    chat: MemoryChat,
    tmp_path: Path,
    after_posting: bool,
) -> None:
    """Killed before or after the post, and started again: it is visible exactly once."""
    async with lab_of(redis_server, store, index, chat, tmp_path) as lab:
        await lab.say(QUESTION, thread="t1")
        await lab.say("tell me", thread="t1")
        reached = asyncio.Event()
        post = chat.post

        async def dying_post(*args: object, **options: object) -> str:
            if after_posting:
                await post(*args, **options)  # type: ignore[arg-type]
            reached.set()
            await asyncio.Event().wait()
            raise AssertionError("it was cancelled")

        chat.post = dying_post  # type: ignore[method-assign]
        await lab.learn(MENDED)
        async with asyncio.timeout(60):
            await reached.wait()
        await lab.kill()
    chat.post = post  # type: ignore[method-assign]
    seen = len(lab.told())
    async with lab_of(redis_server, store, index, chat, tmp_path) as lab:
        await told(lab)
        await lab.looked()

        assert (int(after_posting), 1) == (seen, len(lab.told()))
        assert [] == list(await lab.service.mending.agreements.list())


async def test_what_a_chat_has_taken_without_saying_so_is_found(lab: Lab) -> None:
    """An answer of the platform that got lost makes no second message."""
    await lab.say(QUESTION, thread="t1")
    await lab.say("tell me", thread="t1")
    lab.chat.lost.append(UnavailableError("The chat is away."))
    await lab.learn(MENDED)
    await told(lab)

    assert 1 == len(lab.told())


async def test_a_chat_that_does_not_take_it_ends_it(lab: Lab) -> None:
    """The agreement is used up, as nothing can ever be told there."""
    await lab.say(QUESTION, thread="t1")
    await lab.say("tell me", thread="t1")
    find = lab.chat.find

    async def refuse(*args: object, **options: object) -> str | None:
        raise RefusedError("The bot may not post here.")

    lab.chat.find = refuse  # type: ignore[method-assign]
    await lab.learn(MENDED)

    async def gone() -> bool:
        return not await lab.service.mending.agreements.list()

    await lab.until(gone)
    lab.chat.find = find  # type: ignore[method-assign]

    assert [] == lab.told()


async def test_a_channels_own_documents_are_told_there(lab: Lab) -> None:
    """As long as it was seen a moment ago, and nowhere else."""
    for channel in ("c1", "c2"):
        await lab.say(QUESTION, channel=channel, audience=Audience.PRIVATE)
        await lab.say("tell me", channel=channel, audience=Audience.PRIVATE)
    await lab.learn(MENDED, scope=own_scope(message("x", channel="c1").place))
    await told(lab)
    await lab.looked()

    assert ["c1"] == [post.place.channel for post in lab.told()]


async def test_a_channel_that_became_wider_is_not_told_its_own_documents(lab: Lab) -> None:
    """Who reads along now may not see them."""
    await lab.say(QUESTION, audience=Audience.PRIVATE)
    await lab.say("tell me", audience=Audience.PRIVATE)
    await lab.say("Hello there, BXD strains?", audience=Audience.PUBLIC)
    await lab.learn(MENDED, scope=own_scope(message("x").place))
    await lab.looked()

    assert [] == lab.told()
    assert 1 == len(await lab.service.mending.agreements.list())


async def test_a_channel_that_was_not_seen_for_long_is_told_public_documents_only(lab: Lab) -> None:
    """Nobody knows who reads along by now."""
    await lab.say(QUESTION, audience=Audience.PRIVATE)
    await lab.say("tell me", audience=Audience.PRIVATE)
    place = message("x").place
    sender = message("x").sender
    before = await lab.service.access.scopes_now(place, sender)
    clock = lab.service.access._clock
    lab.service.access._clock = lambda: clock() + 3 * 3600
    after = await lab.service.access.scopes_now(place, sender)

    assert (("public", own_scope(place)), ("public",)) == (before, after)


async def test_people_of_other_organisations_are_told_while_they_are_answered(
    redis_server: RedisServer, store: Store, index: KnowledgeIndex, chat: MemoryChat, tmp_path: Path
) -> None:
    """Where the lab answers them no longer, they are told nothing either."""
    where = {"thread": "t1", "audience": Audience.SHARED, "external": True}
    async with lab_of(redis_server, store, index, chat, tmp_path, answer_external=True) as lab:
        await lab.say(QUESTION, **where)
        await lab.say("tell me", **where)
    async with lab_of(redis_server, store, index, chat, tmp_path) as lab:
        await lab.learn(MENDED)
        await lab.looked()
        without = lab.told()
    async with lab_of(redis_server, store, index, chat, tmp_path, answer_external=True) as lab:
        await told(lab)

        assert ([], 1) == (without, len(lab.told()))


async def test_who_voted_down_is_told_when_the_documents_say_something_else(lab: Lab) -> None:
    """Not what was there when the answer was judged; other documents do not count."""
    asked = await lab.say("What were the BXD strains made by crossing?", thread="t1")
    place, by = message("x", thread="t1").place, message("x").sender
    before = await lab.say("tell me", thread="t1")
    await lab.service.reception.vote(place, by, asked.handle, "down", "this does not name the mother")
    after = await lab.say("tell me", thread="t1")
    await lab.learn(OTHER_MENDED)
    await lab.looked()
    early = lab.told()
    await lab.learn(
        {"crosses.md": "# Crosses\n\nThe BXD strains were made by crossing C57BL/6J mothers with DBA/2J.\n"}
    )
    await told(lab)

    assert (nothing_to_tell(), will_tell(90)) == (before.text, after.text)
    assert [] == early
    assert "C57BL/6J mothers" in lab.told()[0].now.text


class Judging:
    """In place of the application: counts what it is asked, and never finds an answer."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask_again(self, question: str, *, history: object = (), scopes: Sequence[str]) -> Judged:
        """Refuse."""
        self.asked.append(question)
        return Judged(Answer(question, REFUSAL, "quotes", False, (), 0.1), (), ())


async def test_people_who_wait_come_first(store: Store) -> None:
    """Nothing is asked again while a question is open, and what was begun stops there."""
    inbox, leader, judging = Inbox(store), Leader(store, "looking-again", "p1"), Judging()
    await inbox.prepare()
    await leader.acquire()
    lead = Lead(leader, leader.fence or 0, inbox)
    unanswered, feedback = Unanswered(store, days=1), Feedback(store, days=1, limit=10)
    for number in range(3):
        asked = request(str(number), f"Question {number}?")
        refused = answer(asked.message.text, answered=False)
        await store.transaction(*await unanswered.keep(asked, refused, ("public",)))
    states = GapStates(store, days=1)
    questions = GapQuestions(cast("Application", judging), unanswered, feedback, states, at_once=2)
    left = await questions.ask("s1", lead)
    begun = list(judging.asked)
    waiting = message("What is BXD?")
    await inbox.accept([waiting])
    still = await questions.ask("s1", lead)
    meanwhile = list(judging.asked)
    await store.call("XTRIM", inbox.keys.inbox, "MAXLEN", 0)
    done = await questions.ask("s1", lead)
    looked = await states.looked()

    assert (True, True, False) == (left, still, done)
    assert ["Question 2?", "Question 1?"] == begun == meanwhile
    assert ["Question 2?", "Question 1?", "Question 0?"] == judging.asked
    assert looked is not None
    assert "s1" == looked.signature


async def test_who_does_not_lead_any_more_changes_nothing(store: Store) -> None:
    """Another process has taken over: neither a finding nor a post is made."""
    inbox, leader = Inbox(store), Leader(store, "looking-again", "p1")
    await inbox.prepare()
    await leader.acquire()
    lead = Lead(leader, leader.fence or 0, inbox)
    await store.call("DEL", store.key("leader", "looking-again"))
    await Leader(store, "looking-again", "p2").acquire()

    with pytest.raises(LostLeadershipError):
        await lead.may_go_on()
    with pytest.raises(LostLeadershipError):
        lead.check()
    with pytest.raises(LostLeadershipError):
        await lead.commit(("SET", store.key("x"), "1"))
    assert None is await store.call("GET", store.key("x"))
