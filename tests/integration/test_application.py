"""The assembled application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from bot.application import Application
from bot.bootstrap import ingest_sources, open_application
from bot.errors import BotError, InvalidRequestError, NotFoundError, UnavailableError
from bot.evidence import Answer, Evidence
from bot.ingestion import IngestReport
from bot.ports import Asked
from bot.settings import Settings
from tests.documents import LAB, CountingProgress, write_documents


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """Settings of a data folder in which a few documents are indexed."""
    made = Settings(data_dir=tmp_path / "data")
    reports: list[IngestReport | BotError] = []
    lab = write_documents(tmp_path / "lab", LAB)
    await ingest_sources(
        made,
        [str(lab)],
        scope="public",
        progress=lambda _spec: CountingProgress(),
        report=lambda report, _spec: reports.append(report),
    )
    assert isinstance(reports[0], IngestReport)
    return made


async def test_nothing_blocks_the_event_loop(settings: Settings) -> None:
    """Opening, asking, searching and closing never wait for disk, network or a lock on the loop."""
    with blockbuster_ctx(["adapters", "bot", "knowledge"]):
        async with open_application(settings) as application:
            answer = await application.ask("Which mice were crossed to make the BXD strains?")
            evidence = await application.search("spleen")

    assert answer.answered
    assert evidence.passages


async def test_the_loop_goes_on_while_questions_are_answered(settings: Settings) -> None:
    """Eight questions at once leave the loop free: no turn of it takes 100 ms."""
    loop = asyncio.get_running_loop()
    longest = 0.0
    done = asyncio.Event()

    async def watch() -> None:
        nonlocal longest
        while not done.is_set():
            before = loop.time()
            await asyncio.sleep(0.005)
            longest = max(longest, loop.time() - before - 0.005)

    async with open_application(settings) as application:
        await application.ask("warm up the strains")
        watching = asyncio.create_task(watch())
        answers = await asyncio.gather(*(application.ask(f"How many BXD strains are there? {n}") for n in range(8)))
        done.set()
        await watching

    assert 8 == len(answers)
    assert longest < 0.1


async def test_questions_without_words_and_empty_indexes_are_sentences(settings: Settings, tmp_path: Path) -> None:
    """Both raise errors that say what to do."""
    async with open_application(settings) as application:
        with pytest.raises(InvalidRequestError, match="The question is empty"):
            await application.ask(" \x00\x1b[31m ")
    async with open_application(Settings(data_dir=tmp_path / "empty")) as application:
        with pytest.raises(NotFoundError, match="run `locus ingest starter`"):
            await application.ask("BXD?")


class _Broken:
    """A model that fails after its first word."""

    async def rewrite(self, asked: Asked) -> Asked:
        return asked

    async def stream(self, asked: Asked, evidence: Evidence) -> AsyncGenerator[str | Answer]:
        yield "The"
        raise UnavailableError("The model has stopped.")


async def test_a_model_that_fails_is_replaced_by_quotes(settings: Settings) -> None:
    """The person is told why and gets the quoted answer."""
    async with open_application(settings) as whole:
        application = Application(whole._retriever, whole._index, _Broken(), whole._fallback, top_k=5)
        pieces = [piece async for piece in application.stream("Which mice were crossed to make the BXD strains?")]
    answer = pieces[-1]
    assert isinstance(answer, Answer)

    assert ("quotes", True) == (answer.mode, answer.answered)
    assert any("The model has stopped." in piece for piece in pieces if isinstance(piece, str))
