"""What is stored of a person: given to them, and deleted, also while answers are written and processes die."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

from bot.agent.cards import AnswerCard, CardStore, keep_card
from bot.errors import UnavailableError
from bot.evidence import Answer, Citation, CitedPassage
from bot.given import GivenAnswer, new_handle
from bot.messages import Audience, IncomingMessage, Sender
from bot.requests import Cancelled, Request
from bot.store.agreements import Agreement, Agreements
from bot.store.answer_cache import AnswerCache
from bot.store.claims import ChangedError, Claims
from bot.store.client import Command, Reply, Store, Value, Watch, text, texts
from bot.store.conversations import Conversations
from bot.store.feedback import Feedback
from bot.store.gaps import Unanswered
from bot.store.given_answers import GIVEN, GivenAnswers
from bot.store.inbox import Inbox
from bot.store.people import Forgotten, People
from tests.fakes import message
from tests.redis_servers import RedisServer

T = TypeVar("T")
CITATION = Citation(1, "BXD strains", "bxd.md", "https://example.org/bxd", "crossing C57BL/6J and DBA/2J")
PASSAGES = (CitedPassage(CITATION, "Crosses", "The strains were made by crossing C57BL/6J and DBA/2J."),)


def agreement_of(given: GivenAnswer) -> Agreement:
    """What its asker agrees to: to be told when the documents answer it."""
    asker = Sender("memory", "w1", given.question.split()[0])
    return Agreement(given.request_id, given.place, asker, given.question, 1.0, given.request_id)


class Lab:
    """A service's state, and a worker that answers at once."""

    def __init__(self, store: Store, folder: Path | None = None) -> None:
        self.store = store
        self.inbox = Inbox(store)
        self.claims = Claims(self.inbox, "w1")
        self.conversations = Conversations(store, days=1, tokens=10_000)
        self.cache = AnswerCache(store, hours=1)
        self.given = GivenAnswers(store, days=1)
        self.feedback = Feedback(store, days=1, limit=1000)
        self.unanswered = Unanswered(store, days=1)
        self.agreements = Agreements(store, days=1)
        self.cards = CardStore(folder / "answers") if folder is not None else None
        self.number = 0

    def people(self, store: Store | None = None, *, patience_s: float = 0.0) -> People:
        """What is tested, on the same state through another connection where one is given."""
        inbox = Inbox(store) if store is not None else self.inbox
        used = store or self.store
        return People(
            inbox,
            Conversations(used, days=1, tokens=10_000),
            AnswerCache(used, hours=1),
            GivenAnswers(used, days=1),
            self.cards,
            patience_s=patience_s,
        )

    def message(self, user: str, *, channel: str = "c1") -> IncomingMessage:
        """A new message with text and name that tell whose they are."""
        self.number += 1
        made = message(f"{user} wrote {self.number}.", number=self.number, user=user, channel=channel)
        audience = Audience.DIRECT if channel.startswith("d") else Audience.PRIVATE
        return dataclasses.replace(
            made,
            place=dataclasses.replace(made.place, audience=audience),
            sender=dataclasses.replace(made.sender, name=f"{user} wrote this name"),
        )

    async def ask(self, user: str, *, channel: str = "c1") -> IncomingMessage:
        """Accept a question that waits."""
        await self.inbox.prepare()
        asked = self.message(user, channel=channel)
        await self.inbox.accept([asked])
        return asked

    async def take(self) -> Request:
        """Let the worker take the next question."""
        taken = await self.claims.take()
        assert taken is not None
        return taken

    async def kept(self, request: Request, *, answered: bool = True) -> tuple[GivenAnswer, list[Command]]:
        """What is kept of an answer."""
        asked, person_id = request.message, request.message.sender.person_id
        answer = Answer(asked.text, f"To what {asked.text} [1]", "quotes", answered, (CITATION,), 0.9)
        if self.cards is not None:
            answer = await keep_card(self.cards, AnswerCard(answer, asked.text, (), ("public",), ()), user=person_id)
        made = GivenAnswer(
            new_handle(), request.request_id, asked.place, person_id, asked.text, answer, PASSAGES, ("public",), 1.0
        )
        commands = [
            *self.conversations.append(request, asked.text, answer.text, scopes=("public",)),
            *self.given.keep(made),
            *self.cache.keep(
                asked.text,
                scopes=("public",),
                signature="s",
                answer=answer,
                passages=PASSAGES,
                person_id=person_id,
            ),
            *(await self.unanswered.keep(request, answer, ("public",)) if not answered else ()),
            *(await self.agreements.keep(agreement_of(made)) if not answered else ()),
        ]
        return made, commands

    async def finish(self, request: Request, *, answered: bool = True) -> GivenAnswer:
        """Let the worker finish a question with its answer."""
        made, commands = await self.kept(request, answered=answered)
        await self.claims.finish(request, "answered", commands)
        return made

    async def answer(self, user: str, *, channel: str = "c1", answered: bool = True) -> GivenAnswer:
        """Ask, and answer at once; nothing else may wait."""
        asked = await self.ask(user, channel=channel)
        taken = await self.take()
        assert asked.request_id == taken.request_id
        return await self.finish(taken, answered=answered)

    async def everything(self) -> str:
        """All values of all keys."""
        found: list[Reply] = []
        for key in texts(await self.store.call("KEYS", self.store.key("*"))):
            match await self.store.call("TYPE", key):
                case "string":
                    found.append(await self.store.call("GET", key))
                case "list":
                    found.append(await self.store.call("LRANGE", key, 0, -1))
                case "zset":
                    found.append(await self.store.call("ZRANGE", key, 0, -1))
                case "hash":
                    found.append(await self.store.call("HGETALL", key))
                case "stream":
                    found.append(await self.store.call("XRANGE", key, "-", "+"))
                case other:
                    raise AssertionError(f"{key} is a {other}")
        return json.dumps(found)


@pytest.fixture
def lab(store: Store, tmp_path: Path) -> Lab:
    """An empty lab with answer cards."""
    return Lab(store, tmp_path)


def person(user: str) -> str:
    """The handle of a person."""
    return message("", user=user).sender.person_id


async def test_forgetting_deletes_all_kinds_of_things(lab: Lab) -> None:
    """Each kind is counted, cards too; a second time there is nothing."""
    await lab.answer("u1", channel="d1")
    made = await lab.answer("u1")
    await lab.feedback.vote(made, person("u1"), "down", "u1 wrote a comment")
    await lab.answer("u1", answered=False)
    failed = await lab.ask("u1")
    await lab.claims.give_up(await lab.take(), "Sorry.", "failed")
    told = await lab.claims.take_quick()
    assert told is not None
    await lab.claims.finish(told, "given up")
    await lab.ask("u1")
    assert failed.request_id == told.request_id

    expected = Forgotten(
        questions=1, conversations=2, answers=3, cached=2, feedback=1, gaps=1, given_up=1, cards=3, agreements=1
    )
    assert expected == await lab.people().forget(person("u1"))
    assert "u1 wrote" not in await lab.everything()
    assert Forgotten() == await lab.people().forget(person("u1"))


async def test_other_people_keep_what_is_theirs(lab: Lab, tmp_path: Path) -> None:
    """In a shared channel their turns stay, as do their answers, opinions, cards and open questions."""
    await lab.answer("u1")
    theirs = await lab.answer("u2")
    await lab.feedback.vote(theirs, person("u2"), "up", "u2 wrote a comment")
    waiting = await lab.ask("u2", channel="c2")
    before = await lab.everything()
    await lab.people().forget(person("u1"))
    after = await lab.everything()

    assert before.count("u2 wrote") == after.count("u2 wrote")
    assert ["user", "assistant"] == [
        turn.role for turn in (await lab.conversations.load(theirs.place, scopes=("public",))).turns
    ]
    assert waiting.request_id == (await lab.take()).request_id
    assert 1 == len(list((tmp_path / "answers").glob("*.json")))


async def test_what_others_think_of_a_person_s_answers_goes_with_them(lab: Lab) -> None:
    """An opinion holds the question; it is deleted with the question, and is not part of the person's export."""
    made = await lab.answer("u1")
    await lab.feedback.vote(made, person("u2"), "down", "u2 wrote a comment")

    exported = await lab.people().export(person("u1"))
    assert [] == exported["feedback"]
    assert 1 == (await lab.people().forget(person("u1"))).feedback
    assert "u1 wrote" not in await lab.everything()


async def test_open_questions_are_withdrawn_and_their_posts_can_be_removed(lab: Lab) -> None:
    """Waiting ones come to a worker as deleted, with what it needs to find the post and without the text."""
    asked = await lab.ask("u1")
    await lab.people().forget(person("u1"))
    taken = await lab.claims.take_quick()

    assert taken is not None
    assert (asked.request_id, Cancelled.DELETED, "", "") == (
        taken.request_id,
        taken.cancelled,
        taken.message.text,
        taken.message.sender.name,
    )
    assert asked.place == taken.message.place
    assert await lab.claims.take() is None


async def test_the_request_that_asks_for_it_is_answered(lab: Lab) -> None:
    """It is neither withdrawn nor counted; once answered it holds no text either."""
    await lab.ask("u1")
    asking = await lab.take()

    assert Forgotten() == await lab.people().forget(person("u1"), but=asking.request_id)
    await lab.claims.finish(asking, "forget")
    assert "u1 wrote 1" not in await lab.everything()


async def test_an_edit_before_its_message_is_forgotten_too(lab: Lab) -> None:
    """When the message comes after all, it is not answered; a deletion before its message stays one."""
    await lab.inbox.prepare()
    edited, deleted = lab.message("u1"), lab.message("u1")
    await lab.inbox.edit(dataclasses.replace(edited, version="2"))
    await lab.inbox.cancel(deleted.request_id, Cancelled.DELETED, early=deleted)
    await lab.people().forget(person("u1"))

    assert "u1 wrote" not in await lab.everything()
    await lab.inbox.accept([edited, deleted])
    assert await lab.claims.take() is None
    assert "u1 wrote 1" not in await lab.everything()


async def test_forgetting_waits_for_a_worker_that_is_writing(lab: Lab, tmp_path: Path) -> None:
    """The card of an answer that is just being finished is deleted with the rest."""
    await lab.ask("u1")
    running = await lab.take()
    forgetting = asyncio.create_task(lab.people(patience_s=30).forget(person("u1")))
    async with aclosing(lab.store.listen(lab.inbox.keys.signal)) as signals:
        async for signal in signals:
            known = await lab.inbox.find(running.request_id)
            if signal is None and known is not None and known.cancelled is Cancelled.NO:
                continue
            break
    with pytest.raises(ChangedError):
        await lab.finish(running)
    await lab.claims.finish(await lab.claims.reload(running), "deleted")

    assert 1 == (await forgetting).cards
    assert [] == list((tmp_path / "answers").glob("*.json"))
    assert "u1 wrote" not in await lab.everything()


# Races and deaths: something happens before the nth thing that `forget` asks of Redis, for every n there is


class Interrupted(Store):
    """A store before whose nth use something happens."""

    def __init__(self, server: RedisServer, prefix: str, nth: int, happens: Callable[[], Awaitable[None]]) -> None:
        super().__init__(server.url, prefix=prefix)
        self._left = nth
        self._happens = happens

    @property
    def reached(self) -> bool:
        """True when it has happened."""
        return self._left < 0

    async def _count(self) -> None:
        self._left -= 1
        if self._left == -1:
            await self._happens()

    async def batch(self, *commands: Command) -> list[Reply]:
        await self._count()
        return await super().batch(*commands)

    async def call(self, *command: Value) -> Reply:
        return (await self.batch(command))[0]

    async def transaction(self, *commands: Command) -> list[Reply]:
        await self._count()
        return await super().transaction(*commands)

    async def attempt(self, body: Callable[[Watch], Awaitable[T]], *keys: str) -> T:
        await self._count()

        async def counted(watch: Watch) -> T:
            return await body(_Counting(watch, self._count))  # type: ignore[arg-type]

        return await super().attempt(counted, *keys)


class _Counting:
    """A watch between whose reading and committing something may happen."""

    def __init__(self, watch: Watch, count: Callable[[], Awaitable[None]]) -> None:
        self._watch = watch
        self._count = count

    async def read(self, *commands: Command, also: Sequence[str] = ()) -> list[Reply]:
        return await self._watch.read(*commands, also=also)

    async def commit(self, *commands: Command) -> list[Reply]:
        await self._count()
        return await self._watch.commit(*commands)


async def finishes(lab: Lab, request: Request) -> None:
    """What a worker does: it finishes its answer or, when that was withdrawn meanwhile, tidies up."""
    try:
        await lab.finish(request)
    except ChangedError:
        await lab.claims.finish(await lab.claims.reload(request), "deleted")


async def gives_up(lab: Lab, request: Request) -> None:
    """What a worker does with a question that failed too often."""
    await lab.claims.give_up(request, "Sorry.", "failed")


async def hands_back_and_finishes(lab: Lab, request: Request) -> None:
    """A worker that is stopped, and the next one."""
    await lab.claims.hand_back(request)
    taken = await lab.claims.take() or await lab.claims.take_quick()
    if taken is not None and taken.cancelled is Cancelled.NO:
        await finishes(lab, taken)


async def stores_its_answer(lab: Lab, request: Request) -> None:
    """A worker that keeps the finished answer with the request, and dies."""
    made, _ = await lab.kept(request)
    try:
        await lab.claims.update(request, ready=GIVEN.dump(made), also=lab.given.keep(made))
    except ChangedError:
        return


async def asks_anew(lab: Lab, request: Request) -> None:
    """The person edits the question, and asks another one, which is answered at once."""
    await lab.inbox.edit(dataclasses.replace(request.message, text="u1 wrote otherwise.", version="2"))
    # Not to be found by its text: when it comes after the last look, it is a question asked after being forgotten.
    await lab.inbox.accept([message("A new question.", number=99, user="u1", channel="c9")])
    taken = await lab.claims.take()
    if taken is not None:
        await finishes(lab, taken)


@pytest.mark.parametrize("happens", [finishes, gives_up, hands_back_and_finishes, stores_its_answer, asks_anew])
async def test_whatever_a_worker_does_meanwhile_leaves_nothing_behind(
    redis_server: RedisServer, happens: Callable[[Lab, Request], Awaitable[None]]
) -> None:
    """At every step of `forget`, an answer that is just finished is either withdrawn or deleted."""
    nth, reached = 0, True
    while reached:
        prefix = f"t{secrets.token_hex(4)}"
        plain = Store(redis_server.url, prefix=prefix)
        lab = Lab(plain)
        await lab.answer("u1")
        await lab.ask("u1", channel="c2")
        running = await lab.take()
        store = Interrupted(redis_server, prefix, nth, lambda lab=lab, running=running: happens(lab, running))  # type: ignore[misc]
        await lab.people(store).forget(person("u1"))
        reached = store.reached
        left = await lab.everything()
        await store.close()
        await plain.close()

        assert "u1 wrote" not in left, (nth, left)
        nth += 1
    assert nth > 10


async def test_killed_at_any_step_a_second_one_finishes(redis_server: RedisServer) -> None:
    """Nothing that is deleted first is needed to find the rest."""

    async def dies() -> None:
        raise UnavailableError("killed")

    nth, reached = 0, True
    while reached:
        prefix = f"t{secrets.token_hex(4)}"
        plain = Store(redis_server.url, prefix=prefix)
        lab = Lab(plain)
        made = await lab.answer("u1")
        await lab.feedback.vote(made, person("u1"), "down", "u1 wrote a comment")
        await lab.answer("u1", channel="d1", answered=False)
        await lab.ask("u1")
        store = Interrupted(redis_server, prefix, nth, dies)
        try:
            await lab.people(store).forget(person("u1"))
        except UnavailableError:
            assert store.reached
        reached = store.reached
        await lab.people().forget(person("u1"))
        left = await lab.everything()
        await store.close()
        await plain.close()

        assert "u1 wrote" not in left, nth
        nth += 1
    assert nth > 10


# Random lives of several people

USERS = ("u1", "u2", "u3")
DEEDS = st.tuples(
    st.sampled_from(USERS),
    st.sampled_from(["c1", "c2", "direct"]),
    st.sampled_from(["answer", "refuse", "vote", "wait", "run", "edit", "edit early", "give up", "stop", "repeat"]),
)


async def live(lab: Lab, deeds: Sequence[tuple[str, str, str]]) -> None:
    """Do what people and workers do; what was left waiting by one deed may be finished by the next."""
    await lab.inbox.prepare()
    asked: list[IncomingMessage] = []
    for user, channel, deed in deeds:
        place = f"d-{user}" if channel == "direct" else channel
        if deed == "edit early":
            await lab.inbox.edit(dataclasses.replace(lab.message(user, channel=place), version="2"))
            continue
        if deed == "repeat" and asked:
            again = dataclasses.replace(lab.message(user, channel=place), text=asked[-1].text)
            if again.sender.person_id == asked[-1].sender.person_id:
                await lab.inbox.accept([again])
            continue
        last = await lab.ask(user, channel=place)
        asked.append(last)
        if deed == "edit":
            await lab.inbox.edit(dataclasses.replace(last, text=f"{user} wrote and edited.", version="2"))
        elif deed == "stop":
            await lab.inbox.cancel(last.request_id, Cancelled.STOPPED)
        elif deed == "give up" and (taken := await lab.claims.take()) is not None:
            await lab.claims.give_up(taken, "Sorry.", "failed")
        elif deed == "run":
            await lab.claims.take()
        elif deed in ("answer", "refuse", "vote") and (taken := await lab.claims.take()) is not None:
            made = await lab.finish(taken, answered=deed != "refuse")
            if deed == "vote":
                author = next(one for one in USERS if person(one) == made.person_id)
                await lab.feedback.vote(made, made.person_id, "down", f"{author} wrote a comment")


@settings(max_examples=40, deadline=None)
@hypothesis_given(st.lists(DEEDS, max_size=14), st.sampled_from(USERS))
def test_after_forgetting_no_key_holds_what_the_person_wrote(
    redis_server: RedisServer, deeds: list[tuple[str, str, str]], gone: str
) -> None:
    """And what everybody else wrote is all still there."""

    async def run() -> tuple[str, str]:
        store = Store(redis_server.url, prefix=f"t{secrets.token_hex(4)}")
        try:
            lab = Lab(store)
            await live(lab, deeds)
            before = await lab.everything()
            await lab.people().forget(person(gone))
            return before, await lab.everything()
        finally:
            await store.close()

    before, after = asyncio.run(run())
    assert f"{gone} wrote" not in after
    for other in USERS:
        if other != gone:
            assert before.count(f"{other} wrote") == after.count(f"{other} wrote")


# Export


async def test_an_export_holds_what_is_stored_of_a_person_and_nothing_of_others(lab: Lab) -> None:
    """Questions, answers, opinions and open questions, without the texts of documents."""
    made = await lab.answer("u1")
    await lab.feedback.vote(made, person("u1"), "down", "u1 wrote a comment")
    await lab.answer("u2")
    await lab.answer("u1", answered=False)
    await lab.ask("u1", channel="c2")
    exported = await lab.people().export(person("u1"))
    written = json.dumps(exported)

    counts = {name: len(part) for name, part in exported.items() if isinstance(part, list)}
    assert {
        "open_questions": 1,
        "given_up_questions": 0,
        "conversations": 1,
        "answers": 2,
        "cached_answers": 1,
        "feedback": 1,
        "unanswered_questions": 1,
        "to_be_told": 1,
        "files_sent": 0,
        "files_waiting": 0,
        "files_taught": 0,
    } == counts
    assert "u2 wrote" not in written
    assert "The strains were made by crossing" not in written
    assert "u1 wrote a comment" in written
    assert 0 == exported["left_out"]


async def test_an_export_is_bounded_and_counts_what_it_leaves_out(lab: Lab) -> None:
    """The newest things come first."""
    for _ in range(6):
        await lab.answer("u1")
    exported = await lab.people().export(person("u1"), max_chars=3000)

    assert len(json.dumps(exported)) < 4000
    assert isinstance(exported["left_out"], int)
    assert 6 + 6 + 1 == exported["left_out"] + sum(len(part) for part in exported.values() if isinstance(part, list))


async def test_handles_from_outside_are_checked(lab: Lab) -> None:
    """Only what can be a handle is looked up; the answer comes back as it was kept."""
    made = await lab.answer("u1")

    assert made == await lab.given.find(made.handle)
    for handle in ("", "x", "*", made.handle + "*", f"../{made.handle}", made.handle * 4, made.handle + "\n", "ä" * 22):
        assert await lab.given.find(handle) is None


async def test_every_key_has_a_lifetime(lab: Lab) -> None:
    """What is remembered of people ends by itself."""
    made = await lab.answer("u1")
    await lab.feedback.vote(made, person("u1"), "up")
    keys = [
        key
        for key in texts(await lab.store.call("KEYS", lab.store.key("*")))
        if key.removeprefix(lab.store.key("")).partition(":")[0]
        in ("conversation", "given", "cached", "person", "feedback")
    ]
    lifetimes = [await lab.store.call("PTTL", key) for key in keys]

    assert 8 == len(keys)
    assert all(isinstance(one, int) and one > 0 for one in lifetimes)
    assert "list" == text(await lab.store.call("TYPE", lab.store.key("conversation", made.place.conversation_id)))
