"""What people may rely on in every chat; each scenario runs in all of them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.evidence import Answer, Citation, Evidence
from bot.ports import Asked
from bot.telling_texts import how_to_be_told, told_no_more
from bot.texts import REFUSAL
from knowledge.embeddings import MiniLmEmbedder
from knowledge.index import KnowledgeIndex
from tests.documents import LAB
from tests.fakes import HeldAnswerer
from tests.injections import INJECTIONS
from tests.matrix_server.synapse import Synapse
from tests.redis_servers import RedisServer
from tests.scenarios.driver import PASSAGE, SOURCE, Can, Driver
from tests.scenarios.matrix_driver import EncryptedMatrixDriver, MatrixDriver
from tests.scenarios.slack_driver import SlackDriver
from tests.scenarios.terminal_driver import TerminalDriver
from tests.slack_server import LocalSlack, RateLimits, Timing
from tests.teaching import PROTOCOL, taught_application
from tests.telling import ANSWER, MENDED, QUESTION, ingest

TIMING = Timing(acknowledge_within_s=0.6, retry_after_s=(0.1, 0.2, 0.4, 0.8, 1.6))
NEEDS = {
    "test_an_edited_question_gets_the_answer_to_its_new_words": (Can.EDIT,),
    "test_a_deleted_question_leaves_nothing": (Can.DELETE,),
    "test_a_question_that_is_delivered_again_is_answered_once": (Can.REPEAT,),
    "test_who_waits_sees_how_long_the_queue_is": (Can.PLACES, Can.DRAFTS),
}


async def make_driver(
    kind: type[Driver], stack: AsyncExitStack, redis_url: str, folder: Path, request: pytest.FixtureRequest
) -> Driver:
    """Return the driver of a chat, whose service is ended with `stack`."""
    prefix = f"t{secrets.token_hex(4)}"
    driver: Driver
    if issubclass(kind, MatrixDriver):
        synapse: Synapse = request.getfixturevalue("synapse")  # skips where it is not installed
        driver = await stack.enter_async_context(kind(synapse, folder, redis_url, prefix))
    elif issubclass(kind, SlackDriver):
        slack = LocalSlack(timing=TIMING, limits=RateLimits(allowance=float("inf")))
        driver = SlackDriver(await stack.enter_async_context(slack), redis_url, prefix)
    else:
        driver = TerminalDriver(folder, redis_url, prefix)
    stack.push_async_callback(driver.end)
    return driver


@pytest.fixture(params=[TerminalDriver, SlackDriver, MatrixDriver, EncryptedMatrixDriver], ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> type[Driver]:
    """The chat of a scenario, which is skipped, with the reason, where the chat cannot do what it needs."""
    chosen: type[Driver] = request.param
    for capability in NEEDS.get(request.function.__name__, ()):
        if reason := chosen.cannot.get(capability):
            pytest.skip(f"{chosen.name} cannot {capability}: {reason}")
    return chosen


@pytest.fixture
async def chat(
    kind: type[Driver], redis_server: RedisServer, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Driver]:
    """A chat whose service is not started yet."""
    async with AsyncExitStack() as stack:
        yield await make_driver(kind, stack, redis_server.url, tmp_path / "chat", request)


def count(chat: Driver, text: str) -> int:
    """Return how often a text is seen."""
    return chat.shown().count(text)


async def test_a_question_has_one_answer_with_its_source(chat: Driver) -> None:
    """The answer is seen once, and where it is from."""
    await chat.start()
    await chat.ask("What is BXD?")
    await chat.sees("About: What is BXD? [1]")
    await chat.settled()

    assert 1 == count(chat, "About: What is BXD?")
    assert SOURCE in chat.shown()
    assert "A document" in chat.shown()


async def test_a_follow_up_belongs_to_its_conversation(chat: Driver) -> None:
    """It is answered with what was said before in mind."""
    await chat.start()
    question = await chat.ask("What is BXD?")
    await chat.sees("About: What is BXD?")
    await chat.settled()
    await chat.follow_up(question, "How many strains has it?")
    await chat.sees("About: How many strains has it?")

    assert ["What is BXD?"] == [turn.content for turn in chat.answerer.asked[1].history if turn.role == "user"]


async def test_what_the_documents_do_not_say_is_said_with_a_reference(chat: Driver) -> None:
    """The reference is one by which the lab finds the question."""
    await chat.start()
    await chat.ask("What is unknown here?")
    await chat.sees("About: What is unknown here?")
    await chat.settled()
    requests = [name for name in chat.shown().split() if await chat.service.inbox.find(name.strip("().,:`"))]

    assert requests


async def test_an_edited_question_gets_the_answer_to_its_new_words(chat: Driver) -> None:
    """Nothing of the answer to the old ones is left."""
    await chat.start()
    question = await chat.ask("slow first words")
    await chat.begun()
    await chat.edit(question, "second words")
    await chat.sees("About: second words [1]")
    await chat.settled()

    assert (1, 0) == (count(chat, "About:"), count(chat, "first words"))


async def test_a_deleted_question_leaves_nothing(chat: Driver) -> None:
    """What is seen of its answer goes with it."""
    await chat.start()
    question = await chat.ask("slow question")
    await chat.begun()
    await chat.sees("About:")
    await chat.delete(question)
    await chat.until(lambda: not chat.shown())
    await chat.settled()

    assert "" == chat.shown()


async def test_an_answer_that_is_stopped_says_so(chat: Driver) -> None:
    """It is never completed, and the next question is answered."""
    await chat.start()
    question = await chat.ask("slow question")
    await chat.begun()
    await chat.stop(question)
    await chat.sees("Stopped, as you asked.")
    await chat.follow_up(question, "What is BXD?")
    await chat.sees("About: What is BXD? [1]")
    await chat.settled()

    assert 0 == count(chat, "About: slow question")


async def test_a_question_that_is_delivered_again_is_answered_once(chat: Driver) -> None:
    """While it is answered as well as afterwards."""
    await chat.start()
    question = await chat.ask("slow question")
    await chat.begun()
    await chat.deliver_again(question)
    chat.answerer.release.set()
    await chat.sees("About: slow question [1]")
    await chat.deliver_again(question)
    await chat.settled()

    assert (1, 1) == (count(chat, "About:"), len(chat.answerer.asked))


async def test_an_answer_survives_the_death_of_its_process(chat: Driver) -> None:
    """The next process completes it; it is seen once."""
    await chat.start()
    await chat.ask("slow question")
    await chat.begun()
    await chat.kill()
    second = HeldAnswerer()
    second.release.set()
    await chat.start(second)
    await chat.sees("About: slow question [1]")
    await chat.settled()

    assert (1, 1) == (count(chat, "About: slow question"), len(second.asked))


async def test_redis_is_away_and_back(kind: type[Driver], tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """What was asked before and meanwhile is answered once when it is back."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(RedisServer())
        chat = await make_driver(kind, stack, server.url, tmp_path / "chat", request)
        await chat.start()
        await chat.ask("slow question")
        await chat.begun()
        await asyncio.to_thread(server.stop)
        await chat.ask("asked meanwhile", elsewhere=True)
        chat.answerer.release.set()
        await asyncio.to_thread(server.start)
        await chat.sees("About: slow question [1]")
        await chat.sees("About: asked meanwhile [1]")
        await chat.settled()

        assert [1, 1] == [count(chat, f"About: {text}") for text in ("slow question", "asked meanwhile")]


async def test_who_asks_too_often_is_told_when_to_come_back(chat: Driver) -> None:
    """The sentence has a time, and the question is not answered."""
    await chat.start(rate_person=1)
    question = await chat.ask("What is BXD?")
    await chat.sees("About: What is BXD?")
    await chat.follow_up(question, "What else?")
    await chat.sees("That were many questions in a short time. Please ask again in ")
    await chat.settled()

    assert 0 == count(chat, "About: What else?")


async def test_who_waits_sees_how_long_the_queue_is(chat: Driver) -> None:
    """The place in the queue is shown where the answer will stand."""
    await chat.start(answers_at_once=1)
    await chat.ask("slow question")
    await chat.begun()
    await chat.ask("What is BXD?", elsewhere=True)
    await chat.sees("Your question is next.")
    chat.answerer.release.set()
    await chat.sees("About: What is BXD? [1]")
    await chat.settled()

    assert 0 == count(chat, "Your question is next.")


async def test_an_opinion_and_its_comment_are_kept(chat: Driver) -> None:
    """The person is thanked."""
    await chat.start()
    question = await chat.ask("What is BXD?")
    await chat.sees("About: What is BXD?")
    await chat.settled()
    await chat.vote_down(question, "wrong mouse")
    await chat.sees("Thank you, noted.")
    opinions = await chat.service.feedback.list(limit=10)

    assert [("down", "wrong mouse")] == [(opinion.vote, opinion.comment) for opinion in opinions]


async def test_the_passages_of_an_answer_are_shown(chat: Driver) -> None:
    """In the words of the document."""
    await chat.start()
    question = await chat.ask("What is BXD?")
    await chat.sees("About: What is BXD?")
    await chat.settled()
    await chat.keep_passage(question)
    await chat.passages(question)

    await chat.sees(PASSAGE.citation.quote)


async def test_an_answer_leads_to_its_page(chat: Driver) -> None:
    """Once, below its sources, where the lab has given the address of its pages."""
    await chat.start(public_url="https://locus.example/lab", dashboard_token=SecretStr("a-token-of-the-steward"))
    question = await chat.ask("What is BXD?")
    await chat.sees("Answer with its passages")
    await chat.settled()

    assert 1 == count(chat, "Answer with its passages")
    assert f"https://locus.example/lab/answers/{chat._handle(question)}" in chat.shown()


async def test_a_question_that_is_asked_again_is_answered_anew(chat: Driver) -> None:
    """Not from the cache."""
    await chat.start()
    question = await chat.ask("What is BXD?")
    await chat.sees("About: What is BXD?")
    await chat.settled()
    await chat.again(question)
    await chat.until(lambda: count(chat, "About: What is BXD?") == 2)
    await chat.settled()

    assert ["What is BXD?"] * 2 == [asked.question for asked in chat.answerer.asked]


async def test_a_file_is_learnt_and_found_where_it_was_taught(
    chat: Driver, embedder: MiniLmEmbedder, tmp_path: Path
) -> None:
    """After its sender has seen what was read of it and said so; nowhere else, and until it is forgotten."""
    index = KnowledgeIndex(tmp_path / "index", embedder)
    try:
        await chat.start(application=taught_application(index, tmp_path))
        shared = await chat.send_file("Perfusion.md", PROTOCOL, "learn this")
        await chat.sees("Perfusion protocol, ")
        await chat.settled()
        await chat.follow_up(shared, "keep")
        await chat.sees("rest on it from now on")
        await chat.settled()
        if Can.PLACES not in chat.cannot:
            await chat.ask("In what is the tissue fixed overnight?", elsewhere=True)
            await chat.sees(REFUSAL)
            await chat.settled()
        elsewhere = count(chat, "zebrafinch solution")
        await chat.ask("In what is the tissue fixed overnight?")
        await chat.sees("The tissue is fixed in zebrafinch solution overnight.")
        await chat.settled()
        await chat.follow_up(shared, "forget this file")
        await chat.sees("No answer rests on it any more")
        await chat.settled()
        await chat.end()
    finally:
        index.close()

    assert 0 == elsewhere


async def test_who_agrees_is_told_when_the_documents_answer(
    chat: Driver, embedder: MiniLmEmbedder, tmp_path: Path
) -> None:
    """The same words work in every chat; the answer is seen once where it was asked, and calls nobody."""
    index = KnowledgeIndex(tmp_path / "index", embedder)
    try:
        await asyncio.to_thread(ingest, index, tmp_path / "documents", LAB)
        await chat.start(application=taught_application(index, tmp_path))
        question = await chat.ask(QUESTION)
        await chat.sees(how_to_be_told())
        await chat.settled()
        await chat.follow_up(question, "tell me")
        await chat.sees("I will tell you here when the documents answer it")
        await chat.settled()
        await asyncio.to_thread(ingest, index, tmp_path / "documents", MENDED)
        await chat.sees(f"{ANSWER} [1]")
        await chat.settled()
        await chat.follow_up(question, "don't tell me")
        await chat.sees(told_no_more(0))
        await chat.settled()
        await chat.end()
    finally:
        index.close()

    assert 1 == count(chat, ANSWER)
    assert "Perfusion" in chat.shown()
    assert [] == chat.leaks()


QUESTIONS = 6  # that all injections are spread over


class Obedient(HeldAnswerer):
    """Says whatever a text orders it to say; its documents give the same orders."""

    async def stream(self, asked: Asked, evidence: Evidence) -> AsyncGenerator[str | Answer]:
        """Yield in pieces what stands behind each "OBEY:"."""
        self.asked.append(asked)
        number = len(self.asked) - 1
        orders = INJECTIONS[number::QUESTIONS]
        text = f"Order {number}. " + "\n\n".join(order.partition("OBEY:")[2] for order in orders) + "\n\n[1]"
        for start in range(0, len(text), 7):
            yield text[start : start + 7]
        citation = Citation(1, orders[0], orders[-1], SOURCE, " ".join(orders))
        yield Answer(asked.question, text, "model", True, (citation,), 0.9)


async def test_orders_in_texts_leak_nothing(chat: Driver) -> None:
    """A model that obeys every injection calls nobody, shows no picture and leads nowhere but to the source."""
    await chat.start(Obedient())
    for number in range(QUESTIONS):
        await chat.ask(f"Question {number}: {INJECTIONS[number]}")
        await chat.sees(f"Order {number}.")
    await chat.settled()

    assert [] == chat.leaks()
