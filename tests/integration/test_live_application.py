"""GeneNetwork's data in the application: beside the documents, in a conversation, and by the agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from bot.application import Application
from bot.bootstrap import ingest_sources, open_application
from bot.errors import BotError
from bot.evidence import Answer, Progress
from bot.given import GivenAnswer
from bot.ingestion import IngestReport
from bot.live.answering import LiveAnswers
from bot.messages import Audience, IncomingMessage, Turn
from bot.replies import Stage
from bot.service import Role, Service
from bot.settings import Settings
from bot.store.client import Store, text, texts
from bot.store.given_answers import GIVEN
from tests.documents import CountingProgress, write_documents
from tests.fakes import HeldAnswerer, MemoryChat, NoRetriever, OneRevision, message
from tests.gn_server import Fault, GeneNetworkServer, World
from tests.live import live_answers, live_settings

DOCUMENTS = {
    "hippocampus.md": "# Hippocampus Consortium data\n\nThe dataset HC_M2_0606_P holds gene expression of the "
    "hippocampus of adult mice. The arrays of HC_M2_0606_P were normalised with the PDNN method.\n",
    "bxd.md": "# The BXD family\n\nThe BXD strains were made by crossing C57BL/6J and DBA/2J mice.\n",
}


@pytest.fixture(scope="module")
def world() -> World:
    """One world for all tests."""
    return World()


@pytest.fixture
async def server(world: World) -> AsyncIterator[GeneNetworkServer]:
    """The local GeneNetwork."""
    async with GeneNetworkServer(world) as running:
        yield running


async def indexed(folder: Path, server: GeneNetworkServer, **more: object) -> Settings:
    """Return settings of a data folder in which the documents are indexed."""
    settings = live_settings(folder / "data", server, **more)
    reports: list[IngestReport | BotError] = []
    await ingest_sources(
        settings,
        [str(write_documents(folder / "lab", DOCUMENTS))],
        scope="public",
        progress=lambda _spec: CountingProgress(),
        report=lambda report, _spec: reports.append(report),
    )
    assert isinstance(reports[0], IngestReport)
    return settings


async def test_a_lookup_needs_neither_documents_nor_model(tmp_path: Path, server: GeneNetworkServer) -> None:
    """With nothing indexed and no model, a mapping is answered with its picture, and nothing blocks the loop."""
    with blockbuster_ctx(["adapters", "bot", "knowledge"]):
        async with open_application(live_settings(tmp_path, server)) as application:
            answer = await application.ask("map BXD_10001")
            passages = await application.cited_passages(answer)

    assert ("live", True) == (answer.mode, answer.answered)
    assert ["BXD_10001_map.png"] == [one.name for one in answer.attachments]
    assert answer.timings_ms["total"] > 0
    assert [one.n for one in answer.citations] == [one.citation.n for one in passages]
    assert {"public"} == {one.scope for one in passages}


async def test_questions_to_the_documents_do_not_reach_genenetwork(tmp_path: Path, server: GeneNetworkServer) -> None:
    """What is no lookup is answered from the documents, without a request."""
    async with open_application(await indexed(tmp_path, server)) as application:
        answer = await application.ask("Which mice were crossed to make the BXD strains?")

    assert ("quotes", True) == (answer.mode, answer.answered)
    assert [] == server.paths


async def test_live_data_can_be_turned_off(tmp_path: Path, server: GeneNetworkServer) -> None:
    """With the setting off even a dataset's name is a question to the documents."""
    async with open_application(await indexed(tmp_path, server, genenetwork="off")) as application:
        answer = await application.ask("What is HC_M2_0606_P?")

    assert "quotes" == answer.mode
    assert [] == server.paths


async def test_a_datasets_card_names_the_documents_on_it(tmp_path: Path, server: GeneNetworkServer) -> None:
    """Below the card stand the documents that name the dataset, and only those."""
    async with open_application(await indexed(tmp_path, server)) as application:
        answer = await application.ask("What is HC_M2_0606_P?")

    assert "Documents that name it: Hippocampus Consortium data [2]." in answer.text
    assert [None, "hippocampus.md"] == [
        one.source.rsplit("/", 1)[-1] if one.source != "GeneNetwork" else None for one in answer.citations
    ]
    assert "the documents are named where they were used" in answer.note


async def test_when_genenetwork_is_away_the_documents_answer(tmp_path: Path, server: GeneNetworkServer) -> None:
    """The person gets one sentence on it, and what the documents say; where they say nothing, the sentence alone."""
    for path in ("/api/v_pre1/groups", "/api/v_pre1/species"):
        server.fail(path, Fault.page(503))
    async with open_application(await indexed(tmp_path, server)) as application:
        known = await application.ask("What is HC_M2_0606_P?")
        unknown = await application.ask("species")
    async with open_application(live_settings(tmp_path / "empty", server)) as empty:
        alone = await empty.ask("species")

    assert ("quotes", True) == (known.mode, known.answered)
    assert known.note.endswith("This answer rests on the documents alone.")
    for answer in (unknown, alone):
        assert ("live", False) == (answer.mode, answer.answered)
        assert answer.text.startswith("GeneNetwork ")
        assert () == answer.citations


async def test_csv_is_asked_for_in_the_conversation(tmp_path: Path, server: GeneNetworkServer) -> None:
    """After a lookup, "csv" brings its data as a file."""
    history = (Turn("user", "values of BXD_10001"), Turn("assistant", "Values of BXD_10001 ..."))
    async with open_application(live_settings(tmp_path, server)) as application:
        answer = await application.ask("csv", history=history)

    assert ["BXD_10001_values.png", "BXD_10001_values.csv"] == [one.name for one in answer.attachments]


@asynccontextmanager
async def service(store: Store, live: LiveAnswers) -> AsyncIterator[tuple[Service, MemoryChat, HeldAnswerer]]:
    """Run the durable core around an application with live data."""
    chat, answerer = MemoryChat(), HeldAnswerer()
    application = Application(NoRetriever(), OneRevision(), answerer, answerer, top_k=3, live=live)
    settings = Settings.model_validate({"lease_s": 5.0, "rate_person": 0, "rate_channel": 0})
    running = Service(settings, application, store, [chat], frozenset({Role.ADAPTER, Role.WORKER}))
    stop = asyncio.Event()
    task = asyncio.create_task(running.run(stop))
    try:
        async with asyncio.timeout(10):
            await running.started.wait()
        yield running, chat, answerer
    finally:
        stop.set()
        await task


async def stored(store: Store) -> str:
    """Return all values of strings in Redis, and of lists and streams, as one text."""
    found: list[str] = []
    for key in texts(await store.call("KEYS", "*")):
        kind = text(await store.call("TYPE", key))
        if kind == "string":
            found.append(f"{key}={text(await store.call('GET', key))}")
        elif kind == "stream":
            found.append(f"{key}={await store.call('XRANGE', key, '-', '+')!r}")
    return "\n".join(found)


async def test_a_chat_shows_the_picture_and_keeps_none(store: Store, server: GeneNetworkServer) -> None:
    """The final reply carries the picture; afterwards no picture is in Redis, and no answer in the cache."""
    first, second = _in_thread("map BXD_10001", 1), _in_thread("csv", 2)
    async with live_answers(server) as live, service(store, live) as (running, chat, _):
        for one in (first, second):
            await running.reception.message(one)
            await chat.until(one, timeout_s=60)
        reply, with_data = chat.of(first)[0].now, chat.of(second)[0].now
        async with asyncio.timeout(10):
            while await store.call("XLEN", running.inbox.keys.inbox):  # noqa: ASYNC110 - until all is finished
                await asyncio.sleep(0.01)
        kept = await stored(store)

    assert Stage.FINAL == reply.stage
    assert ["image/png"] == [one.media_type for one in reply.attachments]
    assert ["image/png", "text/csv"] == [one.media_type for one in with_data.attachments]
    assert reply.attachments[0].data.startswith(b"\x89PNG")
    assert "BXD_10001" in kept  # the answer's text is kept as any other
    assert "iVBORw0KGgo" not in kept  # a PNG in base 64
    assert "cached:" not in kept


async def test_a_finished_picture_survives_a_restart(store: Store, server: GeneNetworkServer) -> None:
    """The stored answer of an open request holds its picture, so that another process shows the same."""
    async with live_answers(server) as live:
        lookup = live.recognise("values of BXD_10001", ())
        assert lookup is not None
        answer = await live.answer(lookup, "values of BXD_10001")
    asked = message("values of BXD_10001")
    given = GivenAnswer("h" * 22, asked.request_id, asked.place, "p", asked.text, answer, (), ("public",), 1.0)

    assert given == GIVEN.find(GIVEN.dump(given))


async def test_a_question_that_is_stopped_ends_its_mapping(store: Store, server: GeneNetworkServer) -> None:
    """Stopping a question hangs up on GeneNetwork, and says that it was stopped."""
    held = asyncio.Event()
    server.fail("/api/v_pre1/mapping", Fault.slow(held))
    asked = _in_thread("map BXD_10001", 1)
    async with live_answers(server) as live, service(store, live) as (running, chat, _):
        await running.reception.message(asked)
        await server.asked("/api/v_pre1/mapping")
        await running.reception.stop(asked.place, asked.sender)
        await server.left()
        await chat.until(asked)
        reply = chat.of(asked)[0].now

    assert 1 == server.abandoned
    assert not reply.answered
    assert () == reply.attachments


async def test_progress_is_shown_where_the_answer_will_stand(store: Store, server: GeneNetworkServer) -> None:
    """While GeneNetwork computes, the visible message says so, in place of the answer."""
    held = asyncio.Event()
    server.fail("/api/v_pre1/mapping", Fault.slow(held))
    asked = _in_thread("map BXD_10001", 1)
    async with live_answers(server, every_s=0.02) as live, service(store, live) as (running, chat, _):
        await running.reception.message(asked)

        def told() -> bool:
            posts = chat.of(asked)
            return bool(posts) and "so far" in posts[0].now.text

        async with asyncio.timeout(20), chat.changed:
            await chat.changed.wait_for(told)
        stage = chat.of(asked)[0].now.stage
        held.set()
        await chat.until(asked, timeout_s=60)
        post = chat.of(asked)[0]

    assert Stage.WAITING == stage
    assert post.now.answered
    assert 1 == len(chat.posts)


async def test_what_genenetwork_does_not_have_is_no_gap_of_the_documents(
    store: Store, server: GeneNetworkServer
) -> None:
    """A trait that does not exist is said so, and is not listed among what the documents should answer."""
    asked = _in_thread("map BXD_99999", 1)
    async with live_answers(server) as live, service(store, live) as (running, chat, _):
        await running.reception.message(asked)
        await chat.until(asked)
        reply = chat.of(asked)[0].now
        gaps = [key for key in texts(await store.call("KEYS", "*")) if "unanswered" in key]

    assert "no trait '99999'" in reply.text
    assert not reply.answered
    assert [] == gaps


def _in_thread(text_: str, number: int) -> IncomingMessage:
    return message(text_, number=number, thread="t1", audience=Audience.DIRECT)


async def test_a_stream_tells_what_it_does_and_ends_with_the_answer(server: GeneNetworkServer) -> None:
    """The application yields progress as such, never as text of the answer."""
    answerer = HeldAnswerer()
    async with live_answers(server) as live:
        application = Application(NoRetriever(), OneRevision(), answerer, answerer, top_k=3, live=live)
        pieces = [piece async for piece in application.stream("species")]

    assert [Progress, Answer] == [type(piece) for piece in pieces]
    assert [] == answerer.asked
