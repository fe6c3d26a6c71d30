"""What an answer is made from: the turns before its question, and the scopes of what it cites."""

from __future__ import annotations

import pytest

from bot.access import own_scope
from bot.application import Application
from bot.evidence import Answer, CitedPassage
from bot.given import GivenAnswer
from bot.messages import IncomingMessage
from bot.ports import PUBLIC_SCOPE, IndexedSource, IndexFacts
from bot.store.client import Store
from tests.fakes import message
from tests.integration.test_service import Running, running, settled

OWN = own_scope(message("?").place)


async def answered(one: Running, asked: IncomingMessage) -> GivenAnswer:
    """Ask, and return what was given."""
    await one.service.reception.message(asked)
    await one.chat.until(asked)
    await settled(one)
    found = await one.service.given.find(one.chat.of(asked)[0].now.handle)
    assert found is not None
    return found


async def asked_again(one: Running, given: GivenAnswer, asked: IncomingMessage) -> GivenAnswer:
    """Press "Ask again" below an answer, and return what was given then."""
    receipt = await one.service.reception.again(asked.place, asked.sender, given.handle)
    assert receipt is not None
    await settled(one)
    (post,) = [post for post in one.chat.posts.values() if post.key == receipt.request_id]
    found = await one.service.given.find(post.now.handle)
    assert found is not None
    return found


@pytest.fixture
def _library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers cite the channel's own documents where the question says "own", else public ones; others no passages."""

    async def cited_passages(_: Application, answer: Answer) -> tuple[CitedPassage, ...]:
        scope = OWN if "own" in answer.question else PUBLIC_SCOPE
        return () if "lost" in answer.question else tuple(CitedPassage(one, "", "", scope) for one in answer.citations)

    async def cited_scopes(_: Application, answer: Answer) -> frozenset[str] | None:
        return None if "lost" in answer.question else frozenset({PUBLIC_SCOPE})

    monkeypatch.setattr(Application, "cited_passages", cited_passages)
    monkeypatch.setattr(Application, "cited_scopes", cited_scopes)


async def test_a_question_asked_again_is_answered_from_the_turns_before_it(store: Store) -> None:
    """What was said in the thread after it does not count, nor when the new answer is asked for once more."""
    questions = [message(f"And what is {name}?", number=number) for number, name in enumerate(("BXD", "LRS", "LOD"))]
    async with running(store) as one:
        given = [await answered(one, asked) for asked in questions]
        once = await asked_again(one, given[1], questions[1])
        await asked_again(one, once, questions[1])

        assert [0, 2, 4, 2, 2] == [len(asked.history) for asked in one.answerer.asked]
        assert {"And what is BXD?"} == {asked.history[0].content for asked in one.answerer.asked[1:]}
        assert [questions[1].text] * 2 == [asked.question for asked in one.answerer.asked[3:]]


@pytest.mark.usefixtures("_library")
@pytest.mark.parametrize(
    ("texts", "public"),
    [
        (["What is BXD?"], [True]),
        (["What is our own protocol?"], [False]),
        (["What is lost?"], [False]),
        (["What is unknown?"], [True]),
        (["What is unknown and lost?"], [False]),
        (["What is our own protocol?", "And then?"], [False, False]),
        (["What is BXD?", "And then?", "What is our own protocol?"], [True, True, False]),
    ],
)
async def test_an_answer_rests_on_what_it_cites_and_on_the_answers_before_it(
    store: Store, texts: list[str], public: list[bool]
) -> None:
    """That a channel's documents were searched as well changes nothing; where it is not known, they count."""
    async with running(store) as one:
        given = [await answered(one, message(text, number=number)) for number, text in enumerate(texts)]

        assert public == [one.public for one in given]
        assert all(OWN in one.scopes for one in given)


@pytest.mark.usefixtures("_library")
async def test_an_answer_that_is_given_again_rests_on_the_same(store: Store) -> None:
    """The answer cache keeps the passages with their scopes."""
    async with running(store) as one:
        await answered(one, message("What is BXD?", number=1, thread="t1"))
        again = await answered(one, message("What is BXD?", number=2, thread="t2"))

        assert (1, True) == (len(one.answerer.asked), again.public)


async def test_who_waits_sees_how_many_documents_are_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are counted once for each revision, those of channels left out, and not while somebody waits for it."""
    counted = 0

    async with running(store) as one:
        application = one.service._application
        assert application is not None
        index = application._index

        async def facts() -> IndexFacts:
            nonlocal counted
            counted += 1
            revision = await index.revision()
            sources = (IndexedSource("gn", PUBLIC_SCOPE, 4300 * revision), IndexedSource("lab", "channel-x", 7))
            return IndexFacts(revision, "2026-11-01T09:00:00+00:00", 4307, sources)

        monkeypatch.setattr(index, "facts", facts)
        await application.count_documents()
        seen = []
        for number in range(1, 5):
            asked = message(f"What is {number}?", number=number, thread=f"t{number}")
            await answered(one, asked)
            seen.append(one.chat.of(asked)[0].history[0].text)
            monkeypatch.setattr(index, "number", 1 if number < 2 else 2)

    assert [f"Reading {count} documents …" for count in ("4,300", "4,300", "4,300", "8,600")] == seen
    assert 2 == counted
